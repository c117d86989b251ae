# SPDX-License-Identifier: Apache-2.0
"""The normal form: same function, same live neurons in the same order, nothing left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.generators import dyadics, networks
from tests.oracles import evaluate_naively
from verifier.ir.graph import Graph, Node
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.passes.normalize import is_normal_form, normalize
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from fractions import Fraction


@st.composite
def shapeless_graphs(draw: st.DrawFn) -> Graph:
    """Draw any graph at all: chains and sums of affines, relus on anything, dead nodes."""
    nodes = [Node("x", Input(), (), draw(st.integers(1, 2)))]
    for number in range(draw(st.integers(0, 6))):
        sources = draw(st.lists(st.integers(0, len(nodes) - 1), max_size=2))
        is_relu = draw(st.booleans())
        if sources and is_relu:
            width = nodes[sources[0]].width
            nodes.append(Node(f"relu{number}", Relu(), (sources[0],), width))
            continue
        width = draw(st.integers(1, 3))
        weights = tuple(draw(matrices((width, nodes[i].width))) for i in sources)
        bias = draw(matrices((width,)))
        nodes.append(Node(f"affine{number}", Affine(weights, bias), tuple(sources), width))
    return Graph(tuple(nodes))


@st.composite
def matrices(draw: st.DrawFn, shape: tuple[int, ...]) -> RationalArray:
    size = shape[0] * (shape[1] if len(shape) > 1 else 1)
    entries = draw(st.lists(dyadics(2, 2), min_size=size, max_size=size))
    return RationalArray.from_fractions(entries, shape)


@given(graph=shapeless_graphs(), shares=st.lists(dyadics(2, 3), min_size=2, max_size=2))
def test_the_function_stays_the_same_exactly(graph: Graph, shares: list[Fraction]) -> None:
    point = shares[: graph.input_width]

    normal = normalize(graph)

    assert is_normal_form(normal)
    assert evaluate_naively(normal, point) == evaluate_naively(graph, point)


@given(graph=shapeless_graphs())
def test_live_relus_stay_in_order(graph: Graph) -> None:
    live = {len(graph.nodes) - 1}
    for position in reversed(range(len(graph.nodes))):
        if position in live:
            live.update(graph.nodes[position].inputs)

    normal = normalize(graph)

    names = [graph.nodes[i].name for i in graph.relus if i in live]
    assert [normal.nodes[i].name for i in normal.relus] == names


@given(graph=shapeless_graphs())
def test_normalizing_twice_changes_nothing(graph: Graph) -> None:
    normal = normalize(graph)

    assert normalize(normal) is normal


@given(network=networks())
def test_generated_networks_are_normal_already(network: Graph) -> None:
    assert is_normal_form(network)
