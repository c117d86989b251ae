# SPDX-License-Identifier: Apache-2.0
"""Steps that compute something: sums, products and activations, in every spelling."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ir.onnx_builder import ModelBuilder


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


EXTREMES = (elementwise, between_variables, variadic)


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
    return tuple(np.matmul(np.zeros(left), np.zeros(right)).shape)


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
