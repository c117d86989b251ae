# SPDX-License-Identifier: Apache-2.0
"""Variables at sample points, with a bound on what a floating-point runtime may get instead.

Invariant: if the runtime's result for an entry is ``r`` and the exact one ``v``, then
``|r - v| <= error``; ``value`` is ``v`` up to float64 rounding, which ``error`` includes.

It is a running error analysis (Higham 2002, chapter 3). A sum of ``n`` products, added in any
order, with or without fused multiply-add, is off by at most ``gamma(n) * sum |w_i x_i|`` with
``gamma(n) = n u / (1 - n u)``; the error that the operands bring along passes through ``|W|``. Two
details keep this valid when a runtime merges neighbouring nodes, such as MatMul and Add into Gemm:

  * ``depth`` counts the roundings since the last ReLU, and each further step is charged as if it
    were the last term of that whole sum;
  * magnitudes are those of the operands, never of a result in which they may have cancelled.

Results that underflow lose at most the smallest normal number each, whether or not they are
flushed to zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from verifier.ir.onnx_values import Constant, Element, Shape, Variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.ir.rational import RationalArray

_UNDERFLOW = {Element.FLOAT16: 2.0**-14, Element.FLOAT: 2.0**-126, Element.DOUBLE: 2.0**-1022}
# The analysis itself runs in float64; a part in a million covers its own roundings.
_OWN = 1 + 1e-6


@dataclass(frozen=True, eq=False)
class Rounded(Variable):
    """A tensor at several points.

    Attributes:
        shape: Of the tensor.
        element: Its type, which sets the unit roundoff.
        value: Shape (points, entries).
        error: The same shape.
        depth: Roundings on the longest way from the last ReLU.
    """

    shape: Shape
    element: Element
    value: NDArray[np.float64]
    error: NDArray[np.float64]
    depth: int = 0

    @classmethod
    def at(cls, points: NDArray[np.float64], shape: Shape, element: Element) -> Rounded:
        """Return the input at points that the element type holds exactly."""
        return cls(shape, element, points, np.zeros_like(points))

    def _gamma(self, roundings: int) -> float:
        # The weights' float64 views are off by 2**-53 each, and so is each step of ours.
        count = roundings + 2
        unit = 2.0**-self.element.precision + 2.0**-51
        return count * unit / (1 - count * unit) * _OWN

    def _charged(
        self,
        value: NDArray[np.float64],
        carried: NDArray[np.float64],
        magnitude: NDArray[np.float64],
        roundings: int,
    ) -> Rounded:
        depth = self.depth + roundings
        error = carried * _OWN + self._gamma(depth) * magnitude
        error += roundings * _UNDERFLOW[self.element]
        return Rounded((value.shape[1],), self.element, value, error, depth)

    def take(self, index: NDArray[np.int64]) -> Rounded:
        """Return chosen entries, in another shape; moving entries rounds nothing."""
        flat, missing = np.maximum(index, 0).ravel(), (index < 0).ravel()
        value = np.where(missing, 0.0, self.value[:, flat])
        error = np.where(missing, 0.0, self.error[:, flat])
        return replace(self, shape=index.shape, value=value, error=error)

    def joined(self, parts: Sequence[Rounded | Constant]) -> Rounded:
        """Return the entries of all parts in a row."""
        columns = [self._constant(p) if isinstance(p, Constant) else p for p in parts]
        value = np.concatenate([c.value for c in columns], axis=1)
        error = np.concatenate([c.error for c in columns], axis=1)
        depth = max(c.depth for c in columns)
        return Rounded((value.shape[1],), self.element, value, error, depth)

    def _constant(self, constant: Constant) -> Rounded:
        row = constant.array.astype(np.float64).reshape((1, -1))
        value = np.repeat(row, len(self.value), axis=0)
        return Rounded(constant.shape, constant.element, value, np.zeros_like(value))

    def retyped(self, element: Element) -> Rounded:
        """Return the same values: widening rounds nothing."""
        return replace(self, element=element)

    def scaled(self, factors: RationalArray, roundings: int = 1) -> Rounded:
        """Multiply entry by entry."""
        factor = factors.approximate.ravel()
        reach = np.abs(factor) * (np.abs(self.value) + self.error)
        result = self._charged(
            self.value * factor, self.error * np.abs(factor), reach, roundings
        )
        return replace(result, shape=self.shape)

    def shifted(self, offsets: RationalArray) -> Rounded:
        """Add entry by entry."""
        offset = offsets.approximate.ravel()
        reach = np.abs(self.value) + self.error + np.abs(offset)
        return replace(
            self._charged(self.value + offset, self.error, reach, 1), shape=self.shape
        )

    def plus(self, other: Rounded) -> Rounded:
        """Add two variables."""
        deeper = self if self.depth >= other.depth else other
        reach = np.abs(self.value) + self.error + np.abs(other.value) + other.error
        result = deeper._charged(  # noqa: SLF001
            self.value + other.value, self.error + other.error, reach, 1
        )
        return replace(result, shape=self.shape)

    def matmul(self, matrix: RationalArray) -> Rounded:
        """Multiply each row of the tensor by the matrix."""
        rows, columns = self.shape
        weight = matrix.approximate
        value = self.value.reshape((-1, columns))
        error = self.error.reshape((-1, columns))
        magnitude = np.abs(weight)
        result = self._charged(
            value @ weight, error @ magnitude, (np.abs(value) + error) @ magnitude, columns
        )
        shape = (rows, weight.shape[1])
        flat = (len(self.value), prod(shape))
        return replace(
            result, shape=shape, value=result.value.reshape(flat), error=result.error.reshape(flat)
        )

    def relu(self) -> Rounded:
        """Return ``max(x, 0)``, which is exact and brings no two values further apart."""
        return replace(self, value=np.maximum(self.value, 0.0), depth=0)
