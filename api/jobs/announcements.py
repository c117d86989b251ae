# SPDX-License-Identifier: Apache-2.0
"""Wakes streams of events when there is something new for them.

Events are written by other processes, so somebody has to look. One look for all streams together
asks for the number of the last event of each job that is watched; a stream that wakes up reads its
own events from the database, a page at a time, as fast as its reader takes them. Nothing is kept in
memory for a slow reader.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from anyio import to_thread

from api.database.connection import UnavailableError
from api.jobs import event_log

if TYPE_CHECKING:
    from api.database.connection import Database

LOOK_SECONDS = 0.25

_log = logging.getLogger(__name__)


class Announcements:
    """Knows which jobs are watched, and when they have news.

    Args:
        database: Where to look.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watched: Counter[str] = Counter()
        self._newest: dict[str, int] = {}
        self._looked = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._look_on())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self, job_id: str, number: int, most_seconds: float) -> None:
        """Wait until a job has an event after a number, or for so long."""
        self._watched[job_id] += 1
        try:
            async with asyncio.timeout(most_seconds), self._looked:
                await self._looked.wait_for(lambda: self._newest.get(job_id, 0) > number)
        except TimeoutError:
            return
        finally:
            self._watched[job_id] -= 1
            if not self._watched[job_id]:
                del self._watched[job_id]
                self._newest.pop(job_id, None)

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._watched:
                continue
            look = partial(event_log.newest, job_ids=list(self._watched))
            try:
                found = await to_thread.run_sync(self._database.read, look)
            except UnavailableError as error:
                _log.warning("cannot look for events: %s", error)
                continue
            async with self._looked:
                self._newest.update(found)
                self._looked.notify_all()
