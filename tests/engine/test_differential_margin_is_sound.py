# SPDX-License-Identifier: Apache-2.0
"""The differential margin against exact differences, and against the oracle's verdicts.

Faults are seeded to show that these tests would notice: a sign, a forgotten term, no rounding.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from benchmarks.random_changes import random_map
from tests.bounds import tangled_networks as tangled
from tests.change.variants import rearranged
from tests.oracles import decide_by_phase_enumeration, evaluate_naively
from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, proof_of, proofs
from verifier import pipeline
from verifier.change.neuron_map import NeuronMap
from verifier.engine import differential
from verifier.engine.differential import transfers
from verifier.engine.problem import Problem
from verifier.errors import RefusedError
from verifier.ir.graph import Graph, Neuron
from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray
from verifier.pipeline import reverify
from verifier.proof.muc import Core, Multipliers
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.verdict import Answer, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from verifier.bounds.box import Box

    Function = Callable[..., Any]


class Pair(NamedTuple):
    """Two networks, a map between them, and a property of both."""

    original: Graph
    compressed: Graph
    neuron_map: NeuronMap
    prop: Property


def perturbed(rng: np.random.Generator, graph: Graph, scale: Fraction) -> Graph:
    """Return the network with each number changed a little, absolutely or in its last digits."""

    def moved(array: RationalArray) -> RationalArray:
        steps = rng.integers(-8, 9, array.shape).ravel()
        values = [v + scale * int(k) for v, k in zip(array.fractions(), steps, strict=True)]
        return RationalArray.from_fractions(values, array.shape)

    nodes = [
        replace(
            node,
            operator=Affine(tuple(map(moved, node.operator.weights)), moved(node.operator.bias)),
        )
        if isinstance(node.operator, Affine)
        else node
        for node in graph.nodes
    ]
    return replace(graph, nodes=tuple(nodes))


def pairs(entry: tangled.Entry, count: int = 12) -> list[Pair]:
    """Return pairs of tangled networks: perturbed, rearranged with neurons removed, unrelated."""
    rng = np.random.default_rng(20)
    found: list[Pair] = []
    for n in range(count):
        graph = tangled.network(rng, entry)
        box = tangled.some_box(rng, graph.input_width)
        prop = tangled.some_property(rng, graph, box)
        other, neuron_map = graph, NeuronMap.identity(graph)
        if n % 3 == 1:
            order = [rng.permutation(w).tolist() for w in graph.layer_widths]
            gone = Neuron(0, order[0].pop())
            other, neuron_map = rearranged(graph, order, {gone: Fraction(n, 5)})
        elif n % 3 == 2:
            other = tangled.network(rng, entry)
            neuron_map = NeuronMap.identity(graph)
        other = perturbed(rng, other, Fraction(1, 10 ** int(rng.integers(1, 18))))
        found.append(Pair(graph, other, neuron_map, prop))
    return found


def row_value(
    constraint: LinearConstraint, point: Sequence[Fraction], output: Sequence[Fraction]
) -> Fraction:
    left = sum((c * point[i] for i, c in constraint.inputs), Fraction(0))
    return left + sum((c * output[j] for j, c in constraint.outputs), Fraction(0))


def escapes(pair: Pair) -> int:
    """Count exact decreases of rows that are above the bound on them."""
    before, after = Problem.of(pair.original, pair.prop), Problem.of(pair.compressed, pair.prop)
    error = max(before.layers.error, after.layers.error)
    rng = np.random.default_rng(1)
    count = 0
    with np.errstate(invalid="ignore", over="ignore"):
        bounds = [
            differential._decrease(before, after, g, pair.neuron_map, error)
            for g in range(len(before.groups))
        ]
    decrease: dict[int, Any] = {case: rows for part in bounds for case, rows in part.items()}
    for case, rows in decrease.items():
        box = pair.prop.cases[case].box
        for point in tangled.some_points(rng, box, 4):
            outputs = [evaluate_naively(g, point) for g in (pair.original, pair.compressed)]
            for constraint, bound in zip(pair.prop.cases[case].constraints, rows, strict=True):
                values = [row_value(constraint, point, output) for output in outputs]
                if np.isfinite(bound):
                    count += values[0] - values[1] > Fraction(float(bound))
                else:
                    count += not bound > 0.0  # Neither NaN nor minus infinity.
    return count


@pytest.mark.parametrize("entry", tangled.KINDS)
def test_no_row_decreases_by_more_than_the_bound(entry: tangled.Entry) -> None:
    for pair in pairs(entry):
        assert escapes(pair) == 0


def test_extreme_numbers_are_bounded_or_refused() -> None:
    bounded = 0
    for pair in pairs(tangled.extreme, 40):
        try:
            assert escapes(pair) == 0
        except RefusedError:
            continue
        bounded += 1
    assert bounded >= 5


def test_a_weight_that_floats_lose_counts_where_it_meets_a_large_value() -> None:
    huge, lost = Fraction(2) ** 450, Fraction(3, 2**1080)
    one = Fraction(1)
    box = InputBox((one,), (one,))
    prop = Property(1, 1, (Case(box, (LinearConstraint((), ((0, one),), one),)),))
    original = tangled.chain(huge, huge, lost, huge)
    compressed = tangled.chain(huge, huge, Fraction(0), huge)

    assert escapes(Pair(original, compressed, NeuronMap.identity(original), prop)) == 0


def test_small_changes_have_small_bounds() -> None:
    """So that the test above says something: the bounds are no mere infinities."""
    for pair in pairs(tangled.dyadic)[::3]:
        problems = Problem.of(pair.original, pair.prop), Problem.of(pair.original, pair.prop)

        [rows] = [
            differential._decrease(*problems, 0, pair.neuron_map, problems[0].layers.error)[0]
        ]

        assert np.all(rows >= 0.0)
        assert np.all(rows < 1e-8)


def without_bias_change(real: Function) -> Function:
    return lambda old, new, *rest: real(old, (new[0], old[1]), *rest)


def without_removed_neurons(real: Function) -> Function:
    def affine(old: Any, new: Any, values: Any, changes: Any, pairs: Any, error: float) -> Box:
        weights = {s: w.copy() for s, w in old[0].items()}
        for source, weight in weights.items():
            gone = np.setdiff1d(np.arange(weight.shape[1]), pairs[source][0])
            weight[:, gone] = 0.0
        box: Box = real((weights, old[1]), new, values, changes, pairs, error)
        return box

    return affine


def without_rounding(real: Function) -> Function:
    return lambda *arguments: real(*arguments[:-1], 0.0)


def with_the_wrong_sign(real: Function) -> Function:
    def interval(matrix: Any, box: Box) -> Any:
        low, high = real(matrix, box)
        return -high, -low

    return interval


def unclipped(_: Function) -> Function:
    return lambda change, _old, _new: change


FAULTS = [
    ("_affine", without_bias_change),
    ("_affine", without_removed_neurons),
    ("_decrease", without_rounding),
    ("_interval", with_the_wrong_sign),
    ("_relu", unclipped),
]


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=[f.__name__ for _, f in FAULTS])
def test_a_seeded_fault_is_noticed(
    name: str, fault: Callable[[Function], Function], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differential, name, fault(getattr(differential, name)))
    if fault is without_rounding:
        monkeypatch.setattr(differential, "TINY", 0.0)

    assert sum(escapes(pair) for entry in tangled.KINDS for pair in pairs(entry)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("options", [ON_INPUTS, ON_PHASES], ids=["inputs", "phases"])
def test_what_transfers_holds(options: Any) -> None:
    rng = np.random.default_rng(2)
    verdicts = []
    for graph, prop, proof in proofs(6, options):
        before = Problem.of(graph, prop)
        margin = min(core.margin for core in proof.cores)
        for size in (1 / 64, 1 / 4, 8):
            variant = perturbed(rng, graph, Fraction(margin * size / 64))
            after = Problem.of(variant, prop)

            verdict = transfers(before, after, proof.cores, NeuronMap.identity(graph))

            verdicts.append(verdict)
            if verdict:
                assert decide_by_phase_enumeration(variant, prop)[0] is Answer.UNSAT
    assert verdicts.count(True) >= 4
    assert verdicts.count(False) >= 4


def test_under_arbitrary_maps_only_what_holds_transfers() -> None:
    rng = np.random.default_rng(3)
    for graph, prop, proof in proofs(6, ON_PHASES):
        before = Problem.of(graph, prop)
        for _ in range(4):
            if transfers(before, before, proof.cores, random_map(rng, graph, graph)):
                assert decide_by_phase_enumeration(graph, prop)[0] is Answer.UNSAT
        assert transfers(before, before, proof.cores, NeuronMap.identity(graph))


def test_a_neuron_too_many_must_lead_nowhere() -> None:
    graph, prop, proof = proofs(1, ON_PHASES)[0]
    smaller, backwards = rearranged(
        graph, [list(range(w - (k == 0))) for k, w in enumerate(graph.layer_widths)]
    )
    neuron_map = NeuronMap({new: old for old, new in backwards.kept.items()}, {})
    before, after = Problem.of(smaller, prop), Problem.of(graph, prop)

    verdict = transfers(before, after, proof.cores, neuron_map)

    assert not verdict


def test_maps_across_layers_and_other_depths_do_not_transfer() -> None:
    shallow = next(p for p in proofs(8, ON_PHASES) if len(p.graph.layer_widths) == 1)
    deep = next(p for p in proofs(8, ON_PHASES) if len(p.graph.layer_widths) == 2)
    before = Problem.of(deep.graph, deep.prop)
    across = NeuronMap({Neuron(0, 0): Neuron(1, 0)}, {})

    other = Problem.of(shallow.graph, deep.prop)

    assert not transfers(before, before, deep.proof.cores, across)
    assert not transfers(before, other, deep.proof.cores, NeuronMap({}, {}))


def test_only_empty_regions_transfer_without_multipliers() -> None:
    graph, prop, _ = proofs(1, ON_PHASES)[0]
    problem = Problem.of(graph, prop)
    identity = NeuronMap.identity(graph)

    assert transfers(problem, problem, [Core(0, (), None, np.inf)], identity)
    assert not transfers(problem, problem, [Core(0, (), None, 0.0)], identity)


def test_a_row_without_weight_may_fall_without_bound() -> None:
    proved = next(p for p in proofs(20, ON_PHASES) if len(p.prop.cases) == 2)
    problem = Problem.of(proved.graph, proved.prop)
    position = len(proved.graph.nodes) - 1
    last = proved.graph.nodes[position].operator
    assert isinstance(last, Affine)
    shift = RationalArray.from_fractions([0, 10**6], (2,))
    nodes = list(proved.graph.nodes)
    nodes[position] = replace(nodes[position], operator=Affine(last.weights, last.bias + shift))
    shifted = Problem.of(replace(proved.graph, nodes=tuple(nodes)), proved.prop)
    identity = NeuronMap.identity(proved.graph)

    # The rows of case 1: the first output, and the second one negated.
    only_first, only_second = (
        Core(1, (), Multipliers(np.array(rows)), 1.0) for rows in ([1.0, 0.0], [0.0, 1.0])
    )

    assert transfers(problem, shifted, [only_first], identity)
    assert not transfers(problem, shifted, [only_second], identity)


@pytest.mark.parametrize("margin", [1e9, np.inf, np.nan])
def test_margins_that_only_a_file_claims_never_carry_a_verdict(
    margin: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the attack away, nothing but the re-validation on the original is in the way."""
    monkeypatch.setattr(pipeline, "attack", lambda *_: None)
    met = []
    for graph, prop, proof in proofs(3, ON_INPUTS):
        boasting = proof_of(graph, prop, [replace(c, margin=margin) for c in proof.cores])
        for variant in (perturbed(np.random.default_rng(1), graph, Fraction(1, 8)), graph):
            result = reverify(variant, prop, boasting, original=graph)

            expected = decide_by_phase_enumeration(variant, prop)[0]
            assert (result.verdict is Verdict.HOLDS) == (expected is Answer.UNSAT)
            met.append(expected)
    assert set(met) == {Answer.SAT, Answer.UNSAT}


def test_forged_cores_of_an_original_that_is_violated_carry_nothing_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "attack", lambda *_: None)
    graph, prop, _ = proofs(1, ON_INPUTS)[0]
    variant = perturbed(np.random.default_rng(1), graph, Fraction(1, 8))
    assert decide_by_phase_enumeration(variant, prop)[0] is Answer.SAT
    forged = [
        Core(case, (), Multipliers(np.ones(len(entry.constraints))), 1e9)
        for case, entry in enumerate(prop.cases)
    ]

    result = reverify(variant, prop, proof_of(variant, prop, forged), original=variant)

    assert result.verdict is Verdict.VIOLATED


def test_what_transfers_in_the_pipeline_has_no_proof_and_no_certificate() -> None:
    graph, prop, proof = proofs(1, ON_INPUTS)[0]

    result = reverify(graph, prop, proof, original=graph)

    assert result.verdict is Verdict.HOLDS
    assert result.proof is None
    assert result.reuse is not None
    assert result.reuse.valid == result.reuse.cores == len(proof.cores)
    assert result.reuse.original_seconds == proof.seconds
