# SPDX-License-Identifier: Apache-2.0
"""The composition root: prove an original, verify a compressed network by reuse.

Everything is put together here and nowhere else: reading is done before, writing after. What few
runs need is loaded where it is needed, z3 above all: a small verification by reuse takes less time
than imports do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from verifier.change.neuron_map import NeuronMap
from verifier.engine import differential
from verifier.engine.attack import attack
from verifier.engine.cover import Cover, cover
from verifier.engine.limits import Budget, Progress, silent
from verifier.engine.problem import Problem
from verifier.engine.reuse import Reuse, ReuseReport
from verifier.engine.search import Outcome, Search, whole
from verifier.engine.statistics import Statistics
from verifier.engine.threads import single_threaded
from verifier.engine.translate import Translation, check_map
from verifier.errors import ProofMismatchError, VerifierError
from verifier.exact_solver import Z3
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.fingerprint import fingerprint
from verifier.options import EngineOptions
from verifier.proof.muc import Core, Leaf
from verifier.proof.store import Proof
from verifier.spec.counterexample import Counterexample, replay_exactly, violates
from verifier.spec.fingerprint import property_fingerprint
from verifier.spec.vnnlib_reader import check_fits
from verifier.verdict import Answer, Semantics, Verdict, verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

    from verifier.bounds.tighten import Tightened
    from verifier.engine.limits import ProgressFn
    from verifier.engine.search import Stack
    from verifier.ir.graph import Graph
    from verifier.spec.property import Property

DEFAULTS = EngineOptions()
ATTACK_STEPS = 6
"""Steps of the first attack. It is a short one, since what an attack costs is soon more than what
easy properties and reuse cost; a search goes on attacking what stays open."""

TRIALS = 1024
"""Literals that minimising tries in all. Proofs of up to about a hundred cores become minimal; a
trial costs as much as searching a few regions, and a large proof is not worth tens of thousands."""


@dataclass(frozen=True, eq=False)
class Result:
    """A verdict and what it rests on.

    Attributes:
        verdict: HOLDS, VIOLATED or UNKNOWN.
        reason: Why UNKNOWN, else empty.
        semantics: The arithmetic that the verdict is about.
        seconds: Verification time, without imports, reading and writing.
        counterexample: The exact counterexample, if VIOLATED.
        statistics: Theory calls by kind and seconds by step.
        reuse: What became of the original's cores, if this was a run by reuse.
    """

    verdict: Verdict
    reason: str
    semantics: Semantics
    seconds: float
    counterexample: Counterexample | None
    statistics: Statistics
    reuse: ReuseReport | None = None
    _keep: Callable[[], Proof] | None = field(default=None, repr=False)
    _certify: Callable[[], dict[str, Any]] | None = field(default=None, repr=False)

    @cached_property
    def proof(self) -> Proof | None:
        """What to keep for reuse, if there is a verdict.

        It names the network by its fingerprint, which takes longer than many a verification.
        """
        return None if self._keep is None else self._keep()

    @single_threaded()
    def certificate(self) -> dict[str, Any]:
        """Return the certificate of the verdict.

        Raises:
            VerifierError: The verdict is UNKNOWN.
            RefusedError: A part that only exact arithmetic proves has no exact multipliers, or
                none that were found in the time that the verification had.
        """
        if self._certify is None:
            msg = "no certificate: the verdict is unknown, or rests on the differential margin"
            raise VerifierError(msg)
        return self._certify()


@single_threaded()
def prove(
    graph: Graph,
    prop: Property,
    options: EngineOptions = DEFAULTS,
    report: ProgressFn = silent,
) -> Result:
    """Verify a property of a network and keep the proof.

    Args:
        graph: In normal form.
        prop: The property.
        options: How to search.
        report: Told how it goes.

    Raises:
        PropertyError: The property does not fit the network.
    """
    run = _Run(graph, prop, options, report)
    point = run.attack((), ATTACK_STEPS)
    if point is not None:
        return run.violated(point)
    outcome = run.search.run(whole(run.problem))
    if outcome.answer is not Answer.UNSAT:
        return run.result(outcome)
    cores: Sequence[Core] = outcome.cores
    leaves = [Leaf(core.path, i) for i, core in enumerate(cores)]
    if options.minimize:
        from verifier.engine.deepen import deepen
        from verifier.engine.minimize import minimize

        run.search.report(Progress("minimize", 0, len(cores)))
        with run.statistics.timing("minimize"):
            cores, leaves = minimize(run.problem, cores, run.budget, TRIALS)
        run.search.report(Progress("deepen", 0, len(leaves)))
        with run.statistics.timing("deepen"):
            leaves = deepen(run.problem, cores, leaves, options, run.budget)
    run.search.report(Progress("cover", 0, len(cores)))
    with run.statistics.timing("cover"):
        paths = {(cores[leaf.core].case, leaf.path): cores[leaf.core].path for leaf in leaves}
        covered = cover(cores, len(prop.cases), paths)
    return run.holds(tuple(leaves), covered)


@single_threaded()
def reverify(  # noqa: PLR0913  (seven separate choices; each has a name at the call)
    graph: Graph,
    prop: Property,
    proof: Proof,
    neuron_map: NeuronMap | None = None,
    options: EngineOptions = DEFAULTS,
    report: ProgressFn = silent,
    *,
    original: Graph | None = None,
) -> Result:
    """Verify a compressed network by reusing the proof of its original.

    Args:
        graph: The compressed network, in normal form.
        prop: The property that the proof is about.
        proof: The original's proof.
        neuron_map: From the original's neurons to the compressed ones; by default the identity,
            which needs the same layer widths.
        options: How to search.
        report: Told how it goes.
        original: The network that the proof is of. When given, the differential margin is tried
            first; a verdict that rests on it has no certificate and no proof of its own.

    Raises:
        ProofMismatchError: The proof is of another property or another original, the map names
            neurons that do not exist, or no map is given and the widths differ.
        CorruptFileError: The proof names what the property does not have.
        PropertyError: The property does not fit the network.
    """
    proof.check_property(prop)
    if original is not None:
        proof.check_original(original)
    if neuron_map is None:
        neuron_map = _identity(graph, proof)
    check_map(neuron_map, proof.layer_widths, graph.layer_widths)
    translation = Translation(neuron_map, proof.layer_widths, graph.layer_widths)
    given = [[translation.tightened(part) for part in parts] for parts in proof.tightened]
    run = _Run(graph, prop, options, report, given)
    reuse = Reuse(run.search, proof, neuron_map)
    reuse.report.cores, reuse.report.original_seconds = len(proof.cores), proof.seconds
    with run.statistics.timing("counterexample"):
        point = run.attack(() if proof.point is None else (proof.point,), ATTACK_STEPS)
    if point is not None:
        return run.violated(point, reuse.report)
    if proof.verdict is Verdict.VIOLATED:
        return run.searched(reuse.report)
    if original is not None:
        with run.statistics.timing("differential margin"):
            if _transfers(run, reuse, original):
                return run.transferred(reuse.report)
    outcome = reuse.run()
    return run.result(outcome, reuse.report, reuse.cover)


def _transfers(run: _Run, reuse: Reuse, original: Graph) -> bool:
    """Tell whether the differential margin carries the verdict over."""
    proof, neuron_map = reuse.proof, reuse.neuron_map
    before = _problem(original, run.problem.prop, run.options)
    if not differential.transfers(before, run.problem, proof.cores, neuron_map):
        return False
    # The margins are only what the file says so far. Have them evaluated on the original.
    exact = Z3(original, run.problem.prop)
    report = run.search.report
    search = replace(run.search, problem=before, exact=exact, cores=[])
    search.report = lambda progress: report(progress.part_of("differential margin"))
    check = Reuse(search, proof, NeuronMap.identity(original))
    outcome = check.run()
    if check.cover is None:
        return False
    reuse.report.valid = len(proof.cores)
    return differential.transfers(before, run.problem, outcome.cores, neuron_map)


def _problem(
    graph: Graph,
    prop: Property,
    options: EngineOptions,
    given: Sequence[Sequence[Tightened]] = (),
) -> Problem:
    return Problem.of(
        graph,
        prop,
        compiled=options.compiled,
        input_split_width=options.input_split_width,
        given=given,
    )


def _identity(graph: Graph, proof: Proof) -> NeuronMap:
    if graph.layer_widths != proof.layer_widths:
        msg = (
            f"the network has ReLU layers of {graph.layer_widths} neurons, the proof's network had "
            f"{proof.layer_widths}: give a neuron map, or the original so that one can be inferred"
        )
        raise ProofMismatchError(msg)
    return NeuronMap.identity(graph)


def _share(search: Search, stack: Stack) -> Outcome:
    """Load what starts processes where it is wanted."""
    from verifier.engine.shared_search import search_together

    return search_together(search, stack)


class _Run:
    """One verification: what it works with, and how its end is put into words."""

    def __init__(
        self,
        graph: Graph,
        prop: Property,
        options: EngineOptions,
        report: ProgressFn,
        given: Sequence[Sequence[Tightened]] = (),
    ) -> None:
        check_fits(prop, graph)
        self.options = options
        self.budget = Budget(options.timeout_seconds)
        self.statistics = Statistics()
        with self.statistics.timing("bound"):
            self.problem = _problem(graph, prop, options, given)
        self.exact = Z3(graph, prop, options.timeout_seconds)
        share = _share if options.processes > 1 else None
        self.search = Search(
            self.problem, options, self.budget, self.exact, self.statistics, report, share
        )

    def attack(
        self, points: Sequence[tuple[Fraction, ...]], steps: int
    ) -> tuple[Fraction, ...] | None:
        """Return a counterexample among the given points, or by an attack of so many steps."""
        graph, prop = self.problem.graph, self.problem.prop
        for point in points:
            if violates(prop, point, evaluate_exactly(graph, point)):
                return point
        with self.statistics.timing("attack"):
            return attack(self.problem, self.options.seed, steps)

    def searched(self, reuse: ReuseReport | None) -> Result:
        """Search the whole property and return the result."""
        outcome = self.search.run(whole(self.problem))
        covered = None
        if outcome.answer is Answer.UNSAT:
            covered = cover(outcome.cores, len(self.problem.prop.cases))
        return self.result(outcome, reuse, covered)

    def violated(self, point: tuple[Fraction, ...], reuse: ReuseReport | None = None) -> Result:
        """Return the result of a counterexample."""
        return self.result(Outcome(Answer.SAT, (), point), reuse)

    def holds(self, leaves: tuple[Leaf, ...], covered: Cover | None) -> Result:
        """Return the result of cores that cover everything.

        Raises:
            VerifierError: They do not: a defect of search or minimisation, not a verdict.
        """
        if covered is None:
            msg = "internal error: the cores of the proof do not cover the property"
            raise VerifierError(msg)

        # Reuse may have tightened it anew.
        problem = self.search.problem

        def certify() -> dict[str, Any]:
            from verifier.engine.certify import certificate_of_cores

            return certificate_of_cores(problem, covered, self.exact.multipliers)

        keep = self._keep(Verdict.HOLDS, covered.cores, leaves, None)
        return self._result(Verdict.HOLDS, "", None, keep, certify)

    def transferred(self, reuse: ReuseReport) -> Result:
        """Return the result of the differential margin."""
        return self._result(Verdict.HOLDS, "", None, None, None, reuse)

    def result(
        self,
        outcome: Outcome,
        reuse: ReuseReport | None = None,
        covered: Cover | None = None,
    ) -> Result:
        """Return the result of a search."""
        verdict = verdict_of(outcome.answer)
        if verdict is Verdict.UNKNOWN:
            return self._result(verdict, outcome.reason, None, None, None, reuse)
        if verdict is Verdict.HOLDS:
            leaves = tuple(Leaf(core.path, i) for i, core in enumerate(outcome.cores))
            return replace(self.holds(leaves, covered), reuse=reuse)
        counterexample = self._replayed(outcome.point)
        keep = self._keep(verdict, (), (), counterexample.input)
        graph, prop = self.problem.graph, self.problem.prop

        def certify() -> dict[str, Any]:
            from verifier.engine.certify import certificate_of_violation

            return certificate_of_violation(graph, prop, counterexample.input)

        return self._result(verdict, "", counterexample, keep, certify, reuse)

    def _replayed(self, point: tuple[Fraction, ...] | None) -> Counterexample:
        graph, prop = self.problem.graph, self.problem.prop
        counterexample = None if point is None else replay_exactly(graph, prop, point)
        if counterexample is None:
            msg = f"internal error: the point {point} does not violate the property"
            raise VerifierError(msg)
        return counterexample

    def _keep(
        self,
        verdict: Verdict,
        cores: tuple[Core, ...],
        leaves: tuple[Leaf, ...],
        point: tuple[Fraction, ...] | None,
    ) -> Callable[[], Proof]:
        graph, prop, seconds = self.problem.graph, self.problem.prop, self.budget.spent_seconds
        tightened = self.search.problem.tightened if verdict is Verdict.HOLDS else ()
        return lambda: Proof(
            fingerprint(graph),
            property_fingerprint(prop),
            graph.layer_widths,
            verdict,
            cores,
            leaves,
            point,
            seconds,
            tightened,
        )

    def _result(
        self,
        verdict: Verdict,
        reason: str,
        counterexample: Counterexample | None,
        keep: Callable[[], Proof] | None,
        certify: Callable[[], dict[str, Any]] | None,
        reuse: ReuseReport | None = None,
    ) -> Result:
        return Result(
            verdict,
            reason,
            Semantics.REAL,
            self.budget.spent_seconds,
            counterexample,
            self.statistics,
            reuse,
            keep,
            certify,
        )
