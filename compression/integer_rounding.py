# SPDX-License-Identifier: Apache-2.0
"""Rounding of rationals to integers: how many steps of a grid a weight is.

Everything is integer division with remainder, so a tie is a tie and not what a quotient of floats
happens to round to.
"""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verifier.ir.rational import RationalArray


class Rounding(StrEnum):
    """Which integer stands for a number between two."""

    NEAREST = "nearest"  # Ties go to the even one, as in IEEE 754 and QuantizeLinear.
    TRUNCATE = "truncate"  # Towards zero.
    FLOOR = "floor"  # Downwards: what dropping bits of a two's complement number does.


def steps(values: RationalArray, step: Fraction, rounding: Rounding) -> NDArray[Any]:
    """Return ``values / step`` rounded to integers, as an object array of Python integers.

    Args:
        values: Any shape.
        step: Positive.
        rounding: How.
    """
    dividend = values.numerators * step.denominator
    divisor = values.denominator * step.numerator
    below = np.asarray(dividend // divisor, dtype=object)
    remainder = np.asarray(dividend - below * divisor, dtype=object)
    match rounding:
        case Rounding.FLOOR:
            up = np.zeros(below.shape, dtype=bool)
        case Rounding.TRUNCATE:
            up = (dividend < 0) & (remainder != 0)
        case Rounding.NEAREST:
            odd = (below % 2) == 1
            up = (2 * remainder > divisor) | ((2 * remainder == divisor) & odd)
    return np.asarray(below + up.astype(int).astype(object), dtype=object)


def extremes(values: RationalArray) -> tuple[Fraction, Fraction]:
    """Return the least and greatest of the entries and zero."""
    entries = [0, *(int(n) for n in values.numerators.flat)]
    return Fraction(min(entries), values.denominator), Fraction(max(entries), values.denominator)
