# SPDX-License-Identifier: Apache-2.0
"""Steps that move entries about, make constants, or sum along axes, in every spelling."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from tests.ir.onnx_steps_arithmetic import relu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.ir.onnx_builder import ModelBuilder


def flatten(m: ModelBuilder) -> None:
    assume(len(m.shape) > 0)
    axis = m.draw(st.integers(0, len(m.shape)))
    shape = prod(m.shape[:axis]), prod(m.shape[axis:])
    m.node("Flatten", [m.name], shape, axis=axis)


def reshape(m: ModelBuilder) -> None:
    size = prod(m.shape)
    wanted: tuple[int, ...]
    shape: tuple[int, ...]
    kind = m.pick("whole", "infer", "keep", "divisor", "allowzero")
    if kind == "whole":
        wanted, shape = (1, size), (1, size)
    elif kind == "infer":
        wanted, shape = (-1, 1), (size, 1)
    elif kind == "keep":
        assume(len(m.shape) > 0)
        wanted, shape = (0, -1), (m.shape[0], size // m.shape[0])
    elif kind == "divisor":
        divisor = m.pick(*(d for d in range(1, size + 1) if size % d == 0))
        wanted = shape = (divisor, size // divisor)
    else:
        wanted = shape = (size,)
    extra = {"allowzero": 1} if kind == "allowzero" and m.opset >= 14 else {}
    m.node("Reshape", [m.name, m.integers(wanted)], shape, **extra)


def _with_axes(
    m: ModelBuilder,
    kind: str,
    axes: list[int] | None,
    shape: Sequence[int],
    since: int,
    **rest: int,
) -> None:
    if m.opset < since:
        attributes = {} if axes is None else {"axes": axes}
        m.node(kind, [m.name], shape, **attributes, **rest)
    else:
        names = [] if axes is None else [m.integers(axes)]
        m.node(kind, [m.name, *names], shape, **rest)


def unsqueeze(m: ModelBuilder) -> None:
    axis = m.axis(beyond=1)
    place = axis % (len(m.shape) + 1)
    _with_axes(m, "Unsqueeze", [axis], (*m.shape[:place], 1, *m.shape[place:]), 13)


def squeeze(m: ModelBuilder) -> None:
    unsqueeze(m)
    axis = m.pick(*(i for i, n in enumerate(m.shape) if n == 1))
    if m.draw(st.booleans()):
        _with_axes(m, "Squeeze", [axis], (*m.shape[:axis], *m.shape[axis + 1 :]), 13)
    else:
        _with_axes(m, "Squeeze", None, [n for n in m.shape if n != 1], 13)


def transpose(m: ModelBuilder) -> None:
    assume(len(m.shape) > 0)
    order = m.draw(st.permutations(range(len(m.shape))))
    if m.draw(st.booleans()):
        m.node("Transpose", [m.name], m.shape[::-1])
    else:
        m.node("Transpose", [m.name], [m.shape[i] for i in order], perm=order)


def dropout(m: ModelBuilder) -> None:
    if m.opset < 12:
        m.node("Dropout", [m.name], m.shape, ratio=0.5)
        return
    names = m.pick([], [m.constant(np.array(0.5, dtype=np.float32))])
    if names and m.draw(st.booleans()):
        names = [*names, m.constant(np.array(False))]
    m.node("Dropout", [m.name, *names], m.shape)


def batch_normalization(m: ModelBuilder) -> None:
    assume(len(m.shape) >= 2)
    channels = (m.shape[1],)
    names = [m.weights(channels) for _ in range(3)]
    names.append(m.constant(m.rng.uniform(0.1, 3, channels).astype(m.dtype)))
    extra = m.pick({}, {"epsilon": 0.125}, {"momentum": 0.5})
    m.node("BatchNormalization", [m.name, *names], m.shape, **extra)


def pad(m: ModelBuilder) -> None:
    assume(len(m.shape) > 0)
    amounts = [(m.draw(st.integers(-1, 2)), m.draw(st.integers(0, 1))) for _ in m.shape]
    value = m.pick(None, 0.0, 1.5)
    axes = list(range(len(m.shape)))
    if m.opset >= 18 and m.draw(st.booleans()):
        axes = [m.draw(st.integers(0, len(m.shape) - 1))]
        amounts = amounts[:1]
    shape = list(m.shape)
    for axis, (before, after) in zip(axes, amounts, strict=True):
        assume(shape[axis] > 1 or before >= 0)
        shape[axis] += before + after
    pads = [*(a for a, _ in amounts), *(b for _, b in amounts)]
    if m.opset < 11:
        extra = {} if value is None else {"value": value}
        m.node("Pad", [m.name], shape, pads=pads, **extra)
        return
    names = ["" if value is None else m.constant(np.array(value, dtype=m.dtype))]
    if len(axes) < len(m.shape):
        names.append(m.integers(axes))
    m.node("Pad", [m.name, m.integers(pads), *names], shape)


def concat(m: ModelBuilder) -> None:
    axis = m.axis()
    first, shape = m.name, list(m.shape)
    parts = [first, m.weights(shape)] if m.draw(st.booleans()) else [first]
    relu(m)
    parts = m.draw(st.permutations([*parts, m.name]))
    shape[axis] *= len(parts)
    m.node("Concat", parts, shape, axis=axis)


def split(m: ModelBuilder) -> None:
    axis = m.axis()
    extent = m.shape[axis]
    assume(extent > 1)
    first = m.draw(st.integers(1, extent - 1))
    attributes: dict[str, Any] = {"axis": axis}
    names = [m.name]
    sizes = [first, extent - first]
    if extent % 2 == 0 and m.draw(st.booleans()):
        sizes = [extent // 2] * 2
        attributes |= {"num_outputs": 2} if m.opset >= 18 else {}
    elif m.opset < 13:
        attributes["split"] = sizes
    else:
        names.append(m.integers(sizes))
    shape = list(m.shape)
    chosen = m.draw(st.integers(0, 1))
    shape[axis] = sizes[chosen]
    m.node("Split", names, shape, **attributes)
    unused = f"{m.name}.unused"
    m.nodes[-1].output[:] = [unused, m.name] if chosen else [m.name, unused]


def slice_(m: ModelBuilder) -> None:
    axis = m.axis()
    start, end = (m.draw(st.integers(-m.shape[axis] - 1, m.shape[axis] + 1)) for _ in range(2))
    end = m.pick(end, 2**63 - 1)
    step = m.pick(1, 2, -1, -2) if m.opset >= 10 else 1
    end = -(2**31) if step < 0 and m.draw(st.booleans()) else end
    shape = list(m.shape)
    extent = shape[axis]
    # By the standard's own rule for clamping, written out anew.
    low, high = (0, extent) if step > 0 else (0, extent - 1)
    begin = min(max(start + extent * (start < 0), low), high)
    finish = min(
        max(end + extent * (end < 0), low if step > 0 else -1), high if step > 0 else extent
    )
    shape[axis] = max(0, -((begin - finish) // step))
    if m.opset < 10:
        m.node("Slice", [m.name], shape, starts=[start], ends=[end], axes=[axis])
        return
    names = [m.integers(values) for values in ([start], [end], [axis])]
    m.node("Slice", [m.name, *names, m.integers([step])], shape)


def gather(m: ModelBuilder) -> None:
    axis = m.axis()
    extent = m.shape[axis]
    low = -extent if m.opset >= 11 else 0
    number = st.integers(low, extent - 1)
    index = np.array(m.pick(m.draw(number), m.draw(st.lists(number, min_size=1, max_size=3))))
    place = axis % len(m.shape)
    shape = (*m.shape[:place], *index.shape, *m.shape[place + 1 :])
    kind = m.pick(np.int64, np.int32)
    m.node("Gather", [m.name, m.constant(index.astype(kind))], shape, axis=axis)


def reduction(kind: str, since: int) -> Callable[[ModelBuilder], None]:
    def step(m: ModelBuilder) -> None:
        axes = m.pick(None, [m.axis()])
        keep = m.draw(st.integers(0, 1))
        places = range(len(m.shape)) if axes is None else [axes[0] % len(m.shape)]
        extents = [
            1 if i in places else n for i, n in enumerate(m.shape) if keep or i not in places
        ]
        _with_axes(m, kind, axes, extents, since, keepdims=keep)

    return step


def stored_otherwise(m: ModelBuilder) -> None:
    """Add a constant that is stored in another type, as compressed models do."""
    name, shape = m.name, m.shape
    kind = m.pick(np.float16, np.float64, np.float32, np.int8, np.int32)
    array = m.rng.uniform(-100, 100, shape[-1:]).astype(kind)
    element = TensorProto.FLOAT if m.dtype == "float32" else TensorProto.DOUBLE
    m.node("Cast", [m.constant(array)], shape[-1:] or (1,), to=element)
    m.node("Mul", [name, m.name], shape)


def folded(m: ModelBuilder) -> None:
    """Add constants that only meet at run time, where each step is rounded."""
    name, shape = m.name, m.shape
    for kind in m.draw(st.lists(st.sampled_from(["Add", "Sub", "Mul", "Div", "Max"]), min_size=1)):
        left = m.weights(shape) if m.name == name else m.name
        m.node(kind, [left, m.weights(shape[-1:])], shape)
    m.node("Neg", [m.name], shape)
    m.node("Add", [name, m.name], shape)


def cast(m: ModelBuilder) -> None:
    element = TensorProto.FLOAT if m.dtype == "float32" else TensorProto.DOUBLE
    m.node("Cast", [m.name], m.shape, to=element)


def expand(m: ModelBuilder) -> None:
    assume(len(m.shape) > 0)
    wanted = m.pick((2, *m.shape), (1,), (*m.shape[:-1], m.shape[-1]))
    m.node("Expand", [m.name, m.integers(wanted)], np.broadcast_shapes(wanted, m.shape))


def shape_of(m: ModelBuilder) -> None:
    """``x.view(x.size(0), -1)`` as torch used to export it."""
    assume(len(m.shape) > 0)
    name, shape = m.name, m.shape
    m.node("Shape", [name], (len(shape),))
    m.node("Gather", [m.name, m.integers([0])], (1,))
    m.node("Concat", [m.name, m.integers([-1])], (2,), axis=0)
    m.node("Reshape", [name, m.name], (shape[0], prod(shape[1:])))


def constant(m: ModelBuilder) -> None:
    name, shape = m.name, m.shape
    assume(len(shape) > 0 and m.dtype == "float32")
    kinds: list[tuple[dict[str, Any], tuple[int, ...]]] = [
        ({"value": numpy_helper.from_array(np.array([1.5], dtype=np.float32))}, (1,))
    ]
    if m.opset >= 12:
        kinds += [({"value_float": 0.3}, ()), ({"value_floats": [-0.7]}, (1,))]
    attributes, own = m.pick(*kinds)
    m.node("Constant", [], own or (1,), **attributes)
    m.node("Add", [name, m.name], shape)
    if m.opset >= 12:
        name = m.name
        m.node("Constant", [], (1,), **m.pick({"value_ints": [-1]}))
        m.node("Reshape", [name, m.name], (prod(shape),))


def constant_of_shape(m: ModelBuilder) -> None:
    name, shape = m.name, m.shape
    assume(len(shape) > 0)
    value = numpy_helper.from_array(np.array([2.5], dtype=m.dtype))
    m.node("ConstantOfShape", [m.integers(shape)], shape, value=value)
    m.node("Sub", [m.name, name], shape)
