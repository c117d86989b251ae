# SPDX-License-Identifier: Apache-2.0
"""Which weights go, how many, and that nothing else moves."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression.magnitude_pruning import MagnitudePruning, Scope
from tests.compression.tensors import all_fractions, biases, single_affine, weights
from tests.generators import networks
from verifier.change.neuron_map import NeuronMap
from verifier.ir.operators import Affine

if TYPE_CHECKING:
    from verifier.ir.graph import Graph

SHARES = st.fractions(0, 1, max_denominator=20).filter(lambda f: f < 1)


def layers_of(graph: Graph, scope: Scope) -> list[list[Fraction]]:
    """Return the weights that compete with each other, group by group."""
    layers = [
        [f for weight in node.operator.weights for f in weight.fractions()]
        for node in graph.nodes
        if isinstance(node.operator, Affine)
    ]
    return layers if scope is Scope.LAYER else [[f for layer in layers for f in layer]]


@given(graph=networks(), sparsity=SHARES, scope=st.sampled_from(Scope))
def test_the_smallest_weights_go_and_the_others_stay(
    graph: Graph, sparsity: Fraction, scope: Scope
) -> None:
    result = MagnitudePruning(sparsity=sparsity, scope=scope).apply(graph)

    for old, new in zip(layers_of(graph, scope), layers_of(result.graph, scope), strict=True):
        gone = [abs(a) for a, b in zip(old, new, strict=True) if a != b]
        left = [abs(b) for b in new if b]
        assert len(gone) == floor(sparsity * sum(a != 0 for a in old))
        assert len(gone) + len(left) == sum(a != 0 for a in old)
        assert max(gone, default=Fraction(0)) <= min(left, default=max(gone, default=Fraction(0)))


@given(graph=networks(), sparsity=SHARES, scope=st.sampled_from(Scope))
def test_biases_and_neurons_stay(graph: Graph, sparsity: Fraction, scope: Scope) -> None:
    result = MagnitudePruning(sparsity=sparsity, scope=scope).apply(graph)

    assert [b.fractions() for b in biases(result.graph)] == [b.fractions() for b in biases(graph)]
    assert result.neuron_map == NeuronMap.identity(graph)


@given(graph=networks())
def test_sparsity_zero_changes_nothing_and_says_so(graph: Graph) -> None:
    result = MagnitudePruning(sparsity=Fraction(0)).apply(graph)

    assert all_fractions(result.graph) == all_fractions(graph)
    assert result.report.exactness == "certified"
    assert all(delta.nnz == 0 for delta in result.report.weight_delta)


def test_ties_go_to_the_earlier_weight() -> None:
    one = Fraction(1)
    graph = single_affine([[one, -one], [one, 2 * one]], [one, one])

    pruned = MagnitudePruning(sparsity=Fraction(1, 2)).apply(graph).graph

    assert next(weights(pruned)).fractions() == [0, 0, 1, 2]


def test_zeros_that_are_there_do_not_count() -> None:
    graph = single_affine([[Fraction(0)] * 8 + [Fraction(1), Fraction(2)]], [Fraction(1)])

    pruned = MagnitudePruning(sparsity=Fraction(1, 2)).apply(graph).graph

    assert next(weights(pruned)).fractions() == [0] * 9 + [2]


def test_the_report_measures_the_change() -> None:
    graph = single_affine([[Fraction(3), Fraction(-4), Fraction(7), Fraction(8)]], [Fraction(1)])

    report = MagnitudePruning(sparsity=Fraction(1, 2)).apply(graph).report.to_dict()

    assert report["weight_delta"] == [{"node": "affine0", "max_abs": 4.0, "fro": 5.0, "nnz": 2}]
    assert report["sizes"]["original"]["nonzero_parameters"] == 5
    assert report["sizes"]["compressed"]["nonzero_parameters"] == 3
    assert (report["kind"], report["exactness"]) == ("K1", "none")


def test_changes_too_large_to_square_are_measured() -> None:
    graph = single_affine([[Fraction(3 * 2**600), Fraction(4 * 2**600)]], [Fraction(1)])

    method = MagnitudePruning(sparsity=Fraction(99, 100))
    (delta,) = method.apply(graph).report.weight_delta

    assert delta == ("affine0", 3.0 * 2**600, 3.0 * 2**600, 1)


@pytest.mark.parametrize("scope", Scope)
def test_a_global_threshold_may_empty_what_a_local_one_may_not(scope: Scope) -> None:
    from tests.generators import stack
    from verifier.ir.rational import RationalArray

    values = iter([[1, 1], [0, 0], [5, 5], [0]])
    graph = stack(
        1,
        [2],
        1,
        lambda shape: RationalArray.from_fractions(next(values), shape),
    )

    pruned = MagnitudePruning(sparsity=Fraction(1, 2), scope=scope).apply(graph).graph

    expected = {Scope.LAYER: [[0, 1], [0, 5]], Scope.GLOBAL: [[0, 0], [5, 5]]}
    assert [w.fractions() for w in weights(pruned)] == expected[scope]
