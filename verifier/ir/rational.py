# SPDX-License-Identifier: Apache-2.0
"""Arrays of exact rational numbers with a float64 view.

A verdict speaks of real arithmetic on the weights *as stored*, so weights are kept exactly: as
integers over one common denominator. float32 and float64 weights are dyadic and cost nothing
extra; decimal constants and folded divisions (``x / 255``) are exact too.

Invariant: ``approximate`` is the float64 nearest to the exact value, entry by entry. Bounds rely
on that: they treat each entry as known up to a relative error of ``2**-53`` (plus one subnormal).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_MANTISSA_BITS = 53
# Scalar products in a matrix product from which on converting to flint and back is worth it.
_FLINT_PAYS = 1 << 16


@dataclass(frozen=True, eq=False)
class RationalArray:
    """An immutable array of rationals: ``numerators / denominator``.

    Attributes:
        numerators: Object array of Python integers, of any shape.
        denominator: A positive integer shared by all entries.
    """

    numerators: NDArray[Any]
    denominator: int

    @classmethod
    def from_floats(cls, values: NDArray[Any]) -> RationalArray:
        """Return the exact values of an array of finite floats of any width.

        Raises:
            ValueError: An entry is NaN or infinite.
        """
        array = np.asarray(values, dtype=np.float64)
        if not np.all(np.isfinite(array)):
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            msg = f"entry {where} is {array[where]}, not a finite number"
            raise ValueError(msg)
        mantissas, exponents = np.frexp(array)
        integers = np.ldexp(mantissas, _MANTISSA_BITS).astype(np.int64)
        shifts = exponents.astype(np.int64) - _MANTISSA_BITS
        nonzero = integers != 0
        if not nonzero.any():
            return cls(_frozen(np.zeros(array.shape, dtype=object)), 1)
        # Strip the trailing zeros first: float32 weights then need short integers.
        trailing = np.zeros_like(shifts)
        low_bit = integers & -integers
        trailing[nonzero] = np.log2(low_bit[nonzero].astype(np.float64)).astype(np.int64)
        integers, shifts = integers >> trailing, shifts + trailing
        smallest = min(int(shifts[nonzero].min()), 0)
        powers = np.where(nonzero, shifts - smallest, 0).astype(object)
        return cls(
            _frozen(np.asarray(integers.astype(object) << powers, dtype=object)), 1 << -smallest
        )

    @classmethod
    def from_fractions(
        cls, values: Iterable[Fraction | int], shape: tuple[int, ...]
    ) -> RationalArray:
        """Return an array of the given shape from fractions in row-major order."""
        fractions = [Fraction(value) for value in values]
        denominator = lcm(*(f.denominator for f in fractions)) if fractions else 1
        flat = np.empty(len(fractions), dtype=object)
        flat[:] = [f.numerator * (denominator // f.denominator) for f in fractions]
        return cls(_frozen(flat.reshape(shape)), denominator)

    @classmethod
    def zeros(cls, shape: tuple[int, ...]) -> RationalArray:
        """Return an array of zeros."""
        return cls(_frozen(np.zeros(shape, dtype=object)), 1)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.numerators.shape

    @cached_property
    def approximate(self) -> NDArray[np.float64]:
        """The nearest float64 to each entry, read-only."""
        flat = [_nearest(int(n), self.denominator) for n in self.numerators.ravel()]
        return _frozen(np.array(flat, dtype=np.float64).reshape(self.shape))

    def fraction(self, *index: int) -> Fraction:
        """Return one entry."""
        return Fraction(int(self.numerators[index]), self.denominator)

    def fractions(self) -> list[Fraction]:
        """Return all entries in row-major order."""
        return [Fraction(int(n), self.denominator) for n in self.numerators.ravel()]

    def reduced(self) -> RationalArray:
        """Return the same values over the smallest common denominator."""
        divisor = gcd(self.denominator, *self.numerators.ravel().tolist())
        if divisor == 1:
            return self
        quotients = np.asarray(self.numerators // divisor, dtype=object)
        return RationalArray(_frozen(quotients), self.denominator // divisor)

    def reshape(self, shape: tuple[int, ...]) -> RationalArray:
        """Return the same entries in another shape."""
        return RationalArray(_frozen(self.numerators.reshape(shape)), self.denominator)

    def __getitem__(self, index: Any) -> RationalArray:
        """Return a part, always as an array."""
        part = self.numerators[index]
        array = part if isinstance(part, np.ndarray) else np.array(part, dtype=object)
        return RationalArray(_frozen(array), self.denominator)

    def __add__(self, other: RationalArray) -> RationalArray:
        """Add entry by entry, with numpy's broadcasting."""
        denominator = lcm(self.denominator, other.denominator)
        left = self.numerators * (denominator // self.denominator)
        right = other.numerators * (denominator // other.denominator)
        return RationalArray(_frozen(np.asarray(left + right, dtype=object)), denominator)

    def __neg__(self) -> RationalArray:
        """Negate every entry."""
        return RationalArray(_frozen(np.asarray(-self.numerators, dtype=object)), self.denominator)

    def __sub__(self, other: RationalArray) -> RationalArray:
        """Subtract entry by entry, with numpy's broadcasting."""
        return self + (-other)

    def __mul__(self, other: RationalArray) -> RationalArray:
        """Multiply entry by entry, with numpy's broadcasting."""
        product = np.asarray(self.numerators * other.numerators, dtype=object)
        return RationalArray(_frozen(product), self.denominator * other.denominator)

    def __matmul__(self, other: RationalArray) -> RationalArray:
        """Multiply matrices exactly."""
        left, right = self.numerators, other.numerators
        product = _product(left, right) if left.ndim == right.ndim == 2 else left.dot(right)
        product = np.asarray(product, dtype=object)
        return RationalArray(_frozen(product), self.denominator * other.denominator)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Multiply two integer matrices; large ones by flint, if it is there."""
    rows, columns = left.shape[0], right.shape[1]
    if rows * left.shape[1] * columns < _FLINT_PAYS:
        return np.asarray(left.dot(right), dtype=object)
    try:
        from flint import fmpz_mat
    except ImportError:
        return np.asarray(left.dot(right), dtype=object)
    factors = [
        fmpz_mat(int(m.shape[0]), int(m.shape[1]), [int(n) for n in m.ravel()])
        for m in (left, right)
    ]
    product = np.empty(rows * columns, dtype=object)
    product[:] = [int(n) for n in (factors[0] * factors[1]).entries()]
    return product.reshape((rows, columns))


def _nearest(numerator: int, denominator: int) -> float:
    # Python's int / int is correctly rounded, which is the invariant above.
    return numerator / denominator


def read_fraction(value: Any) -> Fraction:
    """Return a number of a file: ``p/q`` or a decimal as a text, or a number of JSON's.

    Raises:
        ValueError: A text is no number, or has an exponent: a few characters would stand for more
            digits than memory holds.
        TypeError: It is neither text nor number.
        ArithmeticError: A denominator is 0, or a float is infinite.
    """
    if isinstance(value, str) and "e" in value.lower():
        msg = f"{value!r:.40} is not a decimal or p/q"
        raise ValueError(msg)
    return Fraction(value)
