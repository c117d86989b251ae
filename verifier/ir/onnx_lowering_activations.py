# SPDX-License-Identifier: Apache-2.0
"""Lowering of piecewise linear activations, exactly, with as few ReLUs as we know how.

    LeakyRelu, PRelu   a x + (1 - a) relu(x)
    Abs                2 relu(x) - x
    max(a, b)          b + relu(a - b)
    min(a, b)          b - relu(b - a)
    Clip to [lo, hi]   y = lo + relu(x - lo), then hi - relu(hi - y)

The chain in Clip, rather than a difference of two ReLUs of ``x``, keeps every relaxation of it
between the limits. ``x`` reaches the first two on a skip edge, so one ReLU does for both sides.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from verifier.ir.onnx_lowering_arithmetic import (
    broadcast,
    common_shape,
    folded,
    repeated,
    scaled_by,
)
from verifier.ir.onnx_node import exact_constant
from verifier.ir.onnx_values import Constant, Tensor, Variable

if TYPE_CHECKING:
    from verifier.ir.onnx_node import OnnxNode
    from verifier.ir.rational import RationalArray


def _variable(node: OnnxNode, position: int = 0) -> Variable:
    tensor = node.input(position)
    if isinstance(tensor, Constant):
        node.refuse("applied to a constant; supported: a tensor that depends on the input")
    return tensor


def relu(node: OnnxNode) -> Tensor:
    """``max(x, 0)``."""
    node.check_inputs(1)
    return _variable(node).relu()


def _leaky(x: Variable, slope: RationalArray) -> Variable:
    rest = exact_constant(Fraction(1), x.shape) - slope
    return x.scaled(slope).plus(x.relu().scaled(rest))


def leaky_relu(node: OnnxNode) -> Tensor:
    """``x`` where positive, else ``alpha x``."""
    node.check_inputs(1)
    x = _variable(node)
    alpha = node.number("alpha", Fraction(float(np.float32(0.01))))
    return _leaky(x, exact_constant(alpha, x.shape))


def prelu(node: OnnxNode) -> Tensor:
    """``x`` where positive, else ``slope x``, entry by entry."""
    node.check_inputs(2)
    x, slope = _variable(node), node.constant(1, "the slope")
    if common_shape(node, x, slope) != x.shape:
        node.damaged(f"the slope has shape {list(slope.shape)}, the input {list(x.shape)}")
    return _leaky(x, repeated(slope.exact, x.shape))


def absolute(node: OnnxNode) -> Tensor:
    """``|x|``."""
    node.check_inputs(1)
    x = _variable(node)
    return scaled_by(x.relu(), Fraction(2)).plus(scaled_by(x, Fraction(-1)))


def clip(node: OnnxNode) -> Tensor:
    """``min(max(x, lo), hi)``; either limit may be missing.

    The largest number of the type, which the standard names as default, is no limit either.
    """
    if node.opset < 11:
        node.check_inputs(1)
        limits = [
            _finite(node, float(node.number(name, Fraction(0))))
            if name in node.attributes
            else None
            for name in ("min", "max")
        ]
    else:
        node.check_inputs(1, 3)
        limits = [_limit(node, position) for position in (1, 2)]
    x = _variable(node)
    low, high = limits
    if low is not None and high is not None and low > high:
        node.refuse(f"min {float(low)} is above max {float(high)}")
    if low is not None:
        x = _at_least(x, exact_constant(low, x.shape))
    if high is not None:
        flipped = _at_least(scaled_by(x, Fraction(-1)), exact_constant(-high, x.shape))
        x = scaled_by(flipped, Fraction(-1))
    return x


def _limit(node: OnnxNode, position: int) -> Fraction | None:
    if node.optional(position) is None:
        return None
    limit = node.constant(position, "a limit")
    node.same_element(limit, node.input(0))
    if limit.array.size != 1:
        node.damaged(f"a limit has shape {list(limit.shape)}, not a single number")
    value = float(limit.array.ravel()[0])
    if np.isnan(value) or value == (np.inf if position == 1 else -np.inf):
        node.refuse(f"a limit is {value}")
    return _finite(node, value)


def _finite(node: OnnxNode, limit: float) -> Fraction | None:
    largest = float(np.finfo(node.input(0).element.dtype).max)
    return Fraction(limit) if abs(limit) < largest else None


def _at_least(x: Variable, floor: RationalArray) -> Variable:
    """Return ``max(x, floor)``."""
    if not floor.numerators.any():
        return x.relu()
    return x.shifted(-floor).relu().shifted(floor)


def maximum(node: OnnxNode) -> Tensor:
    """``max(a, b, ...)``."""
    return _extreme(node, 1)


def minimum(node: OnnxNode) -> Tensor:
    """``min(a, b, ...)``."""
    return _extreme(node, -1)


def _extreme(node: OnnxNode, sign: int) -> Tensor:
    """Return the maximum, or for sign -1 the minimum as a maximum of the negated."""
    node.check_inputs(1, len(node.inputs))
    best = node.input(0)
    for position in range(1, len(node.inputs)):
        best = _greater(node, best, node.input(position), sign)
    return best


def _greater(node: OnnxNode, left: Tensor, right: Tensor, sign: int) -> Tensor:
    shape = common_shape(node, left, right)
    match left, right:
        case Constant() as a, Constant() as b:
            return folded(node, np.maximum if sign > 0 else np.minimum, a, b)
        case (Variable() as x, Constant() as c) | (Constant() as c, Variable() as x):
            floor = repeated(c.exact if sign > 0 else -c.exact, shape)
            raised = _at_least(scaled_by(broadcast(x, shape), Fraction(sign)), floor)
            return scaled_by(raised, Fraction(sign))
        case Variable() as x, Variable() as y:
            wide = broadcast(y, shape)
            difference = broadcast(x, shape).plus(scaled_by(wide, Fraction(-1)))
            step = scaled_by(difference, Fraction(sign)).relu()
            return wide.plus(scaled_by(step, Fraction(sign)))
        case _:
            raise AssertionError
