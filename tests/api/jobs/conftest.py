# SPDX-License-Identifier: Apache-2.0
"""A ledger on each kind of database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.jobs.ledger import Ledger

if TYPE_CHECKING:
    from api.database.connection import Database


@pytest.fixture
def ledger(database: Database) -> Ledger:
    """Return a tenant with no files yet."""
    return Ledger(database)
