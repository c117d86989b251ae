# SPDX-License-Identifier: Apache-2.0
"""The table of supported operators, and the walk that lowers a model by it.

Every node is lowered, those that the output does not need too: a file with an operator in it that
is not modelled is refused as a whole, rather than read as if the operator were not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import ModelError, UnsupportedError
from verifier.ir import onnx_lowering_activations as activations
from verifier.ir import onnx_lowering_arithmetic as arithmetic
from verifier.ir import onnx_lowering_shapes as shapes
from verifier.ir.onnx_model import Model, attributes, node_label, tensor_constant
from verifier.ir.onnx_node import OnnxNode
from verifier.ir.onnx_values import Constant, Element, Tensor, Variable, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from fractions import Fraction

    import onnx


def constant(node: OnnxNode) -> Tensor:
    """Return an array in the file, of any kind but text and sparse."""
    node.check_inputs(0)
    if len(node.attributes) != 1:
        node.damaged(f"attributes {sorted(node.attributes)}, expected exactly one")
    ((name, value),) = node.attributes.items()
    node.ignore(name)
    if name == "value" and isinstance(value, Constant):
        return value
    many = isinstance(value, tuple)
    numbers: tuple[Fraction | int, ...] = value if many else (value,)
    match name:
        case "value_float" | "value_floats":
            element = Element.FLOAT
        case "value_int" | "value_ints":
            element = Element.INT64
        case _:
            node.refuse(f"attribute {name!r}; supported: value, value_float(s), value_int(s)")
    if many != name.endswith("s") or any(
        isinstance(n, int) != (element is Element.INT64) for n in numbers
    ):
        node.damaged(f"attribute {name!r} is {value!r}, of another type")
    plain = [int(n) if element is Element.INT64 else float(n) for n in numbers]
    array = np.array(plain if many else plain[0], dtype=element.dtype)
    return Constant(array, element)


def constant_of_shape(node: OnnxNode) -> Tensor:
    """Return an array filled with one number."""
    node.check_inputs(1)
    shape = checked(node.constant_integers(0, "the shape") or [], node.place)
    node.ignore("value")
    value = node.attributes.get("value", Constant(np.zeros(1, dtype=np.float32), Element.FLOAT))
    if not isinstance(value, Constant) or value.array.size != 1:
        node.damaged("attribute 'value' is not a tensor of one entry")
    return Constant(np.full(shape, value.array.ravel()[0]), value.element)


LOWERINGS: Mapping[str, Callable[[OnnxNode], Tensor | list[Tensor]]] = {
    "Abs": activations.absolute,
    "Add": arithmetic.add,
    "BatchNormalization": arithmetic.batch_normalization,
    "Cast": shapes.cast,
    "Clip": activations.clip,
    "Concat": shapes.concat,
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Div": arithmetic.div,
    "Dropout": shapes.dropout,
    "Expand": shapes.expand,
    "Flatten": shapes.flatten,
    "Gather": shapes.gather,
    "Gemm": arithmetic.gemm,
    "Identity": shapes.identity,
    "LeakyRelu": activations.leaky_relu,
    "MatMul": arithmetic.matmul,
    "Max": activations.maximum,
    "Mean": arithmetic.mean,
    "Min": activations.minimum,
    "Mul": arithmetic.mul,
    "Neg": arithmetic.neg,
    "PRelu": activations.prelu,
    "Pad": shapes.pad,
    "ReduceMean": arithmetic.reduce_mean,
    "ReduceSum": arithmetic.reduce_sum,
    "Relu": activations.relu,
    "Reshape": shapes.reshape,
    "Shape": shapes.shape_of,
    "Slice": shapes.slice_,
    "Split": shapes.split,
    "Squeeze": shapes.squeeze,
    "Sub": arithmetic.sub,
    "Sum": arithmetic.sum_,
    "Transpose": shapes.transpose,
    "Unsqueeze": shapes.unsqueeze,
}


def lower(model: Model, source: Variable, begin: Callable[[str], None]) -> Variable:
    """Run the model on a variable and return the output.

    Args:
        model: The model.
        source: The input, of either kind of variable.
        begin: Told the label of each node before it is lowered.

    Raises:
        ModelError: The model contradicts itself.
        UnsupportedError: Something is not modelled, or the output is not a float tensor that
            depends on the input.
    """
    values: dict[str, Tensor] = {model.source.name: source}
    for proto in model.nodes:
        begin(node_label(proto))
        inputs = [_input(model, values, name) for name in proto.input]
        values.update(_results(model, proto, inputs))
    output = _input(model, values, model.output_name)
    if not isinstance(output, Variable):
        msg = f"output {model.output_name!r} does not depend on the input"
        raise UnsupportedError(msg)
    if model.output_type not in {0, output.element}:
        msg = (
            f"output {model.output_name!r} is {output.element.name}, and is declared to be of "
            f"element type {model.output_type}"
        )
        raise ModelError(msg)
    return output


def _input(model: Model, values: dict[str, Tensor], name: str) -> Tensor | None:
    if not name:
        return None
    if name not in values:
        if name not in model.tensors:
            msg = f"nothing makes {name!r}"
            raise ModelError(msg)
        values[name] = tensor_constant(model.tensors[name], f"initializer {name!r}")
    return values[name]


def _results(
    model: Model, proto: onnx.NodeProto, inputs: list[Tensor | None]
) -> Iterator[tuple[str, Tensor]]:
    label = node_label(proto)
    if proto.op_type not in LOWERINGS:
        names = ", ".join(LOWERINGS)
        msg = f"operator {proto.op_type!r} (node {label!r}) is not supported; supported: {names}"
        raise UnsupportedError(msg)
    while inputs and inputs[-1] is None:
        inputs.pop()
    count = max((i for i, name in enumerate(proto.output, 1) if name), default=0)
    node = OnnxNode(proto.op_type, label, model.opset, attributes(proto), inputs, count)
    lowered = LOWERINGS[proto.op_type](node)
    results = lowered if isinstance(lowered, list) else [lowered]
    node.finish()
    if count > len(results):
        node.refuse(f"{count} outputs; supported: {len(results)}")
    for name, result in zip(proto.output, results, strict=False):
        checked(result.shape, node.place) if isinstance(result, Variable) else None
        if name:
            yield name, result
