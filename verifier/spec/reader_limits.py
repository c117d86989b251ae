# SPDX-License-Identifier: Apache-2.0
"""How much a property file may ask of the machine that reads it.

Property files come from strangers: a small file can describe a number with a billion digits or a
product of disjunctions with more cases than atoms in a room. Each bound below turns such a file
into an error that names the bound, before memory or time is spent. The defaults leave a wide
margin over the largest published benchmarks.
"""

from __future__ import annotations

from dataclasses import dataclass

# CPython refuses to convert longer decimal texts to integers, whatever we allow.
_LONGEST_NUMERAL = 4000


@dataclass(frozen=True)
class ReaderLimits:
    """Bounds on a property file. Exceeding one is a ``PropertyError``.

    Attributes:
        file_bytes: Size of the text, after decompression.
        tokens: Number of parentheses, symbols and numerals.
        depth: Nesting of parentheses.
        digits: Decimal digits of one numeral; 1,074 write any float64 in full.
        exponent: Absolute value of a numeral's exponent.
        number_bits: Numerator or denominator of a number computed from numerals.
        entries: Entries of all declared tensors together.
        cases: Number of cases, counted before contradictory ones are dropped.
        expanded_size: Literals of all cases together, and entries of all input boxes together.
    """

    file_bytes: int = 256 << 20
    tokens: int = 20_000_000
    depth: int = 1_000
    digits: int = 1_100
    exponent: int = 1_100
    number_bits: int = 1 << 14
    entries: int = 10_000_000
    cases: int = 200_000
    expanded_size: int = 50_000_000

    def __post_init__(self) -> None:
        """Refuse bounds that cannot be kept."""
        if min(vars(self).values()) < 1:
            msg = f"every reader limit is at least 1: {self}"
            raise ValueError(msg)
        if self.digits > _LONGEST_NUMERAL:
            msg = f"digits is {self.digits}; numerals are limited to {_LONGEST_NUMERAL} digits"
            raise ValueError(msg)


DEFAULT_LIMITS = ReaderLimits()
