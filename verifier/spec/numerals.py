# SPDX-License-Identifier: Apache-2.0
"""Rationals as text that denotes them exactly, no longer than the reader takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.errors import PropertyError
from verifier.spec.reader_limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from fractions import Fraction

_TOO_LONG = f"a number of the property has more than {DEFAULT_LIMITS.digits} digits"


def decimal(value: Fraction) -> str | None:
    """Return a rational as a decimal; nothing where none is exact and short enough."""
    places = decimal_places(value.denominator)
    if places is None or places > DEFAULT_LIMITS.digits:
        return None
    digits = _digits(abs(value.numerator) * 10**places // value.denominator)
    if len(digits) <= places:
        digits = digits.rjust(places + 1, "0")
    if len(digits) > DEFAULT_LIMITS.digits:
        return None
    sign = "-" if value < 0 else ""
    whole = len(digits) - places
    return f"{sign}{digits[:whole]}" + (f".{digits[whole:]}" if places else "")


def decimal_or_quotient(value: Fraction) -> str:
    """Return a rational as a decimal, or as ``(/ p q)`` where there is none.

    Raises:
        PropertyError: It has more digits than the reader takes by default.
    """
    written = decimal(value)
    if written is not None:
        return written
    sign = "-" if value < 0 else ""
    return f"(/ {sign}{_digits(abs(value.numerator))} {_digits(value.denominator)})"


def decimal_only(value: Fraction) -> str:
    """Return a rational as a decimal with a point, as real numbers are written in version 2.0.

    Raises:
        PropertyError: It has none, or more digits than the reader takes by default.
    """
    written = decimal(value)
    if written is None:
        raise PropertyError(_TOO_LONG)
    return written if "." in written else f"{written}.0"


def _digits(value: int) -> str:
    # About log10(2) digits per bit; checked first, since converting longer integers is an error.
    if value.bit_length() * 0.3 <= DEFAULT_LIMITS.digits:
        digits = str(value)
        if len(digits) <= DEFAULT_LIMITS.digits:
            return digits
    raise PropertyError(_TOO_LONG)


def decimal_places(denominator: int) -> int | None:
    """Return how many decimals write ``1 / denominator`` in full, if any number does."""
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None
