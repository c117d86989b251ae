# SPDX-License-Identifier: Apache-2.0
"""A worker: claims jobs one after the other, and keeps each claim while the job runs.

Started as ``python -m api.jobs.worker`` by the server, with the settings on standard input, which
then stays open. It ends with the server, and its job with it, whatever ends them; what it had
claimed is found by its lease. Told to stop (SIGTERM), or left alone, it gives its job back.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete

from api.blobs import Blobs, DamagedError
from api.database.connection import Database, StorageFullError, UnavailableError, now
from api.database.inserting import insert_if_new
from api.database.tables import workers
from api.jobs.attempt import InspectionError, Workshop
from api.jobs.queue import Ending, Lease, LeaseLostError, Queue
from api.jobs.room import LocalRooms, RoomLostError
from api.jobs.states import Outcome
from api.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Connection

    from api.jobs.room import Rooms

IDLE_SECONDS = 0.2
TROUBLE_SECONDS = 1.0
HEARTBEATS = 5
SEEN_SECONDS = 5.0
STOP_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Worker:
    """A worker.

    Args:
        workshop: What attempts work with.
        name: Which worker this is.
    """

    def __init__(self, workshop: Workshop, name: str) -> None:
        self.workshop = workshop
        self.name = name
        self.stopping = threading.Event()
        settings = workshop.settings
        self.queue = Queue(workshop.database, settings.lease_seconds, settings.max_attempts)
        self._seen = 0.0

    def run(self) -> None:
        """Work until told to stop."""
        while not self.stopping.is_set():
            try:
                self._say_alive()
                self.queue.expire()
                lease = self.queue.claim(self.name)
            except (UnavailableError, StorageFullError) as error:
                _log.warning("cannot claim jobs: %s", error)
                self.stopping.wait(TROUBLE_SECONDS)
                continue
            if lease is None:
                self.stopping.wait(IDLE_SECONDS)
            else:
                self.workshop.at("claimed")
                self.perform(lease)
        self.workshop.database.write(self._leave)

    def perform(self, lease: Lease) -> None:
        """Run a claimed job and put down how it ended."""
        _log.info("job %s (%s), attempt %d", lease.job_id, lease.kind, lease.attempt)
        keeping = _Keeping(self, lease)
        try:
            ending = self.workshop.attempt(lease, keeping.watch, keeping.tell)
        except InspectionError as error:
            ending = Ending(Outcome.CRASHED, f"a file that the job made is not valid: {error}")
        except (UnavailableError, StorageFullError) as error:
            _log.warning("job %s: %s", lease.job_id, error)
            ending = Ending(Outcome.PREVENTED, str(error))
        except (DamagedError, RoomLostError, OSError) as error:
            _log.warning("job %s: %s", lease.job_id, error)
            ending = Ending(Outcome.CRASHED, str(error))
        if ending.outcome == Outcome.CRASHED:
            ending = self._judge_crash(ending)
        if ending.outcome != Outcome.LOST:
            self._finish(lease, ending)

    def _judge_crash(self, ending: Ending) -> Ending:
        """Return how an attempt ended that crashed, though perhaps for want of room only.

        What the job itself had filled is free again by now.
        """
        try:
            self.workshop.blobs.check()
        except StorageFullError as error:
            return Ending(Outcome.PREVENTED, f"{error}; {ending.detail}", ending.exit_status)
        except UnavailableError as error:
            _log.warning("cannot see whether there is room: %s", error)
        return ending

    def _finish(self, lease: Lease, ending: Ending) -> None:
        """Put down how a job ended, trying again while the lease may still be good."""
        self.workshop.at("before commit")
        until = time.monotonic() + 2 * self.workshop.settings.lease_seconds
        while True:
            try:
                self.queue.finish(lease, ending)
            except LeaseLostError as error:
                _log.warning("%s: its result is dropped", error)
            except (UnavailableError, StorageFullError) as error:
                if time.monotonic() < until:
                    _log.warning("job %s cannot be finished yet: %s", lease.job_id, error)
                    time.sleep(TROUBLE_SECONDS)
                    continue
                _log.error("job %s could not be finished: %s", lease.job_id, error)
            break
        self.workshop.at("after commit")

    def _say_alive(self) -> None:
        if time.monotonic() - self._seen < SEEN_SECONDS:
            return
        self._seen = time.monotonic()
        self.workshop.database.write(self._seen_now)

    def _seen_now(self, connection: Connection) -> None:
        row = {"id": self.name, "pid": os.getpid(), "started_at": now(), "seen_at": now()}
        insert_if_new(connection, workers, row)
        update = workers.update().where(workers.c.id == self.name).values(seen_at=now())
        connection.execute(update)
        connection.execute(delete(workers).where(workers.c.seen_at < now() - 20 * SEEN_SECONDS))

    def _leave(self, connection: Connection) -> None:
        connection.execute(delete(workers).where(workers.c.id == self.name))


class _Keeping:
    """Keeps a claim while its job runs.

    Args:
        worker: Whose claim it is.
        lease: The claim.
    """

    def __init__(self, worker: Worker, lease: Lease) -> None:
        self._worker = worker
        self._lease = lease
        self._pause = worker.workshop.settings.lease_seconds / HEARTBEATS
        self._beat = time.monotonic()
        # As long as a cancelled job may go on, or a shorter heartbeat.
        self._pause = min(self._pause, 1.0)

    def watch(self) -> Outcome | None:
        """Renew the lease from time to time; say how the job is to be ended, if it is."""
        worker = self._worker
        if worker.stopping.is_set():
            return Outcome.RELEASED
        if time.monotonic() - self._beat < self._pause:
            return None
        self._beat = time.monotonic()
        try:
            worker._say_alive()  # noqa: SLF001 - a part of the worker
            return Outcome.CANCELLED if worker.queue.heartbeat(self._lease) else None
        except LeaseLostError as error:
            _log.warning("%s", error)
            return Outcome.LOST
        except (UnavailableError, StorageFullError) as error:
            _log.warning("job %s: no heartbeat: %s", self._lease.job_id, error)
            return None

    def tell(self, data: Mapping[str, Any]) -> None:
        """Pass progress on; it may get lost, the job goes on."""
        try:
            self._worker.queue.tell(self._lease, "progress", data)
        except (LeaseLostError, UnavailableError, StorageFullError) as error:
            _log.warning("job %s: progress was not kept: %s", self._lease.job_id, error)


def open_workshop(settings: Settings, at: Callable[[str], None]) -> Workshop:
    """Return what attempts work with, from settings."""
    database = Database(settings.url)
    blobs = Blobs(settings.blob_dir, at)
    return Workshop(settings, database, blobs, open_rooms(settings), at)


def open_rooms(settings: Settings) -> Rooms:
    """Return where jobs run; for a cluster, once it is connected to."""
    if settings.executor == "ray":
        from api.cluster.connection import connect

        connect(settings)
        # Only now: what Ray is told in the environment, it reads when it is loaded.
        from api.cluster.rooms import RayRooms

        return RayRooms(settings)
    return LocalRooms(settings)


def main(at: Callable[[str], None] | None = None) -> None:
    """Work until told to stop.

    Args:
        at: Told each station of a job.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    settings = Settings.from_json(sys.stdin.readline())
    from api.blobs import pass_by

    workshop = open_workshop(settings, at or pass_by)
    worker = Worker(workshop, f"{socket.gethostname()}-{os.getpid()}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stopping.set())
    threading.Thread(target=_end_with_the_server, args=[worker], daemon=True).start()
    worker.run()


def _end_with_the_server(worker: Worker) -> None:
    """Stop when standard input closes, which the server keeps open as long as it is there."""
    os.read(sys.stdin.fileno(), 1)
    worker.stopping.set()
    time.sleep(STOP_SECONDS)
    # It waits for something that does not come, such as a cluster that ended with the server.
    os._exit(1)


if __name__ == "__main__":
    main()
