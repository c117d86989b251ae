# SPDX-License-Identifier: Apache-2.0
"""What the server lacks, room on the disk above all, never makes a job fail; it waits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from api.blobs import Blobs
from api.database.connection import StorageFullError, UnavailableError, now
from api.database.tables import jobs
from api.jobs.attempt import Workshop
from api.jobs.queue import MOST_RETRY_SECONDS, Ending
from api.jobs.states import Outcome, State
from api.jobs.worker import Worker

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from api.jobs.queue import Lease
    from api.jobs.room import Room
    from tests.api.jobs.ledger import Ledger


@dataclass
class NoRooms:
    """Rooms that cannot be had."""

    error: Exception

    def open(self, name: str) -> AbstractContextManager[Room]:
        del name
        raise self.error


@dataclass(frozen=True)
class FullBlobs(Blobs):
    """A folder of files on a disk without room."""

    def check(self) -> None:
        msg = "the folder of files: No space left on device"
        raise StorageFullError(msg)


def claim_at_once(ledger: Ledger) -> Lease:
    """Claim a job that may still have to wait."""
    ledger.database.write(lambda c: c.execute(update(jobs).values(not_before=0.0)))
    return ledger.claim()


def worker(ledger: Ledger, blobs: Blobs, error: Exception) -> Worker:
    settings = replace(ledger.settings, data_dir=blobs.folder.parent)
    return Worker(Workshop(settings, ledger.database, blobs, NoRooms(error)), "w")


@pytest.mark.parametrize(
    ("blobs", "error"),
    [
        (Blobs, StorageFullError("no room")),
        (Blobs, UnavailableError("no database")),
        (FullBlobs, OSError("no room for the folder")),
    ],
)
def test_a_job_waits_for_what_is_lacking(
    ledger: Ledger, tmp_path: Path, blobs: type[Blobs], error: Exception
) -> None:
    job_id = ledger.prove()
    own = worker(ledger, blobs(tmp_path / "blobs"), error)
    for _ in range(2 * ledger.settings.max_attempts):
        own.perform(claim_at_once(ledger))
    job = ledger.job(job_id)
    assert job.state == State.QUEUED
    assert {attempt.outcome for attempt in job.attempts} == {Outcome.PREVENTED}
    assert all(str(error) in attempt.detail for attempt in job.attempts)

    assert ledger.queue.claim("w") is None, "it would be tried again at once"
    ledger.queue.finish(claim_at_once(ledger), Ending(Outcome.ANSWERED, result={}))
    assert ledger.job(job_id).state == State.SUCCEEDED


def test_a_crash_with_room_on_the_disk_counts(ledger: Ledger, tmp_path: Path) -> None:
    job_id = ledger.prove()
    own = worker(ledger, Blobs(tmp_path / "blobs"), OSError("a file that cannot be read"))
    for _ in range(ledger.settings.max_attempts):
        own.perform(claim_at_once(ledger))
    assert ledger.job(job_id).state == State.FAILED


def test_a_job_is_tried_again_within_a_minute_however_long_the_disk_was_full(
    ledger: Ledger,
) -> None:
    ledger.prove()
    for _ in range(40):
        ledger.queue.finish(claim_at_once(ledger), Ending(Outcome.PREVENTED, "no room"))
    query = jobs.select()
    job = ledger.database.read(lambda c: c.execute(query).one())
    assert job.not_before - now() <= MOST_RETRY_SECONDS
