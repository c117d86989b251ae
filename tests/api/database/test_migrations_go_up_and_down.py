# SPDX-License-Identifier: Apache-2.0
"""Migrations make the tables that the code works with, and take them away again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from api.database import migrate
from api.database.connection import Database
from api.database.tables import metadata
from verifier.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def test_the_newest_migration_makes_the_tables_of_the_code(empty: Database) -> None:
    migrate.upgrade(empty)

    differences = empty.read(
        lambda c: compare_metadata(
            MigrationContext.configure(c, opts={"compare_type": True}), metadata
        )
    )

    assert differences == []
    assert migrate.revision(empty) == migrate.newest()


def test_going_down_leaves_nothing_and_going_up_again_works(empty: Database) -> None:
    migrate.upgrade(empty)
    migrate.downgrade(empty, "base")

    left = set(inspect(empty.engine).get_table_names()) - {"alembic_version"}
    migrate.upgrade(empty)

    assert left == set()
    assert set(inspect(empty.engine).get_table_names()) >= set(metadata.tables)


def test_going_up_twice_changes_nothing(empty: Database) -> None:
    migrate.upgrade(empty)
    empty.write(lambda c: c.execute(text("INSERT INTO proofs VALUES ('a', 'b', 'c', 'd')")))

    migrate.upgrade(empty)

    assert empty.read(lambda c: c.execute(text("SELECT count(*) FROM proofs")).scalar()) == 1


def test_a_database_of_a_later_version_is_refused(empty: Database) -> None:
    migrate.upgrade(empty)
    empty.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))

    with pytest.raises(RefusedError, match="9999"):
        migrate.upgrade(empty)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://host/name", "mysql.*supported"),
        ("sqlite://", "give sqlite:///FILE a file"),
        ("sqlite:///:memory:", "give sqlite:///FILE a file"),
    ],
)
def test_urls_that_name_no_supported_database_are_refused(url: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Database(url)
