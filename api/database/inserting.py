# SPDX-License-Identifier: Apache-2.0
"""Insert what may be there already, in the words of each database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Table
    from sqlalchemy.engine import Connection


def insert_if_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless there is one with its key; return whether it was inserted."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    query = dialect.insert(table).values(dict(row)).on_conflict_do_nothing()
    return bool(connection.execute(query).rowcount)


def insert_or_replace(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row in the place of one with its key."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    key = [column.name for column in table.primary_key]
    others = {name: value for name, value in row.items() if name not in key}
    query = dialect.insert(table).values(dict(row))
    connection.execute(query.on_conflict_do_update(index_elements=key, set_=others))
