# SPDX-License-Identifier: Apache-2.0
"""Files that are small enough for a job to be over at once."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

MODEL_NAME = "tiny.onnx"


def tiny_model(number: int = 0, slope: float = 1.0) -> bytes:
    """Return a network of two ReLUs: ``y = relu(slope * x0 - x1) + relu(x1) + number``."""
    weights = {
        "w1": np.array([[slope, 0.0], [-1.0, 1.0]], np.float32),
        "b1": np.zeros(2, np.float32),
        "w2": np.array([[1.0], [1.0]], np.float32),
        "b2": np.array([number], np.float32),
    }
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w2", "b2"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def tiny_property(limit: float = 2.5, side: float = 1.0, relation: str = ">=") -> bytes:
    """Return that no input in a box around 0 gives an output above a limit, which is 2 there.

    Or none below it, with the other relation.
    """
    lines = [
        "(declare-const X_0 Real)",
        "(declare-const X_1 Real)",
        "(declare-const Y_0 Real)",
        f"(assert (<= X_0 {side}))",
        f"(assert (>= X_0 -{side}))",
        f"(assert (<= X_1 {side}))",
        f"(assert (>= X_1 -{side}))",
        f"(assert ({relation} Y_0 {limit}))",
    ]
    return ("\n".join(lines) + "\n").encode()
