# SPDX-License-Identifier: Apache-2.0
"""Variables at sample points, with a bound on what a floating-point runtime may get instead.

Invariant: if the runtime's result for an entry is ``r`` and the exact one ``v``, then ``r - v`` is
``sum_s noise[s] * t[s] + e`` for some ``t[s]`` in [-1, 1], the same for all entries, and some ``e``
with ``|e| <= error``. ``value`` is ``v`` up to float64 rounding, which ``error`` includes.

It is a running error analysis (Higham 2002, chapter 3). A sum of ``n`` products, added in any
order, with or without fused multiply-add, is off by at most ``gamma(n) * sum |w_i x_i|`` with
``gamma(n) = n u / (1 - n u)``. Two details keep this valid when a runtime merges neighbouring
nodes, such as MatMul and Add into Gemm:

  * ``depth`` counts the roundings since the last ReLU, and each further step is charged as if it
    were the last term of that whole sum;
  * magnitudes are those of the operands, never of a result in which they may have cancelled.

Results that underflow lose at most the smallest normal number each, whether or not they are
flushed to zero.

The errors that operands bring along could pass through ``|W|``, but then six layers of 50 neurons
leave nothing to compare: the bound came to several times the output. As noise symbols they pass
through ``W`` itself and cancel as the true errors do; the same networks are then compared to about
four digits. A ReLU whose sign the error cannot turn passes symbols on or drops them; the others
(few) put their whole error into ``error``, since ReLU brings no two values further apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from verifier.ir.onnx_values import Constant, Element, Shape, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from verifier.ir.rational import RationalArray

_UNDERFLOW = {Element.FLOAT16: 2.0**-14, Element.FLOAT: 2.0**-126, Element.DOUBLE: 2.0**-1022}
# The analysis itself runs in float64; a part in a million covers its own roundings.
_OWN = 1 + 1e-6


# Symbols times entries times points, above which errors pass through |W| after all.
_MAX_NOISE = 1 << 25

# One array of shape (points, symbols, entries) for each matrix product that made symbols.
Noise = dict[int, "NDArray[np.float64]"]


@dataclass(frozen=True, eq=False)
class Rounded(Variable):
    """A tensor at several points.

    Attributes:
        shape: Of the tensor.
        element: Its type, which sets the unit roundoff.
        value: Shape (points, entries).
        error: The same shape.
        noise: By block of symbols.
        depth: Roundings on the longest way from the last ReLU.
        blocks: Numbers the blocks of all tensors of one run.
    """

    shape: Shape
    element: Element
    value: NDArray[np.float64]
    error: NDArray[np.float64]
    blocks: Iterator[int]
    noise: Noise = field(default_factory=dict)
    depth: int = 0

    @classmethod
    def at(cls, points: NDArray[np.float64], shape: Shape, element: Element) -> Rounded:
        """Return the input at points that the element type holds exactly."""
        return cls(shape, element, points, np.zeros_like(points), count())

    def total_error(self) -> NDArray[np.float64]:
        """Return the bound on each entry's error, symbols included."""
        symbols = [np.abs(block).sum(axis=1) for block in self.noise.values()]
        return np.asarray(sum(symbols, self.error)) * _OWN

    def _charged(
        self, value: NDArray[np.float64], magnitude: NDArray[np.float64], roundings: int
    ) -> Rounded:
        """Return the value with the roundings that made it; the caller adds what came along."""
        depth = self.depth + roundings
        # The weights' float64 views are off by 2**-53 each, and so is each step of ours.
        unit = (depth + 2) * (2.0**-self.element.precision + 2.0**-51)
        gamma = unit / (1 - unit) * _OWN if unit < 1 else np.inf
        error = gamma * magnitude + roundings * _UNDERFLOW[self.element]
        return replace(self, shape=(value.shape[1],), value=value, error=error, depth=depth)

    def take(self, index: NDArray[np.int64]) -> Rounded:
        """Return chosen entries, in another shape; moving entries rounds nothing."""
        flat, missing = np.maximum(index, 0).ravel(), (index < 0).ravel()
        return replace(
            self,
            shape=index.shape,
            value=np.where(missing, 0.0, self.value[:, flat]),
            error=np.where(missing, 0.0, self.error[:, flat]),
            noise={k: np.where(missing, 0.0, b[..., flat]) for k, b in self.noise.items()},
        )

    def joined(self, parts: Sequence[Rounded | Constant]) -> Rounded:
        """Return the entries of all parts in a row."""
        columns = [self._constant(p) if isinstance(p, Constant) else p for p in parts]
        value = np.concatenate([c.value for c in columns], axis=1)
        starts = np.cumsum([0, *(c.value.shape[1] for c in columns)])
        noise: Noise = {}
        for column, start in zip(columns, starts, strict=False):
            for key, block in column.noise.items():
                empty = np.zeros((*block.shape[:2], value.shape[1]))
                noise.setdefault(key, empty)[..., start : start + block.shape[2]] = block
        return replace(
            self,
            shape=(value.shape[1],),
            value=value,
            error=np.concatenate([c.error for c in columns], axis=1),
            noise=noise,
            depth=max(c.depth for c in columns),
        )

    def _constant(self, constant: Constant) -> Rounded:
        row = constant.array.astype(np.float64).reshape((1, -1))
        value = np.repeat(row, len(self.value), axis=0)
        return Rounded(constant.shape, self.element, value, np.zeros_like(value), self.blocks)

    def retyped(self, element: Element) -> Rounded:
        """Return the same values: widening rounds nothing."""
        return replace(self, element=element)

    def scaled(self, factors: RationalArray, roundings: int = 1) -> Rounded:
        """Multiply entry by entry."""
        factor = factors.approximate.ravel()
        reach = np.abs(factor) * (np.abs(self.value) + self.total_error())
        result = self._charged(self.value * factor, reach, roundings)
        error = result.error + self.error * np.abs(factor) * _OWN
        noise = {key: block * factor for key, block in self.noise.items()}
        return replace(result, shape=self.shape, error=error, noise=noise)

    def shifted(self, offsets: RationalArray) -> Rounded:
        """Add entry by entry."""
        offset = offsets.approximate.ravel()
        reach = np.abs(self.value) + self.total_error() + np.abs(offset)
        result = self._charged(self.value + offset, reach, 1)
        return replace(result, shape=self.shape, error=result.error + self.error)

    def plus(self, other: Rounded) -> Rounded:
        """Add another variable."""
        deeper = self if self.depth >= other.depth else other
        reach = np.abs(self.value) + np.abs(other.value) + self.total_error() + other.total_error()
        result = deeper._charged(self.value + other.value, reach, 1)  # noqa: SLF001
        noise = dict(self.noise)
        for key, block in other.noise.items():
            noise[key] = noise[key] + block if key in noise else block
        error = result.error + self.error + other.error
        return replace(result, shape=self.shape, error=error, noise=noise)

    def matmul(self, matrix: RationalArray) -> Rounded:
        """Multiply each row of the tensor by the matrix; errors so far become symbols."""
        rows, columns = self.shape
        weight = matrix.approximate
        magnitude = np.abs(weight)

        def product(array: NDArray[np.float64], by: NDArray[np.float64]) -> NDArray[np.float64]:
            lead = array.shape[:-1]
            return (array.reshape((*lead, rows, columns)) @ by).reshape((*lead, -1))

        reach = product(np.abs(self.value) + self.total_error(), magnitude)
        result = self._charged(product(self.value, weight), reach, columns)
        noise = {key: product(block, weight) for key, block in self.noise.items()}
        error = result.error
        if rows == 1 and len(self.value) * weight.size <= _MAX_NOISE:
            if self.error.any():
                noise[next(self.blocks)] = self.error[:, :, None] * weight
        else:
            error = error + product(self.error, magnitude) * _OWN
        return replace(result, shape=(rows, weight.shape[1]), error=error, noise=noise)

    def relu(self) -> Rounded:
        """Return ``max(x, 0)``, which is exact and brings no two values further apart."""
        total = self.total_error()
        active, inactive = self.value > total, self.value < -total
        kept = np.where(active, self.error, np.where(inactive, 0.0, total))
        noise = {key: np.where(active[:, None, :], b, 0.0) for key, b in self.noise.items()}
        value = np.maximum(self.value, 0.0)
        return replace(self, value=value, error=kept, noise=noise, depth=0)
