# SPDX-License-Identifier: Apache-2.0
"""From the bytes of an ONNX file to a checked list of nodes. The bytes are not trusted.

``wire_format`` walks the raw bytes first, then protobuf's own parser gets them. Everything after
that is checked here, in Python, rather than by ``onnx.checker`` or any other native code that was
written for friendly files: sizes before anything is allocated, names before they are looked up,
data that lies in other files refused outright. A node reads only what an earlier node made, so
there are no cycles.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite, prod
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto

from verifier.errors import ModelError, UnsupportedError
from verifier.ir.onnx_values import Constant, Element, Shape, checked
from verifier.ir.wire_format import check_wire_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MAX_FILE_BYTES = 1 << 29
FIRST_OPSET, LAST_OPSET = 7, 26
_DEFAULT_DOMAINS = {"", "ai.onnx"}
_INPUT_TYPES = (Element.FLOAT, Element.DOUBLE, Element.FLOAT16)


@dataclass(frozen=True, eq=False)
class Edge:
    """The network's input or output: its name, type and shape, the batch axis set to 1."""

    name: str
    element: Element
    shape: Shape


@dataclass(frozen=True, eq=False)
class Model:
    """A file whose structure is sound.

    Attributes:
        opset: Version of the default operator set.
        source: The network's input.
        output_name: Name of its one output.
        output_type: The element type that it declares, 0 for none. A declared shape is only a
            comment: exporters get it wrong, and runtimes go by what the nodes say.
        tensors: The initializers by name, not yet converted.
        nodes: In topological order.
    """

    opset: int
    source: Edge
    output_name: str
    output_type: int
    tensors: Mapping[str, TensorProto]
    nodes: tuple[onnx.NodeProto, ...]


def parse(source: Path | bytes) -> Model:
    """Parse a file and check its structure.

    Raises:
        ModelError: The file is damaged, or contradicts itself.
        UnsupportedError: It uses something that is not modelled.
        OSError: The file cannot be read.
    """
    content = source if isinstance(source, bytes) else _content(source)
    if len(content) > MAX_FILE_BYTES:
        msg = f"the model has {len(content)} bytes; supported: up to {MAX_FILE_BYTES}"
        raise UnsupportedError(msg)
    check_wire_format(content)
    try:
        model = onnx.ModelProto.FromString(content)
        return _checked(model)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = f"not an ONNX model: {error}"
        raise ModelError(msg) from error


def _content(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        msg = f"{path} has {size} bytes; supported: up to {MAX_FILE_BYTES}"
        raise UnsupportedError(msg)
    return path.read_bytes()


def _checked(model: onnx.ModelProto) -> Model:
    opset = _opset(model)
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    if len(tensors) != len(graph.initializer):
        msg = "two initializers have one name"
        raise ModelError(msg)
    inputs = [value for value in graph.input if value.name not in tensors]
    if len(inputs) != 1 or len(graph.output) != 1:
        names = [v.name for v in inputs], [v.name for v in graph.output]
        msg = f"inputs {names[0]}, outputs {names[1]}; supported: one input and one output"
        raise UnsupportedError(msg)
    _check_names(graph, {inputs[0].name, *tensors})
    for there, what in (
        (model.functions, "functions"),
        (graph.sparse_initializer, "sparse initializers"),
        (graph.quantization_annotation, "quantization annotations"),
    ):
        if there:
            msg = f"the model has {what}; supported: a plain graph without them"
            raise UnsupportedError(msg)
    output = graph.output[0]
    declared = output.type.tensor_type.elem_type
    return Model(opset, _edge(inputs[0]), output.name, declared, tensors, tuple(graph.node))


def _opset(model: onnx.ModelProto) -> int:
    versions = {entry.version for entry in model.opset_import if entry.domain in _DEFAULT_DOMAINS}
    if not versions or not model.HasField("graph"):
        msg = "not an ONNX model: it has no graph, or names no operator set"
        raise ModelError(msg)
    if len(versions) > 1:
        msg = f"the model names operator sets {sorted(versions)} of one domain"
        raise ModelError(msg)
    (opset,) = versions
    if not FIRST_OPSET <= opset <= LAST_OPSET:
        msg = f"operator set {opset} is not supported; supported: {FIRST_OPSET} to {LAST_OPSET}"
        raise UnsupportedError(msg)
    return int(opset)


def _check_names(graph: onnx.GraphProto, known: set[str]) -> None:
    """Check that each name is defined once, and before it is used."""
    for node in graph.node:
        label = node_label(node)
        if node.domain not in _DEFAULT_DOMAINS:
            msg = (
                f"operator {node.op_type!r} (node {label!r}) of domain {node.domain!r} is not "
                "supported; supported: operators of the default domain"
            )
            raise UnsupportedError(msg)
        for name in node.input:
            if name and name not in known:
                msg = f"node {label!r} reads {name!r}, which nothing before it makes"
                raise ModelError(msg)
        for name in node.output:
            if name and name in known:
                msg = f"node {label!r} makes {name!r} a second time"
                raise ModelError(msg)
            known.add(name)
    if graph.output[0].name not in known or not graph.output[0].name:
        msg = f"nothing makes the output {graph.output[0].name!r}"
        raise ModelError(msg)


def node_label(node: onnx.NodeProto) -> str:
    """Return the node's name, or that of its first output."""
    return str(node.name or next(iter(node.output), "") or node.op_type)


def _edge(value: onnx.ValueInfoProto) -> Edge:
    if value.type.WhichOneof("value") != "tensor_type" or not value.name:
        msg = f"input {value.name!r} is not a tensor; supported: a tensor"
        raise UnsupportedError(msg)
    declared = value.type.tensor_type
    if declared.elem_type not in _INPUT_TYPES:
        names = ", ".join(element.name for element in _INPUT_TYPES)
        msg = f"input {value.name!r} has element type {declared.elem_type}; supported: {names}"
        raise UnsupportedError(msg)
    if not declared.HasField("shape") or not declared.shape.dim:
        msg = f"input {value.name!r} declares no shape; supported: one with at least one axis"
        raise UnsupportedError(msg)
    shape = [_extent(value.name, i, dim) for i, dim in enumerate(declared.shape.dim)]
    return Edge(value.name, Element(declared.elem_type), checked(shape, f"input {value.name!r}"))


def _extent(name: str, axis: int, dimension: onnx.TensorShapeProto.Dimension) -> int:
    """Return an axis' extent; the first one may be free, and is the batch then."""
    extent = int(dimension.dim_value)
    if dimension.HasField("dim_value") and extent > 0:
        return extent
    if axis == 0:
        return 1
    free = dimension.dim_param or extent
    msg = f"input {name!r} leaves axis {axis} free ({free!r}); supported: only the first, as batch"
    raise UnsupportedError(msg)


def tensor_constant(tensor: TensorProto, what: str) -> Constant:
    """Return the array in a TensorProto.

    Raises:
        ModelError: Its data do not fit its shape.
        UnsupportedError: It has another type, or its data lie in another file.
    """
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        msg = f"{what} keeps its data in another file; supported: data within the model"
        raise UnsupportedError(msg)
    if tensor.data_type not in {element.value for element in Element}:
        names = ", ".join(element.name for element in Element)
        msg = f"{what} has element type {tensor.data_type}; supported: {names}"
        raise UnsupportedError(msg)
    if tensor.HasField("segment"):
        msg = f"{what} is a segment; supported: whole tensors"
        raise UnsupportedError(msg)
    element, shape = Element(tensor.data_type), tuple(int(n) for n in tensor.dims)
    if any(n < 0 for n in shape):
        msg = f"{what} has shape {list(shape)}: an axis is negative"
        raise ModelError(msg)
    if prod(shape):
        checked(shape, what)
    try:
        array = onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        msg = f"{what}: its data do not fit shape {list(shape)} of {element.name}: {error}"
        raise ModelError(msg) from error
    if array.shape != shape:
        msg = f"{what}: its data have shape {list(array.shape)}, not {list(shape)}"
        raise ModelError(msg)
    if element.is_float and not np.all(np.isfinite(array.astype(np.float64))):
        _refuse_infinite(array, what)
    return Constant(array.astype(element.dtype), element)


def _refuse_infinite(array: np.ndarray[Any, Any], what: str) -> None:
    """Refuse NaN and infinity; a single infinity may be the missing limit of a Clip."""
    if array.size == 1 and not np.isnan(array.astype(np.float64)).any():
        return
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(array.astype(np.float64)))[0])
    msg = f"{what}: entry {where} is {array[where]}, not a finite number"
    raise ModelError(msg)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes as plain values.

    Raises:
        ModelError: An attribute occurs twice, or is not a finite number.
        UnsupportedError: An attribute is a graph, or of another kind that is not modelled.
    """
    result: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.name in result or not attribute.name:
            msg = f"node {node_label(node)!r} has attribute {attribute.name!r} twice, or unnamed"
            raise ModelError(msg)
        result[attribute.name] = _attribute(attribute, node)
    return result


def _attribute(attribute: AttributeProto, node: onnx.NodeProto) -> object:
    place = f"attribute {attribute.name!r} of operator {node.op_type!r} (node {node_label(node)!r})"
    if attribute.ref_attr_name:
        msg = f"{place} refers to a function's attribute; supported: values"
        raise UnsupportedError(msg)
    match attribute.type:
        case AttributeProto.INT:
            return int(attribute.i)
        case AttributeProto.INTS:
            return tuple(int(n) for n in attribute.ints)
        case AttributeProto.FLOAT:
            return _fractions([attribute.f], place)[0]
        case AttributeProto.FLOATS:
            return _fractions(attribute.floats, place)
        case AttributeProto.STRING:
            return attribute.s.decode("utf-8")
        case AttributeProto.TENSOR:
            return tensor_constant(attribute.t, place)
        case _:
            kind = AttributeProto.AttributeType.Name(attribute.type)
            msg = f"{place} is of type {kind}; supported: numbers, texts and tensors"
            raise UnsupportedError(msg)


def _fractions(values: Iterable[float], place: str) -> tuple[Fraction, ...]:
    numbers = tuple(values)
    if not all(isfinite(number) for number in numbers):
        msg = f"{place} is {numbers}, not finite"
        raise ModelError(msg)
    return tuple(Fraction(number) for number in numbers)
