# SPDX-License-Identifier: Apache-2.0
"""Databases of both kinds, fresh for each test, and a server for all tests that only talk to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.database import migrate
from api.database.connection import Database
from tests.api.postgresql import Cluster, find_programs, running_cluster
from tests.api.server_process import ServerProcess
from tests.lacking import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Yield a PostgreSQL server."""
    if find_programs() is None:
        lacking("PostgreSQL is not installed (Debian: apt install postgresql)")
    with running_cluster() as started:
        yield started


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'mucg4.sqlite'}"
    started: Cluster = request.getfixturevalue("cluster")
    return started.create_database()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Yield a database with its tables."""
    opened = Database(database_url)
    migrate.upgrade(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Yield a running server on SQLite. What a test leaves there must not matter to others."""
    started = ServerProcess(tmp_path_factory.mktemp("server"))
    started.start()
    try:
        yield started
    finally:
        started.stop()
