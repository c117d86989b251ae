# SPDX-License-Identifier: Apache-2.0
"""How much a tenant may store; uploads that are still on their way count as well."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from api.database.tables import files
from api.errors import TooManyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.database.connection import Database

RETRY_SECONDS = 3600.0


class Quota:
    """What tenants store, and what is on its way.

    Args:
        database: Where stored files are found.
        tenant_bytes: How much each may store.
    """

    def __init__(self, database: Database, tenant_bytes: int) -> None:
        self._database = database
        self._most = tenant_bytes
        self._coming: Counter[str] = Counter()

    @contextmanager
    def reserved(self, tenant: str, size: int) -> Iterator[None]:
        """Count an upload of some bytes while it is on its way."""
        self._coming[tenant] += size
        try:
            yield
        finally:
            self._coming[tenant] -= size
            if not self._coming[tenant]:
                del self._coming[tenant]

    def check(self, tenant: str) -> None:
        """Check that there is room for all that is on its way.

        Raises:
            TooManyError: There is not.
        """
        query = select(func.coalesce(func.sum(files.c.bytes), 0)).where(files.c.tenant == tenant)
        stored = int(self._database.read(lambda c: c.execute(query).scalar_one()))
        coming = self._coming[tenant]
        if stored + coming > self._most:
            detail = f"{stored} bytes are stored; with {coming} more it would be over {self._most}"
            raise TooManyError(detail, RETRY_SECONDS)
