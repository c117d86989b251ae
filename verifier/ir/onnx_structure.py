# SPDX-License-Identifier: Apache-2.0
"""Whether two models have the same structure: the same nodes in the same places, other weights.

Names and element types may differ, and so may numbers. The sizes of weights may not: a network
with neurons removed has another structure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import AttributeProto, TensorProto

from verifier.ir.onnx_model import parse, tensor_constant

if TYPE_CHECKING:
    import onnx


def structure(content: bytes) -> tuple[object, ...]:
    """Return what models of the same structure have in common.

    Raises:
        ModelError: The file is damaged, or contradicts itself.
        UnsupportedError: It uses something that is not modelled.
    """
    model = parse(content)
    # Values are known by where they come from.
    places: dict[str, object] = {"": None, model.source.name: ("input", model.source.shape)}
    for name, tensor in model.tensors.items():
        # Whole numbers are shapes and axes.
        is_shape = tensor.data_type == TensorProto.INT64
        numbers = tensor_constant(tensor, name).array.tobytes() if is_shape else b""
        places[name] = ("weight", tuple(tensor.dims), numbers)
    nodes: list[object] = []
    for position, node in enumerate(model.nodes):
        attributes = sorted(map(_attribute, node.attribute), key=lambda pair: pair[0])
        reads = tuple(places[name] for name in node.input)
        nodes.append((node.op_type, reads, tuple(attributes)))
        places |= {name: (position, k) for k, name in enumerate(node.output) if name}
    return (*nodes, places[model.output_name])


def _attribute(attribute: onnx.AttributeProto) -> tuple[str, object]:
    if attribute.type == AttributeProto.TENSOR:
        return attribute.name, ("weight", tuple(attribute.t.dims))
    # What a Cast casts to is an element type.
    value = b"" if attribute.name == "to" else attribute.SerializeToString(deterministic=True)
    return attribute.name, value
