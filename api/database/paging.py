# SPDX-License-Identifier: Apache-2.0
"""How much of a list makes a page: a page is held in memory whole, several times over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, cast, func

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, ColumnElement, Row

MOST_BYTES = 8 << 20


def size_of(column: Column[Any]) -> ColumnElement[int]:
    """Return how long a column's JSON is, to be selected after the key of the row."""
    return func.length(cast(column, Text))


def fitting(rows: Sequence[Row[str, int]], most: int) -> tuple[list[str], str | None]:
    """Return the keys of the rows that make a page, and the last one if there are more.

    Args:
        rows: Key and size of one row more than a page may have, as far as there are so many.
        most: How many rows a page may have.
    """
    keys: list[str] = []
    total = 0
    for key, size in rows[:most]:
        total += size
        if keys and total > MOST_BYTES:
            break
        keys.append(key)
    return keys, keys[-1] if len(rows) > len(keys) else None
