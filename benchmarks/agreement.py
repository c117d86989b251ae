# SPDX-License-Identifier: Apache-2.0
"""Does everything agree? One random case: a network, a property, and a chain of changes.

What is held against what, all in exact arithmetic and with no tolerance:

  * the engine's verdict from scratch, with either kind of split, and z3 on the exact encoding;
  * the verdict by reuse, with the true map, an inferred one, an arbitrary one and with the original
    at hand, and z3 on the changed network;
  * a proof as made and as read back from a file;
  * every certificate and the independent checker.

A proof whose margin is zero, or drowns in rounding, is left to the exact solver, because floats
cannot show it. Such cases are counted; they fail where z3 finds a margin that floats could have
shown.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.evidence import ACCEPTED, check_result
from benchmarks.random_changes import Change, random_change, random_map
from benchmarks.random_networks import random_network, random_property
from encoders.decide import decide
from verifier.change.match import infer_map
from verifier.ir.operators import Affine
from verifier.options import EngineOptions
from verifier.pipeline import prove, reverify
from verifier.proof.store import read_proof, write_proof
from verifier.verdict import Answer, Verdict, verdict_of

if TYPE_CHECKING:
    from verifier.change.neuron_map import NeuronMap
    from verifier.ir.graph import Graph
    from verifier.pipeline import Result
    from verifier.proof.store import Proof
    from verifier.spec.property import Property

TIMEOUT_SECONDS = 30.0
"""Cases end in milliseconds; one that takes this long is a finding."""

FLOATS_SHOW = Fraction(1, 10**9)
"""A margin that floats can show, relative to the largest number that may occur."""


@dataclass(frozen=True)
class RandomCase:
    """What is checked.

    Attributes:
        seed: Of the arbitrary maps.
        graph: The first original.
        prop: The property.
        options: How the engine searches.
        changes: Each is applied to the network before.
        is_chained: Whether each variant's proof is reused for the next; else the first one's.
    """

    seed: int
    graph: Graph
    prop: Property
    options: EngineOptions
    changes: tuple[Change, ...]
    is_chained: bool


@dataclass
class CaseReport:
    """What a case showed.

    Attributes:
        seed: The case's.
        failures: What disagreed, each a sentence that starts with the kind of failure.
        counts: Verdicts compared, certificates accepted, and so on.
    """

    seed: int
    failures: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of failures."""
        return frozenset(failure.partition(":")[0] for failure in self.failures)


def run_case(seed: int) -> CaseReport:
    """Make and check the case of a seed."""
    return check(random_case(seed))


def random_case(seed: int) -> RandomCase:
    """Return the case of a seed."""
    rng = np.random.default_rng(seed)
    graph = random_network(rng)
    options = EngineOptions(
        timeout_seconds=TIMEOUT_SECONDS,
        seed=int(rng.integers(100)),
        batch=int(rng.choice([1, 3, 64])),
        input_split_width=int(rng.choice([0, 12])),
    )
    changes = tuple(random_change(rng) for _ in range(int(rng.choice([1, 2], p=[0.7, 0.3]))))
    return RandomCase(
        seed, graph, random_property(rng, graph), options, changes, bool(rng.random() < 0.5)
    )


def check(case: RandomCase) -> CaseReport:
    """Check a case; whatever is raised is a failure, too."""
    report = CaseReport(case.seed)
    try:
        with tempfile.TemporaryDirectory() as folder:
            _check(case, report, Path(folder) / "proof")
    except Exception as error:  # noqa: BLE001  # The fuzzer reports what it finds and goes on.
        report.failures.append(f"{type(error).__name__}: {error}")
    return report


def _check(case: RandomCase, report: CaseReport, proof_file: Path) -> None:
    checker = _Checker(case, report, proof_file)
    original = case.graph
    proof = checker.prove("original", original)
    graph = original
    for number, change in enumerate(case.changes):
        changed = change.apply(graph)
        if changed is None or proof is None:
            report.counts["change refused" if changed is None else "no proof"] += 1
            return
        graph, neuron_map = changed
        name = f"variant {number}"
        checker.prove(name, graph)
        if original is not graph and number and not case.is_chained:
            neuron_map = infer_map(original, graph)
        latest = checker.reverify(f"{name} by reuse", graph, proof, neuron_map)
        if proof.verdict is Verdict.HOLDS:
            checker.reverify_by_other_means(name, original, graph, proof, neuron_map)
        if case.is_chained:
            original, proof = graph, latest


def _relaxed(prop: Property, slack: Fraction) -> Property:
    """Return a property that is violated wherever ``prop`` nearly is."""
    return replace(
        prop,
        cases=tuple(
            replace(
                case,
                constraints=tuple(
                    replace(row, bound=row.bound + slack, strict=False) for row in case.constraints
                ),
            )
            for case in prop.cases
        ),
    )


def _magnitude(graph: Graph, prop: Property) -> Fraction:
    """Return a number that no sum of absolute terms, at any node or row, exceeds by much."""
    ends = [abs(end) for case in prop.cases for end in (*case.box.lower, *case.box.upper)]
    sizes = [float(max(ends, default=Fraction(1)))]
    for node in graph.nodes[1:]:
        if not isinstance(node.operator, Affine):
            sizes.append(sizes[node.inputs[0]])
            continue
        total = float(np.abs(node.operator.bias.approximate).max(initial=0.0))
        for weight, source in zip(node.operator.weights, node.inputs, strict=True):
            total += float(np.abs(weight.approximate).sum(axis=1).max()) * sizes[source]
        sizes.append(total)
    bounds = [abs(row.bound) for case in prop.cases for row in case.constraints]
    return Fraction(max(sizes)) + max(bounds, default=Fraction(0)) + 1


class _Checker:
    """Runs the engine in every way and compares."""

    def __init__(self, case: RandomCase, report: CaseReport, proof_file: Path) -> None:
        self._case, self._report, self._proof_file = case, report, proof_file
        self._truths: dict[int, tuple[Graph, Verdict]] = {}

    def prove(self, name: str, graph: Graph) -> Proof | None:
        """Prove from scratch, compare, and return the proof as read back from a file."""
        result = prove(graph, self._case.prop, self._case.options)
        return self._compare(f"{name} from scratch", graph, result)

    def reverify(
        self, name: str, graph: Graph, proof: Proof, neuron_map: NeuronMap
    ) -> Proof | None:
        """Verify by reuse, compare, and return the new proof."""
        result = reverify(graph, self._case.prop, proof, neuron_map, self._case.options)
        if result.reuse is not None and result.reuse.valid:
            self._report.counts["with valid cores"] += 1
        return self._compare(name, graph, result)

    def reverify_by_other_means(
        self, name: str, original: Graph, graph: Graph, proof: Proof, neuron_map: NeuronMap
    ) -> None:
        """Verify with maps that were inferred or mean nothing, and with the original at hand."""
        self.reverify(f"{name} by an inferred map", graph, proof, infer_map(original, graph))
        rng = np.random.default_rng(self._case.seed)
        arbitrary = random_map(rng, original, graph)
        self.reverify(f"{name} by an arbitrary map", graph, proof, arbitrary)
        for chosen in (neuron_map, arbitrary):
            result = reverify(
                graph, self._case.prop, proof, chosen, self._case.options, original=original
            )
            self._compare(f"{name} with the original at hand", graph, result)

    def _compare(self, name: str, graph: Graph, result: Result) -> Proof | None:
        counts, failures = self._report.counts, self._report.failures
        truth = self._truth(graph)
        counts["verdicts compared"] += 1
        counts[f"{result.verdict}"] += 1
        if result.verdict is Verdict.UNKNOWN:
            failures.append(f"unknown: {name}: {result.reason}")
        elif result.verdict is not truth:
            failures.append(f"wrong verdict: {name}: {result.verdict}, but z3 says {truth}")
        self._check_evidence(name, graph, result)
        if result.proof is None:
            counts["by differential margin"] += result.verdict is Verdict.HOLDS
            return None
        write_proof(result.proof, self._proof_file)
        return read_proof(self._proof_file)

    def _check_evidence(self, name: str, graph: Graph, result: Result) -> None:
        counts, failures = self._report.counts, self._report.failures
        answer = check_result(graph, self._case.prop, result)
        if answer == ACCEPTED:
            counts["certificates accepted"] += 1
        elif answer:
            failures.append(f"certificate {answer}: {name}")
        if result.verdict is Verdict.HOLDS and result.statistics.calls["exact"]:
            counts["by exact arithmetic"] += 1
            if self._has_margin(graph):
                failures.append(f"needless exact call: {name}")

    def _has_margin(self, graph: Graph) -> bool:
        """Return whether floats could have shown that the property holds."""
        slack = FLOATS_SHOW * _magnitude(graph, self._case.prop)
        answer, _ = decide(graph, _relaxed(self._case.prop, slack), TIMEOUT_SECONDS)
        return answer is Answer.UNSAT

    def _truth(self, graph: Graph) -> Verdict:
        """Return z3's verdict, asked once for each network."""
        known = self._truths.get(id(graph))
        if known is None:
            answer, _ = decide(graph, self._case.prop, TIMEOUT_SECONDS)
            known = self._truths[id(graph)] = (graph, verdict_of(answer))
        return known[1]
