# SPDX-License-Identifier: Apache-2.0
"""Random ONNX models, one step after the other, in every spelling that the operators allow.

Each step takes the tensor made last and puts one operator (or an exporter's idiom of a few) behind
it. ``STEPS`` lists them by the operator they are there to test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume
from hypothesis import strategies as st

from tests.ir import onnx_steps_arithmetic as arithmetic
from tests.ir import onnx_steps_shapes as shapes
from tests.ir.onnx_builder import OPSETS, ModelBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STEPS: Mapping[str, Sequence[Callable[[ModelBuilder], None]]] = {
    "Abs": [arithmetic.unary("Abs")],
    "Add": [shapes.folded, arithmetic.elementwise("Add"), arithmetic.between_variables("Add")],
    "BatchNormalization": [shapes.batch_normalization],
    "Cast": [shapes.cast, shapes.stored_otherwise],
    "Clip": [arithmetic.clip],
    "Concat": [shapes.concat],
    "Constant": [shapes.constant],
    "ConstantOfShape": [shapes.constant_of_shape],
    "Div": [arithmetic.elementwise("Div")],
    "Dropout": [shapes.dropout],
    "Expand": [shapes.expand],
    "Flatten": [shapes.flatten],
    "Gather": [shapes.gather],
    "Gemm": [arithmetic.gemm],
    "Identity": [arithmetic.unary("Identity")],
    "LeakyRelu": [arithmetic.leaky_relu],
    "MatMul": [arithmetic.matmul],
    "Max": [
        arithmetic.between_variables("Max"),
        arithmetic.variadic("Max"),
        arithmetic.elementwise("Max"),
    ],
    "Mean": [arithmetic.between_variables("Mean"), arithmetic.variadic("Mean")],
    "Min": [
        arithmetic.between_variables("Min"),
        arithmetic.variadic("Min"),
        arithmetic.elementwise("Min"),
    ],
    "Mul": [arithmetic.elementwise("Mul")],
    "Neg": [arithmetic.unary("Neg")],
    "PRelu": [arithmetic.prelu],
    "Pad": [shapes.pad],
    "ReduceMean": [shapes.reduction("ReduceMean", 18)],
    "ReduceSum": [shapes.reduction("ReduceSum", 13)],
    "Relu": [arithmetic.relu],
    "Reshape": [shapes.reshape],
    "Shape": [shapes.shape_of],
    "Slice": [shapes.slice_],
    "Split": [shapes.split],
    "Squeeze": [shapes.squeeze],
    "Sub": [arithmetic.elementwise("Sub"), arithmetic.between_variables("Sub")],
    "Sum": [arithmetic.between_variables("Sum"), arithmetic.variadic("Sum")],
    "Transpose": [shapes.transpose],
    "Unsqueeze": [shapes.unsqueeze],
}


@st.composite
def models(draw: st.DrawFn, operator: str | None = None) -> bytes:
    """Draw a model; the named operator is in it, between others."""
    shape = draw(st.sampled_from([(1, 4), (1, 2, 3), (3,), (2, 2), (1, 1, 2, 2), (1, 6)]))
    dtype = draw(st.sampled_from(["float32", "float32", "float64"]))
    builder = ModelBuilder(draw, draw(st.sampled_from(OPSETS)), shape, dtype)
    every = sorted(STEPS)
    before = draw(st.lists(st.sampled_from(every), max_size=2))
    after = draw(st.lists(st.sampled_from(every), max_size=2))
    for name in [*before, *([] if operator is None else [operator]), *after]:
        draw(st.sampled_from(STEPS[name]))(builder)
    assume(builder.nodes)
    return builder.model()
