# SPDX-License-Identifier: Apache-2.0
"""Lowering of the operators that only move entries about.

Each one is done once, by numpy, on the array of flat positions; the result says which entry goes
where, and constants and variables alike are taken by it. Padding is position -1, which is 0.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from verifier.ir.onnx_lowering_arithmetic import common_shape, reshaped
from verifier.ir.onnx_values import Constant, Element, Tensor, Variable, checked, positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.ir.onnx_node import OnnxNode

_WIDER = {
    Element.BFLOAT16: {Element.BFLOAT16, Element.FLOAT, Element.DOUBLE},
    Element.FLOAT16: {Element.FLOAT16, Element.FLOAT, Element.DOUBLE},
    Element.FLOAT: {Element.FLOAT, Element.DOUBLE},
    Element.DOUBLE: {Element.DOUBLE},
}


def identity(node: OnnxNode) -> Tensor:
    """The same tensor."""
    node.check_inputs(1)
    return node.input(0)


def dropout(node: OnnxNode) -> Tensor:
    """The same tensor: in inference nothing is dropped."""
    node.check_inputs(1, 3 if node.opset >= 12 else 1)
    node.ignore("ratio", "seed")
    if node.optional(2) is not None and node.constant(2, "training_mode").array.any():
        node.refuse("training_mode is true; supported: inference")
    if node.output_count > 1:
        node.refuse("the mask is an output; supported: inference, with one output")
    return node.input(0)


def flatten(node: OnnxNode) -> Tensor:
    """Two axes: those before ``axis``, and the others."""
    node.check_inputs(1)
    tensor = node.input(0)
    axis = node.axis(node.integer("axis", 1), len(tensor.shape), beyond=True)
    return reshaped(tensor, (prod(tensor.shape[:axis]), prod(tensor.shape[axis:])))


def reshape(node: OnnxNode) -> Tensor:
    """Another shape, where 0 keeps an axis and -1 takes what is left."""
    node.check_inputs(2)
    tensor = node.input(0)
    wanted = node.constant_integers(1, "the shape") or []
    keeps_zero = bool(node.integer("allowzero", 0))
    shape = []
    for position, extent in enumerate(wanted):
        if extent == 0 and not keeps_zero:
            if position >= len(tensor.shape):
                node.damaged(f"shape {wanted} keeps axis {position} of {list(tensor.shape)}")
            extent = tensor.shape[position]  # noqa: PLW2901
        shape.append(extent)
    if shape.count(-1) == 1:
        rest = prod(n for n in shape if n != -1)
        if rest > 0 and prod(tensor.shape) % rest == 0:
            shape[shape.index(-1)] = prod(tensor.shape) // rest
    if any(n < 0 for n in shape) or prod(shape) != prod(tensor.shape):
        node.damaged(f"shape {wanted} does not fit a tensor of shape {list(tensor.shape)}")
    return reshaped(tensor, tuple(shape))


def _axes_argument(node: OnnxNode) -> list[int] | None:
    """Return the axes, which were an attribute before opset 13."""
    if node.opset < 13:
        node.check_inputs(1)
        return node.integers("axes")
    node.check_inputs(1, 2)
    return node.constant_integers(1, "axes")


def squeeze(node: OnnxNode) -> Tensor:
    """Without the named axes of extent 1, or without all of them."""
    chosen = _axes_argument(node)
    tensor = node.input(0)
    shape = tensor.shape
    axes = (
        [i for i, n in enumerate(shape) if n == 1]
        if chosen is None
        else node.axes(chosen, len(shape))
    )
    if any(shape[axis] != 1 for axis in axes):
        node.damaged(f"axes {axes} of shape {list(shape)} are not all 1")
    return reshaped(tensor, tuple(n for i, n in enumerate(shape) if i not in axes))


def unsqueeze(node: OnnxNode) -> Tensor:
    """With axes of extent 1 put in."""
    chosen = _axes_argument(node)
    if chosen is None:
        node.damaged("axes are missing")
    tensor = node.input(0)
    rank = len(tensor.shape) + len(chosen)
    axes = node.axes(chosen, rank)
    rest = iter(tensor.shape)
    return reshaped(tensor, tuple(1 if i in axes else next(rest) for i in range(rank)))


def transpose(node: OnnxNode) -> Tensor:
    """Axes in another order."""
    node.check_inputs(1)
    tensor = node.input(0)
    order = node.integers("perm")
    if order is None:
        order = list(range(len(tensor.shape)))[::-1]
    if sorted(order) != list(range(len(tensor.shape))):
        node.damaged(f"perm {order} is no order of the axes of {list(tensor.shape)}")
    return tensor.take(positions(tensor.shape).transpose(order))


def expand(node: OnnxNode) -> Tensor:
    """Repeated to a shape, by numpy's rules."""
    node.check_inputs(2)
    tensor = node.input(0)
    wanted = node.constant_integers(1, "the shape") or []
    try:
        shape = np.broadcast_shapes(tensor.shape, tuple(checked(wanted, node.place)))
    except ValueError:
        node.damaged(f"shape {list(tensor.shape)} cannot be repeated to {wanted}")
    checked(shape, node.place)
    return tensor.take(np.broadcast_to(positions(tensor.shape), shape))


def concat(node: OnnxNode) -> Tensor:
    """One after the other along an axis."""
    node.check_inputs(1, len(node.inputs))
    tensors = [node.input(i) for i in range(len(node.inputs))]
    node.same_element(*tensors)
    rank = len(tensors[0].shape)
    axis = node.axis(node.integer("axis"), rank)
    starts = np.cumsum([0, *(prod(t.shape) for t in tensors)])
    parts = [positions(t.shape) + s for t, s in zip(tensors, starts, strict=False)]
    try:
        index = np.concatenate(parts, axis=axis)
    except ValueError:
        shapes = ", ".join(str(list(t.shape)) for t in tensors)
        node.damaged(f"shapes {shapes} do not fit along axis {axis}")
    checked(index.shape, node.place)
    variables = [t for t in tensors if isinstance(t, Variable)]
    if variables:
        return variables[0].joined(tensors).take(index)
    array = np.concatenate([t.array.ravel() for t in tensors if isinstance(t, Constant)])
    return Constant(array[index], tensors[0].element)


def split(node: OnnxNode) -> list[Tensor]:
    """Pieces along an axis."""
    tensor = node.input(0)
    axis = node.axis(node.integer("axis", 0), len(tensor.shape))
    extent, count = tensor.shape[axis], node.output_count
    if node.opset < 13:
        node.check_inputs(1)
        sizes = node.integers("split")
    else:
        node.check_inputs(1, 2)
        sizes = node.constant_integers(1, "split")
    declared = node.integer("num_outputs", count)
    if sizes is None:
        # From opset 18 on the last piece may be smaller.
        piece = -(-extent // declared) if declared > 0 else 0
        sizes = [min(piece, extent - k * piece) for k in range(declared)]
        if extent % max(declared, 1) and "num_outputs" not in node.attributes:
            node.damaged(f"{extent} entries do not split into {declared} equal pieces")
    if len(sizes) != count or sum(sizes) != extent or min(sizes, default=0) < 1:
        node.damaged(f"pieces {sizes} do not make {count} outputs of {extent} entries")
    index = positions(tensor.shape)
    return [tensor.take(part) for part in np.split(index, np.cumsum(sizes)[:-1], axis=axis)]


def slice_(node: OnnxNode) -> Tensor:
    """A range of entries along each of some axes."""
    if node.opset < 10:
        node.check_inputs(1)
        starts, ends, axes = (node.integers(name) for name in ("starts", "ends", "axes"))
        steps = None
    else:
        node.check_inputs(3, 5)
        names = ("starts", "ends", "axes", "steps")
        starts, ends, axes, steps = (
            node.constant_integers(i, name) for i, name in enumerate(names, 1)
        )
    if starts is None or ends is None:
        node.damaged("starts or ends are missing")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        node.damaged(f"starts {starts}, ends {ends}, axes {axes}, steps {steps} differ in length")
    tensor = node.input(0)
    index = positions(tensor.shape)
    for axis, *bounds in zip(node.axes(axes, len(tensor.shape)), starts, ends, steps, strict=True):
        index = np.take(index, _range(node, tensor.shape[axis], *bounds), axis=axis)
    checked(index.shape, node.place)
    return tensor.take(index)


def _range(node: OnnxNode, extent: int, start: int, end: int, step: int) -> range:
    """Return the chosen entries; limits are clamped as the standard says, not as Python does."""
    if step == 0:
        node.damaged("a step is 0")
    start, end = (n + extent if n < 0 else n for n in (start, end))
    if step > 0:
        return range(min(max(start, 0), extent), min(max(end, 0), extent), step)
    return range(min(max(start, 0), extent - 1), min(max(end, -1), extent - 1), step)


def gather(node: OnnxNode) -> Tensor:
    """Chosen entries along an axis."""
    node.check_inputs(2)
    tensor, chosen = node.input(0), node.constant(1, "the indices")
    if chosen.element not in {Element.INT32, Element.INT64}:
        node.damaged(f"indices of type {chosen.element.name}")
    axis = node.axis(node.integer("axis", 0), len(tensor.shape))
    extent, array = tensor.shape[axis], chosen.array.astype(np.int64)
    if np.any((array < -extent) | (array >= extent)):
        node.damaged(f"an index is outside the {extent} entries of axis {axis}")
    shape = (*tensor.shape[:axis], *array.shape, *tensor.shape[axis + 1 :])
    checked(shape, node.place)
    return tensor.take(np.take(positions(tensor.shape), array, axis=axis))


def pad(node: OnnxNode) -> Tensor:
    """Entries of one value put around; negative amounts cut off."""
    tensor = node.input(0)
    rank = len(tensor.shape)
    axes: list[int] | None = None
    value: Tensor | None = None
    if node.opset < 11:
        node.check_inputs(1)
        amounts = node.integers("pads")
        number = float(node.number("value", Fraction(0)))
        value = Constant(np.array(number, tensor.element.dtype), tensor.element)
    else:
        node.check_inputs(2, 4)
        amounts = node.constant_integers(1, "pads")
        value = None if node.optional(2) is None else node.constant(2, "the value")
        axes = node.constant_integers(3, "axes")
    if node.text("mode", "constant") != "constant":
        node.refuse(f"mode {node.text('mode', 'constant')!r}; supported: constant")
    axes = list(range(rank)) if axes is None else node.axes(axes, rank)
    if amounts is None or len(amounts) != 2 * len(axes):
        node.damaged(f"pads {amounts} are not two for each of {len(axes)} axes")
    index = _padded(node, positions(tensor.shape), axes, amounts)
    return _filled(node, tensor, index, value)


def _padded(
    node: OnnxNode, index: NDArray[np.int64], axes: Sequence[int], amounts: Sequence[int]
) -> NDArray[np.int64]:
    for axis, before, after in zip(axes, amounts[: len(axes)], amounts[len(axes) :], strict=True):
        extent = index.shape[axis]
        shape = list(index.shape)
        shape[axis] = extent + before + after
        checked(shape, node.place)
        kept = np.take(index, range(max(-before, 0), extent - max(-after, 0)), axis=axis)
        widths = [(0, 0)] * index.ndim
        widths[axis] = (max(before, 0), max(after, 0))
        index = np.pad(kept, widths, constant_values=-1)
    return index


def _filled(
    node: OnnxNode, tensor: Tensor, index: NDArray[np.int64], value: Tensor | None
) -> Tensor:
    """Return the tensor taken by ``index``, with ``value`` where the index is -1."""
    taken = tensor.take(index)
    if not isinstance(value, Constant):
        return taken
    common_shape(node, tensor, value)
    if value.array.size != 1:
        node.damaged(f"the value has shape {list(value.shape)}, not a single number")
    single = value.array.reshape(())
    if isinstance(taken, Constant):
        return Constant(np.where(index < 0, single, taken.array), taken.element)
    if not single:
        return taken
    filling = Constant(np.where(index < 0, single, np.zeros_like(single)), value.element)
    # Joined rather than added: padding costs no rounding.
    joined = taken.joined([taken, filling])
    flat = positions(index.shape)
    return joined.take(np.where(index < 0, flat + index.size, flat))


def cast(node: OnnxNode) -> Tensor:
    """Another type, where that changes no value that depends on the input."""
    node.check_inputs(1)
    node.ignore("saturate", "round_mode")
    tensor = node.input(0)
    number = node.integer("to")
    if number not in {element.value for element in Element}:
        node.refuse(f"to type {number}; supported: {', '.join(e.name for e in Element)}")
    target = Element(number)
    if isinstance(tensor, Variable):
        if target not in _WIDER[tensor.element]:
            node.refuse(
                f"from {tensor.element.name} to {target.name} rounds; supported: wider floats"
            )
        return tensor.retyped(target)
    if target is Element.BFLOAT16 and tensor.element is not target:
        node.refuse("a constant to BFLOAT16; supported: other types")
    with np.errstate(all="ignore"):
        array = tensor.array.astype(target.dtype)
    if not target.is_float and not np.array_equal(
        array.astype(object), tensor.array.astype(object)
    ):
        node.refuse(f"a constant does not fit {target.name}")
    return Constant(array, target)


def shape_of(node: OnnxNode) -> Tensor:
    """The shape, which is known since every axis but the batch is fixed and the batch is 1."""
    node.check_inputs(1)
    shape = node.input(0).shape
    part = shape[node.integer("start", 0) : node.integer("end", len(shape))]
    return Constant(np.array(part, dtype=np.int64), Element.INT64)
