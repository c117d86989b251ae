# SPDX-License-Identifier: Apache-2.0
"""Binary floating-point formats, and exact rounding into them.

A format has ``precision`` significant bits, and no number finer than ``2**quantum``. A rational
``n / d`` with ``2**e <= |n / d| < 2**(e + 1)`` is rounded to a multiple of
``2**max(e - precision + 1, quantum)``, ties to the even multiple: that one formula covers normal
and subnormal numbers (IEEE 754-2019, section 4.3.1). It is computed without error from the exact
value: on float64 arrays where float64 holds the values, in integers elsewhere. A cast by way of a
wider format would round twice, and so land on the wrong neighbour of a tie now and then.
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
    from numpy.typing import NDArray

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

    @property
    def bits(self) -> int:
        """Bits of a number: its exponent, its sign, and its significand without the hidden bit."""
        return self.precision + (self.max_exponent + 1).bit_length()

    def nearest(self, values: RationalArray) -> RationalArray:
        """Round every entry to the nearest number of the format, ties to even.

        Raises:
            FormatOverflowError: An entry would become infinite.
        """
        floats = _as_float64(values)
        if floats is not None:
            return self._nearest_to_floats(floats)
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
        floats = _as_float64(values)
        if floats is None:
            return False  # Every format here is a subset of float64.
        return bool(np.all(self._rounded(floats) == floats) and not self._overflow(floats).any())

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

    def _nearest_to_floats(self, floats: NDArray[np.float64]) -> RationalArray:
        rounded = self._rounded(floats)
        too_large = np.argwhere(self._overflow(rounded))
        if len(too_large):
            index = tuple(int(i) for i in too_large[0])
            raise FormatOverflowError(index, float(floats[index]), self.name)
        return RationalArray.from_floats(rounded)

    def _rounded(self, floats: NDArray[np.float64]) -> NDArray[np.float64]:
        """Round numbers that float64 holds, by the formula above, overflow not regarded."""
        if self.precision == FLOAT64.precision:
            return floats
        # Exact throughout: scaling by a power of two leaves at most ``precision`` bits before
        # the point and the number's own after it, and rint rounds those to even.
        _, exponents = np.frexp(floats)
        quanta = np.maximum(exponents - self.precision, self.quantum)
        with np.errstate(over="ignore"):  # Infinity is an overflow like any other.
            rounded: NDArray[np.float64] = np.ldexp(np.rint(np.ldexp(floats, -quanta)), quanta)
        return rounded

    def _overflow(self, rounded: NDArray[np.float64]) -> NDArray[np.bool_]:
        if self.precision == FLOAT64.precision:
            return np.zeros(rounded.shape, dtype=bool)
        return np.asarray(np.abs(rounded) >= 2.0 ** (self.max_exponent + 1))


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


def _as_float64(values: RationalArray) -> NDArray[np.float64] | None:
    """Return the entries as float64 if it holds all of them exactly."""
    try:
        floats = values.approximate
    except OverflowError:
        return None
    back = RationalArray.from_floats(floats)
    same = back.numerators * values.denominator == values.numerators * back.denominator
    return floats if np.all(same) else None


def _magnitude(values: RationalArray, index: tuple[int, ...]) -> float:
    try:
        return float(values.fraction(*index))
    except OverflowError:  # Beyond float64 as well.
        return math.inf if values.numerators[index] > 0 else -math.inf
