# SPDX-License-Identifier: Apache-2.0
"""Products of integer matrices: by python-flint where it is installed, else in plain Python.

Both are exact, so both give the same numbers; flint is some twenty times faster. Entries of flint's
results are flint's own integers. They behave like ``int`` in everything the checker does with
them (``+ - * // >> <<``, comparison; ``//`` and ``>>`` round down), so no code but this knows.
"""

from __future__ import annotations

from operator import mul
from typing import TYPE_CHECKING, Any, NewType, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Rows = list[list[int]]
Packed = NewType("Packed", object)


class Arithmetic(Protocol):
    """How integers are held and matrices of them are multiplied."""

    def integers(self, values: Iterable[Any]) -> list[int]:
        """Return the values as integers that are fast in products; only ``int`` may come in."""

    def pack(self, rows: Sequence[Sequence[int]]) -> Packed:
        """Return a matrix as a left factor for many products; it has at least one row."""

    def product(self, packed: Packed, rows: Sequence[Sequence[int]]) -> Rows:
        """Return ``packed @ rows``; ``rows`` has at least one row."""


class PlainArithmetic:
    """The standard library alone."""

    def integers(self, values: Iterable[Any]) -> list[int]:
        """Return the values as they are."""
        return [int(value) for value in values]

    def pack(self, rows: Sequence[Sequence[int]]) -> Packed:
        """Return the rows as they are."""
        return Packed(rows)

    def product(self, packed: Packed, rows: Sequence[Sequence[int]]) -> Rows:
        """Multiply row by column."""
        columns = list(zip(*rows, strict=True))
        left = cast("Rows", packed)
        return [[sum(map(mul, row, column)) for column in columns] for row in left]


class FlintArithmetic:
    """Matrix products by FLINT.

    Raises:
        ImportError: python-flint is not installed.
    """

    def __init__(self) -> None:
        from flint import fmpz, fmpz_mat

        self._integer: Any = fmpz
        self._matrix: Any = fmpz_mat

    def integers(self, values: Iterable[Any]) -> list[int]:
        """Return flint integers."""
        return [self._integer(int(value)) for value in values]

    def pack(self, rows: Sequence[Sequence[int]]) -> Packed:
        """Return flint's matrix."""
        return Packed(self._matrix(rows))

    def product(self, packed: Packed, rows: Sequence[Sequence[int]]) -> Rows:
        """Multiply by flint."""
        return cast("Rows", (packed * self._matrix(rows)).tolist())


def fastest_arithmetic() -> Arithmetic:
    """Return flint's arithmetic where python-flint is installed, else the standard library's."""
    try:
        return FlintArithmetic()
    except ImportError:
        return PlainArithmetic()


def quotients_rounded_down(rows: Rows, divisor: int) -> Rows:
    """Divide every entry by a positive integer, rounding down."""
    if divisor == 1:
        return rows
    if divisor & (divisor - 1):
        return [[entry // divisor for entry in row] for row in rows]
    shift = divisor.bit_length() - 1  # Networks of floats have only powers of two here.
    return [[entry >> shift for entry in row] for row in rows]
