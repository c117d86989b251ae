# SPDX-License-Identifier: Apache-2.0
"""What a file says in real arithmetic is what the graph computes, to the last digit."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.onnx_reader import read_onnx

if TYPE_CHECKING:
    from collections.abc import Callable

X = (Fraction(1, 3), Fraction(-5, 7), Fraction(9))
TENTH = Fraction(float(np.float32(0.1)))


def read(kind: str, *constants: Any, **attributes: Any) -> Callable[..., tuple[Fraction, ...]]:
    """Return what a network of one operator computes; constants follow the input."""
    tensors = [
        numpy_helper.from_array(np.array(c, dtype=np.float32), f"c{i}")
        for i, c in enumerate(constants)
    ]
    node = helper.make_node(kind, ["x", *(t.name for t in tensors)], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    network = read_onnx(model.SerializeToString())
    return lambda *point: evaluate_exactly(network, point)


CASES: dict[str, tuple[Callable[..., tuple[Fraction, ...]], Callable[[Fraction], Fraction]]] = {
    "Div": (read("Div", 255.0), lambda x: x / 255),
    "LeakyRelu": (read("LeakyRelu", alpha=0.1), lambda x: x if x > 0 else TENTH * x),
    "PRelu": (read("PRelu", [0.1]), lambda x: x if x > 0 else TENTH * x),
    "Abs": (read("Abs"), abs),
    "Clip": (read("Clip", -0.1, 0.1), lambda x: min(max(x, -TENTH), TENTH)),
    "Clip below": (read("Clip", 0.1), lambda x: max(x, TENTH)),
    "ReLU6": (read("Clip", 0.0, 6.0), lambda x: min(max(x, Fraction(0)), Fraction(6))),
    "Max": (read("Max", 0.1), lambda x: max(x, TENTH)),
    "Min": (read("Min", [0.1]), lambda x: min(x, TENTH)),
    "Relu": (read("Relu"), lambda x: max(x, Fraction(0))),
    "Sub": (read("Sub", 0.1), lambda x: x - TENTH),
}


@pytest.mark.parametrize("case", CASES)
def test_elementwise_operators_are_exact(case: str) -> None:
    network, formula = CASES[case]

    assert network(*X) == tuple(formula(x) for x in X)


def test_gemm_is_exact() -> None:
    network = read("Gemm", [[0.1, 1, -1]], [[0.3]], alpha=0.1, beta=0.7, transB=1)

    third, seven = (Fraction(float(np.float32(v))) for v in (0.3, 0.7))
    assert network(*X) == (TENTH * (TENTH * X[0] + X[1] - X[2]) + seven * third,)


def test_a_mean_is_exact() -> None:
    assert read("ReduceMean", axes=[1])(*X) == (sum(X) / 3,)


def test_leaky_relu_and_abs_cost_one_relu_for_each_entry() -> None:
    for kind, count in (("LeakyRelu", 3), ("Abs", 3)):
        graph = helper.make_graph(
            [helper.make_node(kind, ["x"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])

        assert read_onnx(model.SerializeToString()).neuron_count == count
