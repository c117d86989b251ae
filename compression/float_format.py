# SPDX-License-Identifier: Apache-2.0
"""Binary floating-point formats, and exact rounding into them.

A format has ``precision`` significant bits, and no number finer than ``2**quantum``. A rational
``n / d`` with ``2**e <= |n / d| < 2**(e + 1)`` is rounded to a multiple of
``2**max(e - precision + 1, quantum)``, ties to the even multiple: that one formula covers normal
and subnormal numbers (IEEE 754-2019, section 4.3.1). It is computed in integers from the exact
value. A cast by way of a wider format would round twice, and so land on the wrong neighbour of a
tie now and then.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from verifier.ir.graph import Graph


class FormatOverflowError(ValueError):
    """A number is too large for a format.

    Attributes:
        index: Where the number stands in its array.
    """

    def __init__(self, index: tuple[int, ...], value: float, name: str) -> None:
        """Name the entry."""
        super().__init__(f"entry {index} is {value:.6g}, too large for {name}")
        self.index = index


@dataclass(frozen=True)
class FloatFormat:
    """A binary floating-point format.

    Attributes:
        name: As numpy and ONNX call it.
        precision: Significant bits, the hidden one included.
        quantum: Exponent of the smallest subnormal number.
        max_exponent: Every finite number is below ``2**(max_exponent + 1)``.
    """

    name: str
    precision: int
    quantum: int
    max_exponent: int

    def nearest(self, values: RationalArray) -> RationalArray:
        """Round every entry to the nearest number of the format, ties to even.

        Raises:
            FormatOverflowError: An entry would become infinite.
        """
        rounded = np.empty(values.shape, dtype=np.float64)
        for index, numerator in np.ndenumerate(values.numerators):
            mantissa, exponent = self._round(abs(int(numerator)), values.denominator)
            if mantissa and mantissa.bit_length() - 1 + exponent > self.max_exponent:
                raise FormatOverflowError(index, _magnitude(values, index), self.name)
            # Exact: every format here is a subset of float64.
            rounded[index] = math.ldexp(mantissa if numerator > 0 else -mantissa, exponent)
        return RationalArray.from_floats(rounded)

    def holds(self, values: RationalArray) -> bool:
        """Return whether every entry is a number of the format."""
        return all(self._holds(abs(int(n)), values.denominator) for n in values.numerators.flat)

    def _round(self, numerator: int, denominator: int) -> tuple[int, int]:
        """Return ``(m, q)`` so that ``m * 2**q`` is nearest to the non-negative fraction."""
        if numerator == 0:
            return 0, 0
        exponent = floor_log2(numerator, denominator)
        quantum = max(exponent - self.precision + 1, self.quantum)
        numerator <<= max(-quantum, 0)
        denominator <<= max(quantum, 0)
        mantissa, remainder = divmod(numerator, denominator)
        twice = 2 * remainder
        return mantissa + (twice > denominator or (twice == denominator and mantissa & 1)), quantum

    def _holds(self, numerator: int, denominator: int) -> bool:
        mantissa, exponent = self._round(numerator, denominator)
        if mantissa.bit_length() - 1 + exponent > self.max_exponent:
            return False
        scaled = mantissa * denominator
        return scaled << max(exponent, 0) == numerator << max(-exponent, 0)


FLOAT16 = FloatFormat("float16", precision=11, quantum=-24, max_exponent=15)
BFLOAT16 = FloatFormat("bfloat16", precision=8, quantum=-133, max_exponent=127)
FLOAT32 = FloatFormat("float32", precision=24, quantum=-149, max_exponent=127)
FLOAT64 = FloatFormat("float64", precision=53, quantum=-1074, max_exponent=1023)


def smallest_format(graph: Graph) -> FloatFormat | None:
    """Return the narrower of float32 and float64 that holds every weight and bias exactly.

    ``None`` where neither does: some number of the network is no binary fraction, or too long.
    """
    tensors = [
        tensor
        for node in graph.nodes
        if isinstance(node.operator, Affine)
        for tensor in (*node.operator.weights, node.operator.bias)
    ]
    for candidate in (FLOAT32, FLOAT64):
        if all(candidate.holds(tensor) for tensor in tensors):
            return candidate
    return None


def floor_log2(numerator: int, denominator: int) -> int:
    """Return the ``e`` with ``2**e <= numerator / denominator < 2**(e + 1)``; both positive."""
    exponent = numerator.bit_length() - denominator.bit_length()
    too_large = numerator << max(-exponent, 0) < denominator << max(exponent, 0)
    return exponent - too_large


def power_of_two(exponent: int) -> Fraction:
    """Return ``2**exponent`` exactly."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def _magnitude(values: RationalArray, index: tuple[int, ...]) -> float:
    try:
        return float(values.fraction(*index))
    except OverflowError:  # Beyond float64 as well.
        return math.inf if values.numerators[index] > 0 else -math.inf
