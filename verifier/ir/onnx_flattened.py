# SPDX-License-Identifier: Apache-2.0
"""A model with several inputs, several outputs or visible hidden nodes as one with one of each.

The nodes of the model stay as they are. Before them, one input vector is cut into the model's
inputs; after them, outputs and hidden nodes are strung together. So the reader, the import gate and
the replay in onnxruntime, which all take one input and one output, work on it unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from verifier.errors import ModelError, UnsupportedError
from verifier.ir.wire_format import check_wire_format

if TYPE_CHECKING:
    from collections.abc import Sequence


class Wanted(NamedTuple):
    """A tensor that somebody outside speaks of.

    Attributes:
        label: What to call it in messages.
        width: How many entries it should have.
        name: The name of a hidden node in the file; empty for inputs and outputs, which count.
    """

    label: str
    width: int
    name: str = ""


def flattened(
    content: bytes, inputs: Sequence[Wanted], outputs: Sequence[Wanted], hidden: Sequence[Wanted]
) -> bytes:
    """Return the model with one input vector and one output vector.

    Args:
        content: The file.
        inputs: What its inputs should be, in the file's order.
        outputs: The same for outputs.
        hidden: Further values of the file that follow the outputs.

    Raises:
        ModelError: The file is damaged.
        UnsupportedError: It has other inputs or outputs, or not the hidden nodes.
    """
    check_wire_format(content)
    try:
        model = onnx.ModelProto.FromString(content)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = f"not an ONNX model: {error}"
        raise ModelError(msg) from error
    graph = model.graph
    initial = {tensor.name for tensor in graph.initializer}
    sources = [value for value in graph.input if value.name not in initial]
    for what, declared, found in (
        ("input", inputs, sources),
        ("output", outputs, list(graph.output)),
    ):
        if len(declared) != len(found):
            there = [value.name for value in found]
            msg = f"the query declares {len(declared)} {what} tensors, the model has {there}"
            raise UnsupportedError(msg)
    known = initial | {v.name for v in sources} | {n for node in graph.node for n in node.output}
    for node in hidden:
        if node.name not in known or not node.name:
            msg = f"{node.label} is the value {node.name!r}, which the model does not have"
            raise UnsupportedError(msg)
    if len(inputs) == len(outputs) == 1 and not hidden:
        return content
    names = _Names(known | {node.name for node in graph.node})
    _join_outputs(
        graph,
        [
            *zip(outputs, (v.name for v in graph.output), strict=True),
            *((node, node.name) for node in hidden),
        ],
        names,
    )
    _cut_input(graph, list(zip(inputs, sources, strict=True)), names)
    return bytes(model.SerializeToString(deterministic=True))


class _Names:
    """Names that the model does not have yet."""

    def __init__(self, known: set[str]) -> None:
        self._known = known

    def fresh(self, name: str) -> str:
        while name in self._known:
            name += "'"
        self._known.add(name)
        return name


def _cut_input(
    graph: onnx.GraphProto,
    tensors: Sequence[tuple[Wanted, onnx.ValueInfoProto]],
    names: _Names,
) -> None:
    """Make the inputs out of one vector."""
    elements = {value.type.tensor_type.elem_type for _, value in tensors}
    if len(elements) != 1:
        msg = f"the inputs have element types {sorted(elements)}; supported: one for all"
        raise UnsupportedError(msg)
    vector = names.fresh("inputs")
    nodes: list[onnx.NodeProto] = []
    start = 0
    for wanted, value in tensors:
        entries = np.arange(start, start + wanted.width, dtype=np.int64)
        start += wanted.width
        label = f"query variable {wanted.label}"
        part = names.fresh(f"{value.name}/flat")
        index, shape = names.fresh(f"{value.name}/entries"), names.fresh(f"{value.name}/shape")
        graph.initializer.append(numpy_helper.from_array(entries, index))
        extents = np.array(_extents(value), dtype=np.int64)
        graph.initializer.append(numpy_helper.from_array(extents, shape))
        nodes.append(
            helper.make_node("Gather", [vector, index], [part], names.fresh(label), axis=0)
        )
        nodes.append(helper.make_node("Reshape", [part, shape], [value.name], names.fresh(label)))
    later = list(graph.node)
    kept = [v for v in graph.input if v.name not in {value.name for _, value in tensors}]
    del graph.node[:], graph.input[:]
    graph.node.extend([*nodes, *later])
    (element,) = elements
    graph.input.extend([helper.make_tensor_value_info(vector, element, [start]), *kept])


def _extents(value: onnx.ValueInfoProto) -> list[int]:
    """Return the axes of an input; a free first one is the batch."""
    axes = value.type.tensor_type.shape.dim
    extents = [int(axis.dim_value) if axis.HasField("dim_value") else 0 for axis in axes]
    if extents and extents[0] <= 0:
        extents[0] = 1
    if any(extent <= 0 for extent in extents):
        msg = f"input {value.name!r} leaves an axis free; supported: only the first, as batch"
        raise UnsupportedError(msg)
    return extents


def _join_outputs(
    graph: onnx.GraphProto, tensors: Sequence[tuple[Wanted, str]], names: _Names
) -> None:
    """String values together; each is reshaped to its width, so another size is refused."""
    parts: list[str] = []
    for wanted, value in tensors:
        shape, part = names.fresh(f"{value}/width"), names.fresh(f"{value}/row")
        width = np.array([wanted.width], dtype=np.int64)
        graph.initializer.append(numpy_helper.from_array(width, shape))
        label = names.fresh(f"query variable {wanted.label}")
        graph.node.append(helper.make_node("Reshape", [value, shape], [part], label))
        parts.append(part)
    row = names.fresh("outputs")
    graph.node.append(
        helper.make_node("Concat", parts, [row], names.fresh("query outputs"), axis=0)
    )
    element = graph.output[0].type.tensor_type.elem_type
    total = sum(wanted.width for wanted, _ in tensors)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(row, element, [total]))
