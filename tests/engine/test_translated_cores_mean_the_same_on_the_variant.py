# SPDX-License-Identifier: Apache-2.0
"""Translation of literals against their meaning, and of whole proofs to rearranged networks."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression.registry import make_method
from tests.change.variants import rearranged
from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, assert_cores, proofs, search
from verifier.bounds.tighten import Tightened
from verifier.change.neuron_map import NeuronMap
from verifier.engine.problem import Problem
from verifier.engine.reuse import Reuse
from verifier.engine.translate import Translation, check_map, translate_path
from verifier.errors import ProofMismatchError
from verifier.ir.graph import Graph, Neuron
from verifier.proof.literals import HalfSpace, Literal, Phase
from verifier.proof.muc import Core, Multipliers
from verifier.verdict import Answer

if TYPE_CHECKING:
    from verifier.engine.search import Outcome
    from verifier.options import EngineOptions
    from verifier.proof.store import Proof
    from verifier.spec.property import Property

OPTIONS = pytest.mark.parametrize("options", [ON_INPUTS, ON_PHASES], ids=["inputs", "phases"])
NEURONS = [Neuron(layer, index) for layer in range(2) for index in range(3)]
VALUES = st.integers(-1, 1).map(Fraction)


@st.composite
def neuron_maps(draw: st.DrawFn) -> NeuronMap:
    """Draw an injective map between two networks of two layers of three neurons."""
    targets = draw(st.permutations(NEURONS))
    kept: dict[Neuron, Neuron] = {}
    removed: dict[Neuron, Fraction] = {}
    for neuron, target in zip(NEURONS, targets, strict=True):
        kind = draw(st.sampled_from(["kept", "kept", "removed", "lost"]))
        if kind == "kept":
            kept[neuron] = target
        elif kind == "removed":
            removed[neuron] = draw(VALUES)
    return NeuronMap(kept, removed)


LITERALS = st.one_of(
    st.builds(Phase, st.sampled_from(NEURONS), st.booleans()),
    st.builds(HalfSpace, st.integers(0, 1), st.sampled_from([-1.0, 0.5]), st.booleans()),
)


def is_true(literal: Literal, phases: dict[Neuron, Fraction], inputs: list[Fraction]) -> bool:
    match literal:
        case Phase(neuron, active):
            return phases[neuron] >= 0 if active else phases[neuron] <= 0
        case HalfSpace(index, threshold, below):
            return inputs[index] <= threshold if below else inputs[index] >= threshold


@given(data=st.data(), neuron_map=neuron_maps(), path=st.lists(LITERALS, max_size=5))
def test_a_translated_path_is_true_exactly_where_the_path_was(
    data: st.DataObject, neuron_map: NeuronMap, path: list[Literal]
) -> None:
    """The original's neurons are read through the map; neurons without counterpart do not count."""
    values = {neuron: data.draw(VALUES) for neuron in NEURONS}
    inputs = [data.draw(st.integers(-2, 2).map(Fraction)) for _ in range(2)]
    through_map = {
        neuron: values[neuron_map.kept[neuron]]
        if neuron in neuron_map.kept
        else neuron_map.removed.get(neuron, Fraction(0))
        for neuron in NEURONS
    }
    before = all(is_true(literal, through_map, inputs) for literal in path)

    translated = translate_path(tuple(path), neuron_map)

    if translated is None:
        assert not before
        return
    new_path, lost = translated
    assert all(is_true(literal, values, inputs) for literal in new_path) == before
    assert len(set(new_path)) == len(new_path)
    mapped = {*neuron_map.kept, *neuron_map.removed}
    assert lost == any(isinstance(x, Phase) and x.neuron not in mapped for x in path)


@pytest.mark.parametrize(
    ("constant", "active", "expected"),
    [
        (Fraction(1), True, ((), False)),
        (Fraction(1), False, None),
        (Fraction(-1), False, ((), False)),
        (Fraction(-1), True, None),
        (Fraction(0), True, ((), False)),
        (Fraction(0), False, ((), False)),
    ],
)
def test_a_removed_neurons_literal_is_dropped_or_makes_the_core_vacuous(
    constant: Fraction, *, active: bool, expected: tuple[tuple[()], bool] | None
) -> None:
    neuron_map = NeuronMap({}, {Neuron(0, 0): constant})

    assert translate_path((Phase(Neuron(0, 0), active),), neuron_map) == expected


def test_the_identity_keeps_every_core_as_it_is() -> None:
    for graph, _, proof in proofs(5, ON_PHASES):
        widths = graph.layer_widths
        for core in proof.cores:
            translated = Translation(NeuronMap.identity(graph), widths, widths).core(core)

            assert translated == (core, False)


ENTRIES = st.dictionaries(
    st.sampled_from(NEURONS), st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.just(2.0))
)


@given(neuron_map=neuron_maps(), entries=ENTRIES)
def test_multipliers_are_those_of_the_counterparts(
    neuron_map: NeuronMap, entries: dict[Neuron, tuple[float, float]]
) -> None:
    """Counterparts may lie in any layer."""
    numbers = {NEURONS.index(neuron): value for neuron, value in sorted(entries.items())}
    alpha, q = np.array(list(numbers.values())).reshape(-1, 2).T
    lines = Multipliers(np.ones(1), np.array(list(numbers), dtype=np.intp), alpha, q)
    expected = {
        NEURONS.index(neuron_map.kept[n]): value
        for n, value in entries.items()
        if n in neuron_map.kept
    }

    translated = Translation(neuron_map, (3, 3), (3, 3)).core(Core(0, (), lines, 1.0))

    assert translated is not None
    found = translated[0].multipliers
    assert found is not None
    pairs = zip(found.alpha.tolist(), found.q.tolist(), strict=True)
    assert dict(zip(found.neurons.tolist(), pairs, strict=True)) == expected
    assert found.neurons.tolist() == sorted(expected)


def test_multipliers_go_with_their_neurons_and_are_left_out_where_those_are_gone() -> None:
    multipliers = Multipliers(
        np.ones(1),
        np.array([0, 2, 3, 5]),
        np.array([0.25, 0.5, 0.75, 1.0]),
        np.array([1.0, 2.0, 3.0, 4.0]),
        np.array([0, 2, 3]),
        np.array([3.0, 4.0, 5.0]),
    )
    neuron_map = NeuronMap(
        {
            Neuron(0, 0): Neuron(0, 1),
            Neuron(0, 2): Neuron(0, 0),
            Neuron(1, 1): Neuron(1, 1),
        },
        {Neuron(1, 0): Fraction(1)},
    )

    found = Translation(neuron_map, (3, 3), (2, 2)).multipliers(multipliers)

    assert found is not None
    assert found.neurons.tolist() == [0, 1]
    assert found.alpha.tolist() == [0.5, 0.25]
    assert found.q.tolist() == [2.0, 1.0]
    assert found.literals.tolist() == [0, 1]
    assert found.masses.tolist() == [4.0, 3.0]


def test_slopes_go_with_their_neurons_and_are_left_out_where_those_are_gone() -> None:
    neuron_map = NeuronMap(
        {
            Neuron(0, 0): Neuron(0, 1),
            Neuron(0, 2): Neuron(0, 0),
            Neuron(1, 1): Neuron(1, 0),
        },
        {Neuron(1, 0): Fraction(1)},
    )
    slopes = np.array([[0.0, 0.25, 0.5], [0.125, 0.375, 0.625], [1.0, 0.5, 0.0], [0.75, 0.5, 0.25]])

    found = Translation(neuron_map, (3, 3), (2, 2)).tightened(
        Tightened(np.array([3, 4]), np.array([0, 1, 2]), slopes)
    )

    assert found.neurons.tolist() == [2]
    assert found.lines.tolist() == [1, 0]
    assert found.slopes.tolist() == [[0.125, 0.625], [0.75, 0.25]]


@OPTIONS
def test_a_proof_carries_over_to_its_network_rearranged(options: EngineOptions) -> None:
    rng = np.random.default_rng(3)
    for graph, prop, proof in proofs(6, options):
        order = [rng.permutation(width).tolist() for width in graph.layer_widths]
        variant, neuron_map = rearranged(graph, order)

        reuse, outcome = reused(variant, prop, proof, neuron_map, options)

        assert outcome.answer is Answer.UNSAT
        assert reuse.report.valid == len(proof.cores)
        assert reuse.report.residual_subproblems == 0
        assert_cores(variant, prop, outcome.cores)


@pytest.mark.parametrize("constant", ["zero", "fold"])
def test_a_proof_goes_on_without_the_neurons_that_were_removed(constant: str) -> None:
    """Cores about a removed neuron are vacuous or about one thing less; no core claims too much."""
    vacuous = shortened = 0
    for graph, prop, proof in proofs(12, ON_PHASES):
        result = make_method(
            "neuron_pruning", ["count=1", f"constant={constant}", "score=incoming"]
        ).apply(graph)
        gone = result.neuron_map.removed

        reuse, outcome = reused(result.graph, prop, proof, result.neuron_map, ON_PHASES)

        assert reuse.report.vacuous == sum(
            any(
                isinstance(x, Phase) and gone.get(x.neuron, 0) * (1 if x.active else -1) < 0
                for x in core.path
            )
            for core in proof.cores
        )
        assert reuse.report.untranslatable == 0
        assert_cores(result.graph, prop, outcome.cores)
        vacuous += reuse.report.vacuous
        shortened += sum(
            any(isinstance(x, Phase) and x.neuron in gone for x in core.path)
            for core in proof.cores
        )
    assert shortened > 0
    assert (vacuous > 0) == (constant == "fold")


def reused(
    graph: Graph,
    prop: Property,
    proof: Proof,
    neuron_map: NeuronMap,
    options: EngineOptions,
) -> tuple[Reuse, Outcome]:
    problem = Problem.of(graph, prop, input_split_width=options.input_split_width)
    reuse = Reuse(search(problem, options), proof, neuron_map)
    return reuse, reuse.run()


@pytest.mark.parametrize(
    ("neuron_map", "message"),
    [
        (NeuronMap({Neuron(2, 0): Neuron(0, 0)}, {}), "neuron 0 of ReLU layer 2; the original"),
        (NeuronMap({}, {Neuron(0, 3): Fraction(0)}), "neuron 3 of ReLU layer 0; the original"),
        (NeuronMap({Neuron(0, 0): Neuron(1, 2)}, {}), "neuron 2 of ReLU layer 1; the compressed"),
        (NeuronMap({Neuron(0, 0): Neuron(0, -1)}, {}), "neuron -1 of ReLU layer 0"),
        (NeuronMap({Neuron(-1, 0): Neuron(0, 0)}, {}), "neuron 0 of ReLU layer -1"),
        (
            NeuronMap({Neuron(0, 0): Neuron(0, 0), Neuron(0, 1): Neuron(0, 0)}, {}),
            "two neurons of the original to one",
        ),
    ],
)
def test_a_map_of_neurons_that_do_not_exist_or_coincide_is_refused(
    neuron_map: NeuronMap, message: str
) -> None:
    with pytest.raises(ProofMismatchError, match=message):
        check_map(neuron_map, (3, 3), (2, 2))


def test_a_map_between_existing_neurons_is_accepted() -> None:
    neuron_map = NeuronMap({Neuron(0, 2): Neuron(1, 1)}, {Neuron(1, 0): Fraction(1, 3)})

    check_map(neuron_map, (3, 3), (2, 2))

    assert translate_path((), neuron_map) == ((), False)
