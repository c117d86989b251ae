# SPDX-License-Identifier: Apache-2.0
"""The values that a certificate is made of: lists, fields, indices and exact numbers.

Nothing of a document is trusted: not its types (JSON's ``true`` is an ``int`` to Python), not its
numbers (NaN, infinities, a million digits), not its indices (negative ones would be valid Python).
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from verifier.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Longer numbers occur in no certificate; they would only keep the checker busy.
MOST_BITS = 4096
MOST_CHARACTERS = 2500
MOST_NOTE_CHARACTERS = 200
"""Length of a text that is only for people."""
# Exact either way: a float stands for its own value. Only fractions may be computed with, though.
Number = Fraction | float

_RATIONAL = re.compile(r"(-?[0-9]+)(?:/([0-9]+))?")


class RejectedError(RefusedError):
    """The certificate proves nothing; the message names the place and what is wrong there."""


def number(value: Any, place: str) -> Fraction:
    """Return the exact value of a JSON number or of a string ``p/q``.

    Raises:
        RejectedError: It is neither, is not finite, or is absurdly long.
    """
    if isinstance(value, float):
        if math.isfinite(value):
            return Fraction(float(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() <= MOST_BITS:
            return Fraction(value)
    elif isinstance(value, str) and len(value) <= MOST_CHARACTERS:
        match = _RATIONAL.fullmatch(value)
        if match and (denominator := int(match[2] or 1)):
            return Fraction(int(match[1]), denominator)
    msg = f"{place}: {described(value)} is not a finite number of at most {MOST_BITS} bits"
    raise RejectedError(msg)


def as_fraction(value: Number) -> Fraction:
    """Return the same number as a fraction."""
    return Fraction(value)


def described(value: Any) -> str:
    """Return a short text for any value, however large or deep it is."""
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        return repr(value) if value.bit_length() <= 64 else f"<{value.bit_length()}-bit integer>"
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else f"{value[:40]!r}..."
    return f"<{type(value).__name__}>"


def as_sequence(value: Any, place: str, length: int | None = None) -> Sequence[Any]:
    """Return a list, of a length if one is given; of another kind or length it is rejected."""
    if not isinstance(value, list | tuple) or (length is not None and len(value) != length):
        wanted = "a list" if length is None else f"a list of {length}"
        got = f"{len(value)} entries" if isinstance(value, list | tuple) else described(value)
        msg = f"{place}: {wanted} was expected, not {got}"
        raise RejectedError(msg)
    return value


def as_fields(value: Any, place: str, names: set[str]) -> Mapping[str, Any]:
    """Return an object with just these fields; with others it is rejected."""
    if not isinstance(value, Mapping) or set(value) != names:
        got = sorted(map(described, value)) if isinstance(value, Mapping) else described(value)
        msg = f"{place}: the fields {sorted(names)} were expected, not {got}"
        raise RejectedError(msg)
    return value


def as_index(value: Any, size: int, place: str) -> int:
    """Return an integer of at least 0 below a size; anything else is rejected."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < size:
        msg = f"{place}: {described(value)} is not an index below {size}"
        raise RejectedError(msg)
    return value


def as_nonnegative(value: Any, place: str, most: int | None = None) -> Number:
    """Return a number of at least 0, and at most another if one is given.

    A float is returned as it is: there are very many of them.
    """
    if isinstance(value, float) and 0.0 <= value <= (sys.float_info.max if most is None else most):
        return value
    exact = number(value, place)
    if exact < 0 or (most is not None and exact > most):
        allowed = "at least 0" if most is None else f"from 0 to {most}"
        msg = f"{place}: {described(value)} is not {allowed}"
        raise RejectedError(msg)
    return exact
