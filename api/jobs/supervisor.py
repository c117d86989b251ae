# SPDX-License-Identifier: Apache-2.0
"""Keeps worker processes running: as many as were asked for, each replaced when it ends.

Before them comes the server's own Ray cluster, if jobs are to run on one, and it goes after them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.settings import Settings

LOOK_SECONDS = 0.25
STOP_SECONDS = 5.0
CLUSTER_STOP_SECONDS = 15.0
MOST_PAUSE_SECONDS = 30.0
HEALTHY_SECONDS = 10.0
CLUSTER = (sys.executable, "-m", "api.cluster.own")

_log = logging.getLogger(__name__)


class Supervisor:
    """Worker processes.

    Args:
        settings: How many, and what they are told.
        program: The command line of a worker.
    """

    def __init__(
        self,
        settings: Settings,
        program: Sequence[str] = (sys.executable, "-m", "api.jobs.worker"),
    ) -> None:
        self._settings = settings
        self._workers = [_Place(tuple(program)) for _ in range(settings.workers)]
        self._cluster = [_Place(CLUSTER)] if settings.has_own_cluster else []
        self._task: asyncio.Task[None] | None = None

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that run."""
        processes = [place.process for place in self._workers]
        return [process.pid for process in processes if process and process.poll() is None]

    def start(self) -> None:
        """Start the workers, and keep them running from now on."""
        self._look()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """Have the workers give their jobs back, and end them."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await _end(self._workers, STOP_SECONDS)
        await _end(self._cluster, CLUSTER_STOP_SECONDS)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._look()

    def _look(self) -> None:
        for place in (*self._cluster, *self._workers):
            if place.is_due():
                place.process = self._launch(place.program)

    def _launch(self, program: Sequence[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(program, stdin=subprocess.PIPE)  # noqa: S603 - our own
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        # It stays open: each ends when it closes, at the latest.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(self._settings.to_json().encode() + b"\n")
            process.stdin.flush()
        return process


async def _end(places: Sequence[_Place], patience_seconds: float) -> None:
    """Tell processes to end, and end those that do not."""
    running = [place.process for place in places if place.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + patience_seconds
    while any(process.poll() is None for process in running) and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS / 5)
    for process in running:
        process.kill()
        process.communicate()


class _Place:
    """Where a worker process belongs: one that ends early is replaced later and later."""

    def __init__(self, program: Sequence[str]) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self._started = self._next = 0.0
        self._pause = LOOK_SECONDS

    def is_due(self) -> bool:
        """Say whether a process is to be started here now."""
        present = time.monotonic()
        if self.process is not None:
            status = self.process.poll()
            if status is None:
                return False
            _log.warning("%s %d ended with status %d", self.program[-1], self.process.pid, status)
            self.process.communicate()
            lived = present - self._started
            longer = min(2 * self._pause, MOST_PAUSE_SECONDS)
            self._pause = LOOK_SECONDS if lived > HEALTHY_SECONDS else longer
            self.process, self._next = None, present + self._pause
        if present < self._next:
            return False
        self._started = present
        return True
