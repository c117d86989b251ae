# SPDX-License-Identifier: Apache-2.0
"""How much a tenant may store: files and artifacts of jobs, each content once.

Uploads that are still on their way count as well; what a job makes is counted when it is there.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import func, select, union_all

from api.database.tables import artifacts, files, jobs
from api.errors import TooManyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection

    from api.database.connection import Database

RETRY_SECONDS = 3600.0


def stored_bytes(connection: Connection, tenant: str) -> int:
    """Return how much a tenant stores."""
    made = select(artifacts.c.sha256, artifacts.c.bytes).join(jobs, jobs.c.id == artifacts.c.job_id)
    own = union_all(
        select(files.c.sha256, files.c.bytes).where(files.c.tenant == tenant),
        made.where(jobs.c.tenant == tenant),
    ).subquery()
    sizes = select(func.max(own.c.bytes).label("bytes")).group_by(own.c.sha256).subquery()
    total = select(func.coalesce(func.sum(sizes.c.bytes), 0))
    return int(connection.execute(total).scalar_one())


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
        stored = self._database.read(lambda c: stored_bytes(c, tenant))
        coming = self._coming[tenant]
        if stored + coming > self._most:
            detail = f"{stored} bytes are stored; with {coming} more it would be over {self._most}"
            raise TooManyError(detail, RETRY_SECONDS)
