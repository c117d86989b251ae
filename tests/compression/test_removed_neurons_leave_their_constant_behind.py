# SPDX-License-Identifier: Apache-2.0
"""Structured pruning against masking, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from compression.float_format import FLOAT32
from compression.magnitude_pruning import Scope
from compression.neuron_pruning import Constant, NeuronPruning, Norm, Score
from compression.neuron_removal import remove_neurons
from tests.compression.tensors import biases, masked
from tests.generators import boxes, dyadics, float32s, networks, points_in, random_network, stack
from verifier.errors import RefusedError, UsageError
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.graph import Graph, Neuron
from verifier.ir.operators import Affine
from verifier.ir.passes.normalize import is_normal_form
from verifier.ir.rational import RationalArray


@st.composite
def graphs_and_neurons(
    draw: st.DrawFn, entries: st.SearchStrategy[Fraction] | None = None
) -> tuple[Graph, frozenset[Neuron]]:
    """Draw a network and some of its neurons, so that each layer keeps one."""
    graph = draw(networks(entries=entries))
    removed = []
    for layer, width in enumerate(graph.layer_widths):
        indices = draw(st.sets(st.integers(0, width - 1), max_size=width - 1))
        removed += [Neuron(layer, index) for index in indices]
    return graph, frozenset(removed)


@given(drawn=graphs_and_neurons(), data=st.data())
def test_removing_equals_masking_with_the_bias(
    drawn: tuple[Graph, frozenset[Neuron]], data: st.DataObject
) -> None:
    graph, removed = drawn
    point = data.draw(points_in(data.draw(boxes(graph.input_width))))

    removal = remove_neurons(graph, removed, fold=False)

    assert is_normal_form(removal.graph)
    assert removal.graph.neuron_count == graph.neuron_count - len(removed)
    expected = evaluate_exactly(masked(graph, removed, bias=True), point)
    assert evaluate_exactly(removal.graph, point) == expected


@given(drawn=graphs_and_neurons(dyadics() | st.fractions(-2, 2, max_denominator=9)), data=st.data())
def test_folding_equals_masking_without_the_bias(
    drawn: tuple[Graph, frozenset[Neuron]], data: st.DataObject
) -> None:
    graph, removed = drawn
    point = data.draw(points_in(data.draw(boxes(graph.input_width))))

    removal = remove_neurons(graph, removed, fold=True)

    assume(removal.largest_rounding == 0)
    expected = evaluate_exactly(masked(graph, removed, bias=False), point)
    assert evaluate_exactly(removal.graph, point) == expected


@given(drawn=graphs_and_neurons(float32s()))
def test_folded_biases_are_the_nearest_float32(
    drawn: tuple[Graph, frozenset[Neuron]],
) -> None:
    graph, removed = drawn

    removal = remove_neurons(graph, removed, fold=True)

    assert all(FLOAT32.holds(bias) for bias in biases(removal.graph))
    sizes = [abs(f) for bias in biases(removal.graph) for f in bias.fractions()]
    assert removal.largest_rounding <= max(sizes) / 2**24 + Fraction(1, 2**149)


@given(drawn=graphs_and_neurons(), fold=st.booleans())
def test_the_map_and_the_kept_weights_agree(
    drawn: tuple[Graph, frozenset[Neuron]], fold: bool
) -> None:
    graph, removed = drawn

    removal = remove_neurons(graph, removed, fold=fold)

    neuron_map = removal.neuron_map
    assert set(neuron_map.removed) == removed
    assert len(neuron_map.kept) + len(removed) == graph.neuron_count
    assert len(set(neuron_map.kept.values())) == removal.graph.neuron_count
    for neuron, constant in neuron_map.removed.items():
        bias = affine_of(graph, neuron.layer).bias.fraction(neuron.index)
        assert constant == (bias if fold else 0)
    for old, new in neuron_map.kept.items():
        assert old.layer == new.layer
        check_row(removal.graph, graph, removed, (old, new))


def affine_of(graph: Graph, layer: int) -> Affine:
    operator = graph.nodes[graph.nodes[graph.relus[layer]].inputs[0]].operator
    assert isinstance(operator, Affine)
    return operator


def check_row(
    compressed: Graph,
    original: Graph,
    removed: frozenset[Neuron],
    pair: tuple[Neuron, Neuron],
) -> None:
    """Check that a kept neuron reads the kept neurons as it did."""
    old, new = pair
    sources = original.nodes[original.nodes[original.relus[old.layer]].inputs[0]].inputs
    before, after = affine_of(original, old.layer), affine_of(compressed, new.layer)
    for source, left, right in zip(sources, before.weights, after.weights, strict=True):
        gone = (
            {n.index for n in removed if n.layer == original.relus.index(source)}
            if source in original.relus
            else set()
        )
        kept = [i for i in range(left.shape[1]) if i not in gone]
        assert [left.fraction(old.index, i) for i in kept] == right[new.index].fractions()


def diamond(matrices: list[list[int]]) -> Graph:
    """Return 1 - 3 - 1 with entries in the order that ``stack`` asks for them."""
    values = iter(matrices)
    return stack(1, [3], 1, lambda shape: RationalArray.from_fractions(next(values), shape))


@pytest.mark.parametrize(
    ("score", "norm", "loser"),
    [
        (Score.INCOMING, Norm.L2, 0),
        (Score.OUTGOING, Norm.L2, 2),
        (Score.PRODUCT, Norm.L2, 1),
        (Score.PRODUCT, Norm.L1, 1),
    ],
)
def test_the_score_decides_who_goes(score: Score, norm: Norm, loser: int) -> None:
    graph = diamond([[1, -2, 9], [0, 0, 0], [9, 2, -1], [0]])

    result = NeuronPruning(count=1, score=score, norm=norm).apply(graph)

    assert list(result.neuron_map.removed) == [Neuron(0, loser)]


def test_norms_differ_where_they_should() -> None:
    values = iter([[3, 3, 0, 5], [0, 0], [1, 1], [0]])
    graph = stack(2, [2], 1, lambda shape: RationalArray.from_fractions(next(values), shape))

    losers = {
        norm: next(iter(NeuronPruning(count=1, norm=norm).apply(graph).neuron_map.removed))
        for norm in Norm
    }

    assert losers == {Norm.L1: Neuron(0, 1), Norm.L2: Neuron(0, 0)}


def test_outgoing_weights_of_skip_edges_count() -> None:
    values = iter(
        [
            [1, 1],  # to the first layer
            [0, 0],
            [0, 1, 0, 1],  # from it to the second
            [0, 0],
            [5, 0],  # from the first layer to the output
            [1, 1],
            [0],
        ]
    )
    graph = stack(
        1,
        [2, 2],
        1,
        lambda shape: RationalArray.from_fractions(next(values), shape),
        lambda layer: [1] if layer == 2 else [],
    )

    result = NeuronPruning(count=1, layers=(0,)).apply(graph)

    assert list(result.neuron_map.removed) == [Neuron(0, 1)]


@pytest.mark.parametrize("scope", Scope)
def test_count_and_fraction_are_of_each_layer_or_of_all(scope: Scope) -> None:
    graph = random_network(np.random.default_rng(0), 4, (10, 6), 2)

    by_count = NeuronPruning(count=2, scope=scope).apply(graph)
    by_share = NeuronPruning(fraction=Fraction(1, 4), scope=scope).apply(graph)

    expected = {Scope.LAYER: (4, 2 + 1), Scope.GLOBAL: (2, 4)}[scope]
    assert (len(by_count.neuron_map.removed), len(by_share.neuron_map.removed)) == expected


def test_only_selected_layers_lose_neurons() -> None:
    graph = random_network(np.random.default_rng(0), 4, (6, 6, 6), 2)

    result = NeuronPruning(count=4, layers=(1,)).apply(graph)

    assert result.graph.layer_widths == (6, 2, 6)
    assert result.report.kind == "K2"


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("count", [3, 4, 100])
def test_no_layer_is_ever_emptied(scope: Scope, count: int) -> None:
    graph = random_network(np.random.default_rng(0), 2, (3,), 2)

    with pytest.raises(UsageError, match="ReLU layer 0"):
        NeuronPruning(count=count, scope=scope).apply(graph)


def test_a_layer_that_is_not_there_is_named() -> None:
    graph = random_network(np.random.default_rng(0), 2, (3, 3), 2)

    with pytest.raises(UsageError, match=r"2 ReLU layers.*\[5\]"):
        NeuronPruning(count=1, layers=(0, 5)).apply(graph)


@pytest.mark.parametrize(
    ("matrices", "constant", "expected"),
    [
        ([[1, 1, 0], [1, 1, 5], [1, 1, 2], [0]], Constant.FOLD, "certified"),
        ([[1, 1, 0], [1, 1, 5], [1, 1, 2], [0]], Constant.ZERO, "none"),
        ([[1, 1, 0], [1, 1, -5], [1, 1, 2], [0]], Constant.ZERO, "certified"),
        ([[1, 1, 3], [1, 1, 5], [1, 1, 0], [0]], Constant.ZERO, "certified"),
        ([[2, 2, 1], [1, 1, 5], [1, 1, 1], [0]], Constant.FOLD, "none"),
    ],
)
def test_exactness_is_claimed_only_where_it_is_proved(
    matrices: list[list[int]], constant: Constant, expected: str
) -> None:
    graph = diamond(matrices)

    result = NeuronPruning(count=1, constant=constant).apply(graph)

    assert list(result.neuron_map.removed) == [Neuron(0, 2)]
    assert result.report.exactness == expected
    same = all(
        evaluate_exactly(graph, [Fraction(x, 2)])
        == evaluate_exactly(result.graph, [Fraction(x, 2)])
        for x in range(-9, 10)
    )
    assert same == (expected == "certified")


def test_a_rounded_fold_is_not_called_exact() -> None:
    fine = 1 + Fraction(1, 2**23)
    rows: list[list[Fraction | int]] = [[0, 1], [fine, 0], [fine, 1], [0]]
    values = iter(rows)
    graph = stack(1, [2], 1, lambda shape: RationalArray.from_fractions(next(values), shape))

    removal = remove_neurons(graph, frozenset({Neuron(0, 0)}), fold=True)

    assert removal.largest_rounding == Fraction(1, 2**46)
    assert not removal.same_function


def test_a_folded_bias_that_overflows_is_refused() -> None:
    huge = 2**100
    graph = diamond([[1, 1, 0], [0, 0, huge], [1, 1, huge], [0]])

    with pytest.raises(RefusedError, match=r"bias of node 'affine1'.*float32"):
        NeuronPruning(count=1, score=Score.INCOMING, constant=Constant.FOLD).apply(graph)
