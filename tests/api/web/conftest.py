# SPDX-License-Identifier: Apache-2.0
"""Pages of a new server, for each test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from api.command import open_database
from api.settings import Settings
from tests.api.web.site import Site, make_site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an empty database: making its tables takes longer than most tests."""
    folder = tmp_path_factory.mktemp("empty")
    open_database(Settings(folder)).close()
    return folder


@pytest.fixture
def site(tmp_path: Path, empty_database: Path) -> Iterator[Site]:
    """Yield the pages of a server with an empty database."""
    folder = shutil.copytree(empty_database, tmp_path / "data")
    made = make_site(folder)
    yield made
    made.ledger.database.close()
