# SPDX-License-Identifier: Apache-2.0
"""The gate lets the right graph pass and catches every fault that is put in on purpose."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.generators import random_box, random_network
from verifier.errors import ModelError
from verifier.ir.graph import Graph, Node
from verifier.ir.import_gate import check_against_onnxruntime
from verifier.ir.onnx_writer import write_onnx
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Callable


def changed(graph: Graph, position: int, change: Callable[[Affine], Affine]) -> Graph:
    nodes = list(graph.nodes)
    operator = nodes[position].operator
    assert isinstance(operator, Affine)
    nodes[position] = replace(nodes[position], operator=change(operator))
    return replace(graph, nodes=tuple(nodes))


def transposed(affine: Affine) -> Affine:
    first, *rest = affine.weights
    return Affine((RationalArray(first.numerators.T, first.denominator), *rest), affine.bias)


def without_bias(affine: Affine) -> Affine:
    return Affine(affine.weights, RationalArray.zeros(affine.bias.shape))


def negated(affine: Affine) -> Affine:
    return Affine(tuple(-w for w in affine.weights), affine.bias)


def reordered(affine: Affine) -> Affine:
    return Affine(tuple(w[::-1] for w in affine.weights), affine.bias[::-1])


def one_weight_off_in_each_row(affine: Affine) -> Affine:
    first, *rest = affine.weights
    numerators = first.numerators.copy()
    numerators[:, 0] += first.denominator // 10
    return Affine((RationalArray(numerators, first.denominator), *rest), affine.bias)


FAULTS = [transposed, without_bias, negated, reordered, one_weight_off_in_each_row]


@pytest.mark.parametrize("depth", [1, 3, 6])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_any_layer_is_caught(fault: Callable[[Affine], Affine], depth: int) -> None:
    graph = random_network(np.random.default_rng(depth), 8, (8,) * depth, 8, skip_probability=0.2)
    model = write_onnx(graph)
    check_against_onnxruntime(model, graph, samples=8)

    for position, node in enumerate(graph.nodes):
        if isinstance(node.operator, Affine):
            with pytest.raises(ModelError, match="the graph and onnxruntime differ"):
                check_against_onnxruntime(model, changed(graph, position, fault), samples=30)


def test_a_missing_relu_is_caught() -> None:
    graph = random_network(np.random.default_rng(0), 4, (6, 6), 3)
    affine = Affine((RationalArray.from_floats(np.eye(6)),), RationalArray.zeros((6,)))
    nodes = list(graph.nodes)
    nodes[2] = replace(nodes[2], operator=affine)

    with pytest.raises(ModelError, match="rounding explains at most"):
        check_against_onnxruntime(write_onnx(graph), replace(graph, nodes=tuple(nodes)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_precisions_pass_in_a_given_box(dtype: str) -> None:
    rng = np.random.default_rng(5)
    graph = random_network(rng, 6, (20, 20), 4, skip_probability=0.5)
    box = random_box(rng, 6)

    model = write_onnx(graph, "float64" if dtype == "float64" else "float32")

    check_against_onnxruntime(model, graph, box=(box.lower, box.upper))


def test_a_double_network_is_held_to_double_precision() -> None:
    graph = random_network(np.random.default_rng(5), 3, (5,), 2)
    bias = RationalArray.from_fractions([Fraction(1, 2**30)] * 2, (2,))

    shifted = changed(graph, 3, lambda affine: Affine(affine.weights, affine.bias + bias))

    check_against_onnxruntime(write_onnx(graph), shifted)
    with pytest.raises(ModelError, match="differ"):
        check_against_onnxruntime(write_onnx(graph, "float64"), shifted)


def test_another_input_or_output_is_an_error() -> None:
    graph = random_network(np.random.default_rng(0), 3, (4,), 2)
    model = write_onnx(graph)

    with pytest.raises(ModelError, match="the model's input is"):
        check_against_onnxruntime(model, replace(graph, input_shape=(3,)))
    with pytest.raises(ModelError, match="2 outputs, the graph 3"):
        check_against_onnxruntime(model, random_network(np.random.default_rng(0), 3, (4,), 3))


def test_overflow_is_not_mistaken_for_agreement() -> None:
    # The exact output is 0, but the runtime reaches infinity minus infinity on the way.
    huge = RationalArray.from_fractions([Fraction(2) ** 120] * 2, (2, 1))
    tops = RationalArray.from_fractions([2**20, -(2**20)], (1, 2))
    nothing = RationalArray.zeros((2,)), RationalArray.zeros((1,))
    graph = Graph(
        (
            Node("x", Input(), (), 1),
            Node("a", Affine((huge,), nothing[0]), (0,), 2),
            Node("r", Relu(), (1,), 2),
            Node("b", Affine((tops,), nothing[1]), (2,), 1),
        ),
        "x",
        "y",
    )

    with pytest.raises(ModelError, match="differ"):
        check_against_onnxruntime(write_onnx(graph), graph, samples=8)
