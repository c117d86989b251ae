# SPDX-License-Identifier: Apache-2.0
"""Random ONNX models, one step after the other, in every spelling that the operators allow.

Each step takes the tensor made last and puts one operator (or an exporter's idiom of a few) behind
it. ``STEPS`` lists them by the operator they are there to test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

OPSETS = (9, 11, 12, 13, 18)
_LARGEST = 48
# onnxruntime has no kernel of these for float64 on every operator set.
_SINGLE_ONLY = {"LeakyRelu", "Mean", "PRelu"}


@dataclass
class ModelBuilder:
    """A model that grows; ``name`` and ``shape`` are those of the tensor made last."""

    draw: st.DrawFn
    opset: int
    shape: tuple[int, ...]
    dtype: str = "float32"
    name: str = "x"
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[TensorProto] = field(default_factory=list)
    input_shape: tuple[int, ...] = ()
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self) -> None:
        self.input_shape = self.shape
        self.rng = np.random.default_rng(self.draw(st.integers(0, 2**16)))

    def node(
        self, kind: str, inputs: Sequence[str], shape: Sequence[int], **attributes: Any
    ) -> None:
        """Append a node; its output is the tensor made last."""
        assume(0 < prod(shape) <= _LARGEST and len(shape) <= 5)
        assume(self.dtype == "float32" or kind not in _SINGLE_ONLY)
        assume(self.dtype == "float32" or kind != "Clip" or self.opset >= 12)
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        self.name, self.shape = name, tuple(int(n) for n in shape)

    def constant(self, array: NDArray[Any]) -> str:
        """Add an initializer."""
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.array(array), name))
        return name

    def integers(self, values: Sequence[int]) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def weights(self, shape: Sequence[int]) -> str:
        return self.constant(self.rng.uniform(-2, 2, shape).astype(self.dtype))

    def pick(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def axis(self, *, beyond: int = 0) -> int:
        """Return an axis, counted from either end."""
        rank = len(self.shape) + beyond
        assume(rank > 0)
        axis = self.draw(st.integers(0, rank - 1))
        return axis - rank if self.draw(st.booleans()) and self.opset >= 11 else axis

    def model(self) -> bytes:
        """Return the file."""
        element = TensorProto.FLOAT if self.dtype == "float32" else TensorProto.DOUBLE
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", element, self.input_shape)],
            [helper.make_tensor_value_info(self.name, element, self.shape)],
            self.tensors,
        )
        imports = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=7)
        return bytes(model.SerializeToString())


def _broadcastable(m: ModelBuilder) -> tuple[int, ...]:
    """Return a shape that is repeated to the current one."""
    kept = m.shape[m.draw(st.integers(0, len(m.shape))) :]
    return tuple(1 if m.draw(st.booleans()) else n for n in kept)


def elementwise(kind: str) -> Callable[[ModelBuilder], None]:
    def step(m: ModelBuilder) -> None:
        shape = _broadcastable(m)
        values = m.rng.uniform(0.5, 2, shape) * m.rng.choice([-1, 1], shape)
        pair = [m.name, m.constant(values.astype(m.dtype))]
        if kind != "Div" and m.draw(st.booleans()):
            pair.reverse()
        m.node(kind, pair, m.shape)

    return step


def between_variables(kind: str) -> Callable[[ModelBuilder], None]:
    def step(m: ModelBuilder) -> None:
        first, shape = m.name, m.shape
        elementwise("Mul")(m)
        relu(m)
        m.node(kind, [m.name, first] if m.draw(st.booleans()) else [first, m.name], shape)

    return step


def variadic(kind: str) -> Callable[[ModelBuilder], None]:
    def step(m: ModelBuilder) -> None:
        first = m.name
        m.node("Neg", [first], m.shape)
        extra = [m.weights(_broadcastable(m))] if m.draw(st.booleans()) else []
        names = [first, *extra, m.name][: m.draw(st.integers(1, 3))]
        m.node(kind, names, m.shape)

    return step


def unary(kind: str) -> Callable[[ModelBuilder], None]:
    return lambda m: m.node(kind, [m.name], m.shape)


relu = unary("Relu")


def leaky_relu(m: ModelBuilder) -> None:
    attributes = m.pick({}, {"alpha": 0.25}, {"alpha": -0.5}, {"alpha": 1.5})
    m.node("LeakyRelu", [m.name], m.shape, **attributes)


def prelu(m: ModelBuilder) -> None:
    m.node("PRelu", [m.name, m.weights(_broadcastable(m))], m.shape)


def clip(m: ModelBuilder) -> None:
    low, high = m.pick(
        (0, 6), (-1, 1), (None, 0.5), (-0.25, None), (None, None), (0, 3.5), (-2, -1)
    )
    if m.opset < 11:
        limits = {"min": low, "max": high}
        present = {name: float(v) for name, v in limits.items() if v is not None}
        m.node("Clip", [m.name], m.shape, **present)
        return
    names = ["" if v is None else m.constant(np.array(v, dtype=m.dtype)) for v in (low, high)]
    m.node("Clip", [m.name, *names], m.shape)


def to_matrix(m: ModelBuilder) -> None:
    assume(len(m.shape) > 0)
    if len(m.shape) != 2:
        m.node("Flatten", [m.name], (m.shape[0], prod(m.shape[1:])))


def gemm(m: ModelBuilder) -> None:
    to_matrix(m)
    left_constant = m.draw(st.booleans())
    flags = {f"trans{side}": m.draw(st.integers(0, 1)) for side in "AB"}
    flip = flags["transB" if left_constant else "transA"]
    rows, columns = m.shape[::-1] if flip else m.shape
    width = m.draw(st.integers(1, 4))
    if left_constant:
        other = m.weights((rows, width) if flags["transA"] else (width, rows))
        factors, shape = [other, m.name], (width, columns)
    else:
        other = m.weights((width, columns) if flags["transB"] else (columns, width))
        factors, shape = [m.name, other], (rows, width)
    addend = m.pick(None, (), (1,), (1, 1), (shape[1],), (shape[0], 1), shape)
    assume(addend is not None or m.opset >= 11)
    rest = [] if addend is None else [m.weights(addend)]
    scales = m.pick({}, {"alpha": 0.5}, {"beta": -1.5}, {"alpha": 1.25, "beta": 0.1})
    m.node("Gemm", [*factors, *rest], shape, **flags, **scales)


def _product_shape(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    assume(len(left) < 3 or len(right) < 3 or 1 in {left[-3], right[-3]} or left[-3] == right[-3])
    return np.matmul(np.zeros(left), np.zeros(right)).shape


def matmul(m: ModelBuilder) -> None:
    assume(len(m.shape) > 0)
    if m.draw(st.booleans()):
        other = m.pick((m.shape[-1],), (m.shape[-1], 3), (2, m.shape[-1], 1))
        pair = [m.name, m.weights(other)]
        shape = _product_shape(m.shape, other)
    else:
        inner = m.shape[-2] if len(m.shape) > 1 else m.shape[0]
        other = m.pick((inner,), (3, inner), (2, 1, inner))
        pair = [m.weights(other), m.name]
        shape = _product_shape(other, m.shape)
    m.node("MatMul", pair, shape)


def flatten(m: ModelBuilder) -> None:
    assume(len(m.shape) > 0)
    axis = m.draw(st.integers(0, len(m.shape)))
    shape = prod(m.shape[:axis]), prod(m.shape[axis:])
    m.node("Flatten", [m.name], shape, axis=axis)


def reshape(m: ModelBuilder) -> None:
    size = prod(m.shape)
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
        wanted, shape = (size,), (size,)
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


STEPS: Mapping[str, Sequence[Callable[[ModelBuilder], None]]] = {
    "Abs": [unary("Abs")],
    "Add": [elementwise("Add"), between_variables("Add")],
    "BatchNormalization": [batch_normalization],
    "Cast": [cast],
    "Clip": [clip],
    "Concat": [concat],
    "Constant": [constant],
    "ConstantOfShape": [constant_of_shape],
    "Div": [elementwise("Div")],
    "Dropout": [dropout],
    "Expand": [expand],
    "Flatten": [flatten],
    "Gather": [gather],
    "Gemm": [gemm],
    "Identity": [unary("Identity")],
    "LeakyRelu": [leaky_relu],
    "MatMul": [matmul],
    "Max": [between_variables("Max"), variadic("Max"), elementwise("Max")],
    "Mean": [between_variables("Mean"), variadic("Mean")],
    "Min": [between_variables("Min"), variadic("Min"), elementwise("Min")],
    "Mul": [elementwise("Mul")],
    "Neg": [unary("Neg")],
    "PRelu": [prelu],
    "Pad": [pad],
    "ReduceMean": [reduction("ReduceMean", 18)],
    "ReduceSum": [reduction("ReduceSum", 13)],
    "Relu": [relu],
    "Reshape": [reshape],
    "Shape": [shape_of],
    "Slice": [slice_],
    "Split": [split],
    "Squeeze": [squeeze],
    "Sub": [elementwise("Sub"), between_variables("Sub")],
    "Sum": [between_variables("Sum"), variadic("Sum")],
    "Transpose": [transpose],
    "Unsqueeze": [unsqueeze],
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
