# SPDX-License-Identifier: Apache-2.0
"""JSON that a job said, read so that a database and every reader of the answer can take it.

JSON for Python may hold what is none for others: numbers beyond all floats, halves of characters,
and the character that no text in PostgreSQL may have.
"""

from __future__ import annotations

import json
import math
from typing import Any

MOST_DIGITS = 300
NUL = b"\\u0000"


def read_said(text: bytes) -> dict[str, Any] | None:
    """Return the object that a text holds; None if it holds anything else."""
    try:
        value = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, parse_int=_short_integer
        )
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and NUL not in text else None


def _refuse(constant: str) -> None:
    msg = f"{constant} is not JSON"
    raise ValueError(msg)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _refuse(digits[:MOST_DIGITS])
    return value


def _short_integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        _refuse(f"{digits[:MOST_DIGITS]}...")
    return int(digits)
