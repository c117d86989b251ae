# SPDX-License-Identifier: Apache-2.0
"""Tidies up, now and then: old jobs, files that nobody names, folders that jobs left behind."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from anyio import to_thread
from sqlalchemy import delete, select

from api.database.connection import StorageFullError, UnavailableError, now
from api.database.tables import jobs, sessions
from api.files import named_files
from api.jobs.states import FINISHED, State
from api.sandbox.folder import remove

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from api.blobs import Blobs
    from api.database.connection import Database
    from api.settings import Settings

PAUSE_SECONDS = 3600.0
DAY_SECONDS = 24 * 3600.0
FOLDER_GRACE_SECONDS = 3600.0

_log = logging.getLogger(__name__)


class Caretaker:
    """Tidies up.

    Args:
        settings: How long finished jobs are kept, and where jobs have their folders.
        database: What is still named.
        blobs: Where files lie.
    """

    def __init__(self, settings: Settings, database: Database, blobs: Blobs) -> None:
        self._settings = settings
        self._database = database
        self._blobs = blobs
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Tidy up, and again every hour."""
        self._task = asyncio.get_running_loop().create_task(self._go_on())

    async def stop(self) -> None:
        """Tidy up no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self) -> None:
        while True:
            try:
                await to_thread.run_sync(self.tidy)
            except (UnavailableError, StorageFullError, OSError) as error:
                _log.warning("could not tidy up: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)

    def tidy(self) -> None:
        """Forget old jobs and sessions, sweep files and folders."""
        forgotten = self._database.write(self._forget)
        swept = self._blobs.sweep(
            lambda hashes: self._database.read(lambda c: named_files(c, hashes))
        )
        folders = self._sweep_folders()
        _log.info("forgot %d jobs, swept %d files and %d folders", forgotten, swept, folders)

    def _forget(self, connection: Connection) -> int:
        before = now() - self._settings.keep_days * DAY_SECONDS
        connection.execute(delete(sessions).where(sessions.c.expires_at < now()))
        old = delete(jobs).where(
            jobs.c.state.in_(FINISHED), jobs.c.finished_at < before, jobs.c.parent_id.is_(None)
        )
        return connection.execute(old).rowcount

    def _sweep_folders(self) -> int:
        """Remove folders of jobs that do not run (any more) under the token in their name."""
        query = select(jobs.c.id, jobs.c.token).where(jobs.c.state == State.RUNNING)
        held = {
            f"{row.id}.{row.token}" for row in self._database.read(lambda c: c.execute(query).all())
        }
        folders = [path for path in self._settings.job_dir.glob("*") if path.name not in held]
        # One that was made since the database was read is younger than this.
        old = [
            path for path in folders if path.stat().st_mtime < time.time() - FOLDER_GRACE_SECONDS
        ]
        for path in old:
            remove(path)
        return len(old)
