# SPDX-License-Identifier: Apache-2.0
"""Lowering of the affine operators: sums, products with constants, matrix products, averages.

Two constants are combined as a runtime does it, in their own type and rounded once per operator
(that is the weight which the deployed network has); their matrix products are refused, since the
order of summation would matter. A variable meets constants exactly.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from verifier.ir.onnx_node import OnnxNode, exact_constant
from verifier.ir.onnx_values import (
    Constant,
    Element,
    Movable,
    Shape,
    Tensor,
    Variable,
    checked,
    checked_matrix,
    positions,
)
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_T = TypeVar("_T", bound=Movable)

# A common denominator of this many bits is far more than any normalisation by constants needs.
_MAX_DENOMINATOR_BITS = 1 << 14


def common_shape(node: OnnxNode, *tensors: Tensor) -> Shape:
    """Return the shape that tensors of one type are broadcast to, by numpy's rules."""
    node.same_element(*tensors)
    try:
        shape = np.broadcast_shapes(*(tensor.shape for tensor in tensors))
    except ValueError:
        shapes = ", ".join(str(list(tensor.shape)) for tensor in tensors)
        node.damaged(f"shapes {shapes} cannot be broadcast together")
    return checked(shape, node.place)


def broadcast(tensor: Variable, shape: Shape) -> Variable:
    """Return the variable repeated to a shape, by numpy's rules."""
    if tensor.shape == shape:
        return tensor
    return tensor.take(np.broadcast_to(positions(tensor.shape), shape))


def repeated(array: RationalArray, shape: Shape) -> RationalArray:
    """Return a constant repeated to a shape, by numpy's rules."""
    return RationalArray(np.broadcast_to(array.numerators, shape), array.denominator)


def folded(
    node: OnnxNode, operation: Callable[..., NDArray[np.generic]], *constants: Constant
) -> Constant:
    """Return an elementwise operation on constants, rounded once in their own type."""
    element = node.same_element(*constants)
    if element is Element.BFLOAT16 or element is Element.BOOL:
        node.refuse(f"arithmetic between two {element.name} constants; supported: FLOAT, DOUBLE")
    with np.errstate(all="ignore"):
        array = np.asarray(operation(*(constant.array for constant in constants)))
    if not element.is_float:
        wide = operation(*(c.array.astype(object) for c in constants))
        if array.dtype != element.dtype or not np.array_equal(wide, array.astype(object)):
            node.refuse("integers overflow")
    return Constant(array.astype(element.dtype), element)


def scaled_by(variable: Variable, factor: Fraction) -> Variable:
    """Return the variable times a number."""
    return variable if factor == 1 else variable.scaled(exact_constant(factor, variable.shape))


def add_tensors(node: OnnxNode, left: Tensor, right: Tensor) -> Tensor:
    """Return the sum."""
    shape = common_shape(node, left, right)
    match left, right:
        case Constant() as a, Constant() as b:
            return folded(node, np.add, a, b)
        case (Variable() as x, Constant() as c) | (Constant() as c, Variable() as x):
            return broadcast(x, shape).shifted(repeated(c.exact, shape))
        case Variable() as x, Variable() as y:
            return broadcast(x, shape).plus(broadcast(y, shape))
        case _:
            raise AssertionError


def add(node: OnnxNode) -> Tensor:
    """``a + b``."""
    node.check_inputs(2)
    return add_tensors(node, node.input(0), node.input(1))


def neg(node: OnnxNode) -> Tensor:
    """``-a``."""
    node.check_inputs(1)
    tensor = node.input(0)
    if isinstance(tensor, Constant):
        return folded(node, np.negative, tensor)
    return scaled_by(tensor, Fraction(-1))


def sub(node: OnnxNode) -> Tensor:
    """``a - b``."""
    node.check_inputs(2)
    left, right = node.input(0), node.input(1)
    shape = common_shape(node, left, right)
    if isinstance(right, Variable):
        return add_tensors(node, left, scaled_by(right, Fraction(-1)))
    if isinstance(left, Constant):
        return folded(node, np.subtract, left, right)
    return broadcast(left, shape).shifted(repeated(-right.exact, shape))


def mul(node: OnnxNode) -> Tensor:
    """``a * b`` where at least one is constant."""
    node.check_inputs(2)
    left, right = node.input(0), node.input(1)
    shape = common_shape(node, left, right)
    match left, right:
        case Constant() as a, Constant() as b:
            return folded(node, np.multiply, a, b)
        case (Variable() as x, Constant() as c) | (Constant() as c, Variable() as x):
            return broadcast(x, shape).scaled(repeated(c.exact, shape))
        case _:
            return node.refuse("both factors depend on the input; supported: one constant factor")


def div(node: OnnxNode) -> Tensor:
    """``a / b`` where b is constant."""
    node.check_inputs(2)
    left, right = node.input(0), node.constant(1, "the divisor")
    shape = common_shape(node, left, right)
    if not right.element.is_float:
        node.refuse(f"division of {right.element.name}; supported: floats")
    if not np.all(right.array):
        node.refuse("division by zero")
    if isinstance(left, Constant):
        return folded(node, np.divide, left, right)
    return broadcast(left, shape).scaled(repeated(_reciprocal(node, right), shape))


def _reciprocal(node: OnnxNode, constant: Constant) -> RationalArray:
    inverse = RationalArray.from_fractions(
        (1 / value for value in constant.exact.fractions()), constant.shape
    )
    if inverse.denominator.bit_length() > _MAX_DENOMINATOR_BITS:
        node.refuse(
            f"{prod(constant.shape)} different divisors have no manageable common denominator; "
            "supported: a few distinct divisors, or multiplication by the reciprocals"
        )
    return inverse


def sum_(node: OnnxNode) -> Tensor:
    """``a + b + ...``."""
    node.check_inputs(1, len(node.inputs))
    total = node.input(0)
    for position in range(1, len(node.inputs)):
        total = add_tensors(node, total, node.input(position))
    return total


def mean(node: OnnxNode) -> Tensor:
    """``(a + b + ...) / n``."""
    total = sum_(node)
    if isinstance(total, Constant):
        node.refuse("a mean of constants; supported: a mean of tensors that depend on the input")
    return scaled_by(total, Fraction(1, len(node.inputs)))


def matmul(node: OnnxNode) -> Tensor:
    """``a @ b`` by numpy's rules, where one is constant."""
    node.check_inputs(2)
    return multiply(node, node.input(0), node.input(1))


def multiply(node: OnnxNode, left: Tensor, right: Tensor) -> Variable:
    """Return the matrix product by numpy's rules for vectors, matrices and batches of them."""
    node.same_element(left, right)
    a, b = left.shape, right.shape
    if not a or not b:
        node.damaged("a matrix product of a scalar")
    wide_a = (1, *a) if len(a) == 1 else a
    wide_b = (*b, 1) if len(b) == 1 else b
    try:
        batch = np.broadcast_shapes(wide_a[:-2], wide_b[:-2])
    except ValueError:
        batch = None
    if wide_a[-1] != wide_b[-2] or batch is None:
        node.damaged(f"shapes {list(a)} and {list(b)} cannot be multiplied")
    shape = checked((*batch, wide_a[-2], wide_b[-1]), node.place)
    lefts = _stack(node, left, wide_a, (*batch, *wide_a[-2:]))
    rights = _stack(node, right, wide_b, (*batch, *wide_b[-2:]))
    product = _batched(node, lefts, rights, shape)
    if len(a) == 1:
        shape = (*shape[:-2], shape[-1])
    if len(b) == 1:
        shape = shape[:-1]
    return reshaped(product, shape)


def _stack(node: OnnxNode, tensor: Tensor, shape: Shape, wide: Shape) -> Tensor:
    """Return the tensor in a shape with two axes at least, then repeated to a wider one."""
    checked(wide, node.place)
    if tensor.shape == wide:
        return tensor
    return tensor.take(np.broadcast_to(positions(shape), wide))


def _batched(node: OnnxNode, left: Tensor, right: Tensor, shape: Shape) -> Variable:
    """Return the products of two stacks of matrices of equal height."""
    if isinstance(left, Constant) and isinstance(right, Variable):
        # (A x)' = x' A': so the variable is always on the left.
        return swapped(_batched(node, swapped(right), swapped(left), _swap(shape)))
    if not isinstance(left, Variable) or not isinstance(right, Constant):
        both = "constant" if isinstance(left, Constant) else "variable"
        node.refuse(f"both factors are {both}; supported: one constant, one depends on the input")
    checked_matrix(*right.shape[-2:])
    rows, inner = left.shape[-2:]
    stack = prod(shape[:-2])
    lefts = positions((stack, rows, inner))
    rights = right.exact.reshape((stack, *right.shape[-2:]))
    parts = [left.take(lefts[k]).matmul(rights[k]) for k in range(stack)]
    return reshaped(parts[0] if stack == 1 else left.joined(parts), shape)


def _swap(shape: Shape) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2])


def swapped(tensor: _T) -> _T:
    """Return the tensor with its last two axes exchanged."""
    return tensor.take(np.swapaxes(positions(tensor.shape), -1, -2))


def reshaped(tensor: _T, shape: Shape) -> _T:
    """Return the same entries in another shape."""
    return tensor if tensor.shape == shape else tensor.take(positions(shape))


def gemm(node: OnnxNode) -> Tensor:
    """``alpha * A' @ B' + beta * C``."""
    node.check_inputs(2, 3)
    alpha, beta = node.number("alpha", Fraction(1)), node.number("beta", Fraction(1))
    left, right = node.input(0), node.input(1)
    for tensor in (left, right):
        if len(tensor.shape) != 2:
            node.damaged(f"a factor has shape {list(tensor.shape)}, not two axes")
    left = swapped(left) if node.integer("transA", 0) else left
    right = swapped(right) if node.integer("transB", 0) else right
    product = scaled_by(multiply(node, left, right), alpha)
    addend = node.optional(2)
    if addend is None:
        return product
    if common_shape(node, addend, product) != product.shape:
        node.damaged(f"C has shape {list(addend.shape)}, the product {list(product.shape)}")
    if isinstance(addend, Variable):
        return product.plus(broadcast(scaled_by(addend, beta), product.shape))
    scaled = addend.exact * exact_constant(beta, addend.shape)
    return product.shifted(repeated(scaled, product.shape))


def reduce_sum(node: OnnxNode) -> Tensor:
    """Sum over axes."""
    return _reduced(node, axes_since=13, average=False)


def reduce_mean(node: OnnxNode) -> Tensor:
    """Average over axes."""
    return _reduced(node, axes_since=18, average=True)


def _reduced(node: OnnxNode, *, axes_since: int, average: bool) -> Tensor:
    """Return a sum or average; from some opset on the axes are an input, before an attribute."""
    axes_are_input = node.opset >= axes_since
    node.check_inputs(1, 2 if axes_are_input else 1)
    tensor = node.input(0)
    rank = len(tensor.shape)
    if axes_are_input:
        chosen = node.constant_integers(1, "axes")
        if not chosen and node.integer("noop_with_empty_axes", 0):
            return tensor
    else:
        chosen = node.integers("axes")
    axes = node.axes(chosen, rank) if chosen else list(range(rank))
    kept = [axis for axis in range(rank) if axis not in axes]
    keep = node.integer("keepdims", 1)
    shape = tuple(1 if i in axes else n for i, n in enumerate(tensor.shape) if keep or i in kept)
    if isinstance(tensor, Constant):
        node.refuse("a sum over a constant tensor; supported: one that depends on the input")
    terms = prod(tensor.shape[axis] for axis in axes)
    moved = positions(tensor.shape).transpose(kept + axes).reshape((-1, terms))
    weight = exact_constant(Fraction(1, terms if average else 1), (terms, 1))
    return reshaped(tensor.take(moved).matmul(weight), shape)


def batch_normalization(node: OnnxNode) -> Tensor:
    """``(x - mean) / sqrt(variance + epsilon) * scale + bias`` for each channel, in inference.

    The square root is irrational in general, so the factor ``scale / sqrt(variance + epsilon)``
    is the float64 number that correctly rounded steps give: the network verified has this factor,
    which is closer to the formula than any float32 runtime comes. All else is exact.
    """
    node.check_inputs(5)
    node.ignore("momentum")
    if node.integer("training_mode", 0):
        node.refuse("training_mode is 1; supported: inference")
    if node.output_count > 1:
        node.refuse(f"{node.output_count} outputs; supported: inference, with one output")
    if node.integer("spatial", 1) != 1:
        node.refuse("spatial is 0; supported: 1")
    epsilon = float(node.number("epsilon", Fraction(float(np.float32(1e-5)))))
    tensor = node.input(0)
    if isinstance(tensor, Constant) or len(tensor.shape) < 2:
        node.refuse("the input is constant or has no channel axis")
    parameters = [node.constant(i, "a parameter") for i in range(1, 5)]
    channels = (tensor.shape[1],)
    for parameter in parameters:
        if parameter.shape != channels or not parameter.element.is_float:
            node.damaged(f"a parameter has shape {list(parameter.shape)}, not {list(channels)}")
    node.same_element(tensor, *parameters)
    scale, variance = (parameters[i].array.astype(np.float64) for i in (0, 3))
    if not np.all(variance + epsilon > 0):
        node.refuse("a variance plus epsilon is not positive")
    factor = RationalArray.from_floats(scale / np.sqrt(variance + epsilon))
    shift = -(factor * parameters[2].exact)
    along = (channels[0], *(1 for _ in tensor.shape[2:]))

    def channelwise(array: RationalArray) -> RationalArray:
        return repeated(array.reshape(along), tensor.shape)

    # Runtimes compute the factor in float32, in up to six roundings, and may fold it into the sum.
    scaled = tensor.scaled(channelwise(factor), roundings=8)
    return scaled.shifted(channelwise(shift)).shifted(channelwise(parameters[1].exact))
