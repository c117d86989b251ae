# SPDX-License-Identifier: Apache-2.0
"""A worker, or an upload, ends between any two of its steps; what follows is as if it had not."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from api.access.caller import Caller
from api.blobs import Blobs
from api.database.tables import files, jobs
from api.file_register import FileRecord, register
from api.files import Upload, keep_upload
from api.jobs.attempt import Workshop
from api.jobs.room import LocalRooms
from api.jobs.states import State
from api.jobs.worker import Worker
from api.schemas import FileKind, Scope
from api.settings import Settings
from tests.api.jobs.ledger import Ledger
from tests.api.server_process import ROOT
from tests.api.tiny import tiny_model, tiny_property

if TYPE_CHECKING:
    from pathlib import Path

    from api.database.connection import Database

CALLER = Caller("one", "0123456789ab", frozenset(Scope))
WORKER_STATIONS = (
    "claimed",
    "before start",
    "after command",
    "before rename",
    "after rename",
    "after files",
    "before commit",
    "after commit",
)
UPLOAD_STATIONS = ("written", "before rename", "after rename", "kept")


@pytest.fixture
def settings(tmp_path: Path, database: Database) -> Settings:
    """Return settings for a folder and a database of this test."""
    url = database.url.render_as_string(hide_password=False)
    return Settings(tmp_path / "data", url, lease_seconds=1.0)


def run(settings: Settings, *words: str) -> int:
    """Run one of the programs that stop, and return its exit status."""
    program = [sys.executable, "-m", "tests.api.durability.stopping", *words]
    process = subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT
    )
    assert process.stdin is not None
    # It stays open, as the server keeps it.
    process.stdin.write(settings.to_json().encode() + b"\n")
    process.stdin.flush()
    status = process.wait(120)
    process.communicate()
    return status


def tiny_job(settings: Settings, database: Database) -> tuple[Ledger, str]:
    """Submit a small job on real files."""
    ledger = Ledger(database, settings=settings)
    blobs, hashes = Blobs(settings.blob_dir), []
    for kind, content in ((FileKind.MODEL, tiny_model()), (FileKind.PROPERTY, tiny_property())):
        with blobs.writing() as writing:
            writing.write(content)
            sha256 = writing.keep()
        summary = {"fingerprint": f"print of {kind}"}
        record = FileRecord(kind, sha256, len(content), kind, summary)
        database.write(lambda c, record=record: register(c, "one", record))  # type: ignore[misc]
        hashes.append(sha256)
    return ledger, ledger.submit(kind="prove", model=hashes[0], properties=[hashes[1]])


@pytest.mark.slow
@pytest.mark.parametrize("station", WORKER_STATIONS)
def test_a_job_of_a_worker_that_stops_is_done_once(
    station: str, settings: Settings, database: Database
) -> None:
    ledger, job_id = tiny_job(settings, database)

    assert run(settings, "worker", station) == -9

    # As if the lease had run out in the meantime.
    database.write(lambda c: c.execute(update(jobs).values(lease_until=1.0, not_before=0.0)))
    workshop = Workshop(settings, database, Blobs(settings.blob_dir), LocalRooms(settings))
    worker = Worker(workshop, "another")
    worker.queue.expire()
    database.write(lambda c: c.execute(update(jobs).values(not_before=0.0)))
    lease = worker.queue.claim("another")
    if lease is not None:
        worker.perform(lease)

    job = ledger.job(job_id)
    assert (job.state, job.verdict) == (State.SUCCEEDED, "holds")
    assert (lease is None) == (station == "after commit")
    assert [artifact.name for artifact in job.artifacts] == ["certificate", "proof"]
    assert [event["state"] for event in ledger.told(job_id)].count("succeeded") == 1
    blobs = Blobs(settings.blob_dir)
    assert list(blobs.damaged()) == []
    assert all(blobs.path(artifact.sha256).is_file() for artifact in job.artifacts)


@pytest.mark.parametrize("station", UPLOAD_STATIONS)
def test_an_upload_that_stops_leaves_no_row_without_its_file(
    station: str, settings: Settings, database: Database, tmp_path: Path
) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(tiny_model())
    digest = hashlib.sha256(tiny_model()).hexdigest()

    assert run(settings, "upload", station, str(source)) == -9

    rows = database.read(lambda c: c.execute(select(files.c.sha256)).scalars().all())
    blobs = Blobs(settings.blob_dir)
    assert rows == ([digest] if station == "kept" else [])
    assert all(blobs.path(row).is_file() for row in rows)
    assert list(blobs.damaged()) == []
    with blobs.writing() as writing:
        writing.write(tiny_model())
        upload = Upload(CALLER, FileKind.MODEL, "again")
        stored = keep_upload(database, upload, writing, {"fingerprint": "f"})
    assert stored.sha256 == digest
