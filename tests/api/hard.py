# SPDX-License-Identifier: Apache-2.0
"""Files that a job works on for as long as a test may take, and tells progress of."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from onnx import TensorProto, helper, numpy_helper

WIDTHS = (8, 50, 50, 50, 50, 1)


def hard_model() -> bytes:
    """Return a random network whose bounds are far from what it computes."""
    random = np.random.default_rng(1)
    nodes, weights, last = [], [], "x"
    for number, (narrow, wide) in enumerate(pairwise(WIDTHS)):
        matrix = random.normal(size=(narrow, wide)) * np.sqrt(2 / narrow)
        for name, array in ((f"w{number}", matrix), (f"b{number}", np.zeros(wide))):
            weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        is_last = number == len(WIDTHS) - 2
        output = "y" if is_last else f"h{number}"
        nodes.append(helper.make_node("Gemm", [last, f"w{number}", f"b{number}"], [output]))
        if not is_last:
            last = f"r{number}"
            nodes.append(helper.make_node("Relu", [output], [last]))
    graph = helper.make_graph(
        nodes,
        "hard",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, WIDTHS[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def hard_property() -> bytes:
    """Return that no input of a wide box gives an output far above all that were ever sampled."""
    names = [f"X_{number}" for number in range(WIDTHS[0])]
    lines = [f"(declare-const {name} Real)" for name in (*names, "Y_0")]
    for name in names:
        lines += [f"(assert (<= {name} 1.0))", f"(assert (>= {name} -1.0))"]
    return ("\n".join([*lines, "(assert (>= Y_0 12.0))"]) + "\n").encode()
