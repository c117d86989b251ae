# SPDX-License-Identifier: Apache-2.0
"""Whether the server can take work."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from api.database.connection import StorageFullError, UnavailableError, now
from api.database.tables import workers
from api.schemas import Readiness

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

    from api.blobs import Blobs
    from api.database.connection import Database
    from api.sandbox.level import Level

ALIVE_SECONDS = 20.0
LOOK_EVERY_SECONDS = 1.0


def count_workers(connection: Connection) -> int:
    """Return how many workers were heard of lately."""
    query = select(func.count()).where(workers.c.seen_at > now() - ALIVE_SECONDS)
    return connection.execute(query).scalar_one()


class Lookout:
    """Looks whether the server can take work, once a second at most.

    Anybody may ask, without a key, and a look reads the database and writes a file, which may take
    long when something is wrong. So what was seen is told until the second is over, and those who
    ask during a look wait for that one, which takes one thread.

    Args:
        database: Has to answer.
        blobs: Have to take files.
        level: How well jobs are confined.
        clock: Tells seconds.
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        level: Level,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._level = level
        self._clock = clock
        self._looking = asyncio.Lock()
        self._seen: tuple[float, Readiness] | None = None

    async def readiness(self) -> Readiness:
        """Return what was seen a second ago at most."""
        async with self._looking:
            if self._seen is None or self._clock() - self._seen[0] >= LOOK_EVERY_SECONDS:
                seen = await asyncio.to_thread(self._look)
                self._seen = (self._clock(), seen)
            return self._seen[1]

    def _look(self) -> Readiness:
        database, storage, alive = "ok", "ok", 0
        try:
            alive = self._database.read(count_workers)
        except UnavailableError as error:
            database = str(error)
        try:
            self._blobs.check()
        except (StorageFullError, UnavailableError) as error:
            storage = str(error)
        return Readiness(
            ready=database == storage == "ok" and alive > 0,
            database=database,
            storage=storage,
            workers=alive,
            isolation=self._level.json(),
        )
