# SPDX-License-Identifier: Apache-2.0
"""Writing and reading gives the same weights; what a type cannot hold exactly is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generators import dyadics, float32s, networks, random_network, rationals
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.fingerprint import fingerprint
from verifier.ir.graph import Graph, Node
from verifier.ir.import_gate import check_against_onnxruntime
from verifier.ir.onnx_reader import read_onnx
from verifier.ir.onnx_writer import write_onnx
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.passes.normalize import normalize
from verifier.ir.rational import RationalArray

STORABLE = st.one_of(dyadics(4, 4), float32s())


def weights(graph: Graph) -> list[tuple[dict[int, list[Fraction]], list[Fraction]]]:
    """Return the weights of each layer by the number of the anchor that they read."""
    anchors = {position: number for number, position in enumerate((0, *graph.relus))}
    return [
        (
            {
                anchors[i]: w.fractions()
                for i, w in zip(node.inputs, node.operator.weights, strict=True)
            },
            node.operator.bias.fractions(),
        )
        for node in graph.nodes
        if isinstance(node.operator, Affine)
    ]


@given(network=networks(entries=STORABLE))
def test_weights_come_back_exactly(network: Graph) -> None:
    again = read_onnx(write_onnx(network))

    assert weights(again) == weights(network)
    assert fingerprint(again) == fingerprint(network)
    assert write_onnx(again) == write_onnx(read_onnx(write_onnx(again)))


@given(network=networks(entries=STORABLE))
def test_written_networks_run_in_onnxruntime(network: Graph) -> None:
    check_against_onnxruntime(write_onnx(network), network, samples=2)
    check_against_onnxruntime(write_onnx(network, "float64"), network, samples=2)


def test_names_and_shapes_are_kept() -> None:
    plain = random_network(np.random.default_rng(0), 6, (4,), 2)
    graph = replace(
        plain, input_name="a", output_name="b", input_shape=(1, 2, 3), output_shape=(2,)
    )

    again = read_onnx(write_onnx(graph))

    assert (again.input_name, again.output_name) == ("a", "b")
    assert (again.input_shape, again.output_shape) == ((1, 2, 3), (2,))
    check_against_onnxruntime(write_onnx(graph), graph)


def test_names_of_tensors_do_not_collide() -> None:
    graph = replace(
        random_network(np.random.default_rng(0)), input_name="value1", output_name="flat"
    )

    again = read_onnx(write_onnx(graph))

    assert fingerprint(again) == fingerprint(graph)
    with pytest.raises(ValueError, match="both named 'x'"):
        write_onnx(replace(graph, input_name="x", output_name="x"))


def test_a_graph_that_is_not_normal_is_written_too() -> None:
    matrix = RationalArray.from_fractions([1, 2, 3, 4], (2, 2))
    affine = Affine((matrix,), RationalArray.zeros((2,)))
    nodes = (
        Node("x", Input(), (), 2),
        Node("r", Relu(), (0,), 2),
        Node("a", affine, (1,), 2),
        Node("b", affine, (2,), 2),
        Node("out", Relu(), (3,), 2),
    )
    graph = Graph(nodes)
    point = (Fraction(3), Fraction(-1, 2))

    again = read_onnx(write_onnx(graph))

    assert evaluate_exactly(again, point) == evaluate_exactly(graph, point)


@given(network=networks(entries=rationals()))
def test_a_weight_that_does_not_fit_is_refused(network: Graph) -> None:
    exact = all(
        value.denominator & (value.denominator - 1) == 0
        for terms, bias in weights(network)
        for value in [*bias, *(v for values in terms.values() for v in values)]
    )
    if exact:
        assert fingerprint(read_onnx(write_onnx(network))) == fingerprint(network)
    else:
        with pytest.raises(ValueError, match=r"no exact float32 value; the largest deviation is"):
            write_onnx(network)


def test_double_holds_what_single_does_not() -> None:
    graph = random_network(np.random.default_rng(0), 2, (2,), 1)
    nodes = list(graph.nodes)
    operator = nodes[1].operator
    assert isinstance(operator, Affine)
    bias = RationalArray.from_floats(np.array([0.1, 0.2]))
    nodes[1] = replace(nodes[1], operator=Affine(operator.weights, bias))
    double = replace(graph, nodes=tuple(nodes))

    with pytest.raises(ValueError, match="2 weights have no exact float32 value"):
        write_onnx(double)
    assert fingerprint(read_onnx(write_onnx(double, "float64"))) == fingerprint(double)


@given(network=networks())
def test_the_fingerprint_ignores_names_and_spelling(network: Graph) -> None:
    renamed = replace(
        network,
        nodes=tuple(replace(node, name=f"other{i}") for i, node in enumerate(network.nodes)),
        input_name="p",
        output_name="q",
    )
    doubled = [
        replace(
            node,
            operator=Affine(
                tuple(RationalArray(w.numerators * 2, w.denominator * 2) for w in op.weights),
                op.bias,
            ),
        )
        if isinstance(op := node.operator, Affine)
        else node
        for node in network.nodes
    ]

    assert fingerprint(renamed) == fingerprint(network)
    assert fingerprint(replace(network, nodes=tuple(doubled))) == fingerprint(network)


@given(network=networks(), layer=st.integers(0, 3), entry=st.integers(0, 100))
def test_the_fingerprint_notices_every_weight(network: Graph, layer: int, entry: int) -> None:
    affines = [i for i, node in enumerate(network.nodes) if isinstance(node.operator, Affine)]
    position = affines[layer % len(affines)]
    nodes = list(network.nodes)
    operator = nodes[position].operator
    assert isinstance(operator, Affine)
    last = operator.weights[-1]
    values = last.fractions()
    values[entry % len(values)] += Fraction(1, 2**60)
    changed = (*operator.weights[:-1], RationalArray.from_fractions(values, last.shape))
    nodes[position] = replace(nodes[position], operator=Affine(changed, operator.bias))

    assert fingerprint(replace(network, nodes=tuple(nodes))) != fingerprint(network)
    assert normalize(network) is network
