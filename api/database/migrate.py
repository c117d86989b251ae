# SPDX-License-Identifier: Apache-2.0
"""Bring a database to the schema that this version works with, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from verifier.errors import RefusedError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from api.database.connection import Database

HERE = Path(__file__).parent


def upgrade(database: Database, revision: str = "head") -> None:
    """Make the tables, or bring them to a revision.

    Raises:
        RefusedError: The database was made by a later version of this program.
        UnavailableError: The database cannot be reached or is locked.
    """
    database.write(lambda connection: _upgrade(connection, revision))


def downgrade(database: Database, revision: str) -> None:
    """Take the tables back to an earlier revision; ``base`` removes them."""
    database.write(lambda connection: command.downgrade(_config(connection), revision))


def revision(database: Database) -> str | None:
    """Return the revision that the database is at, None where it has no tables."""
    return database.read(lambda c: MigrationContext.configure(c).get_current_revision())


def newest() -> str:
    """Return the revision that this version of the program works with."""
    head = ScriptDirectory.from_config(_config(None)).get_current_head()
    assert head is not None  # noqa: S101 - there is a first revision
    return head


def _upgrade(connection: Connection, revision: str) -> None:
    try:
        command.upgrade(_config(connection), revision)
    except CommandError as error:
        msg = f"the database was made by another version of mucg4: {error}"
        raise RefusedError(msg) from error


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
