# SPDX-License-Identifier: Apache-2.0
"""A tenant with files that are only registered, for tests of the queue alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from sqlalchemy import select

from api.access.caller import Caller
from api.database.tables import events, jobs
from api.file_register import FileRecord, register
from api.jobs.queue import Ending, Lease, MadeFile, Queue
from api.jobs.reading import job_detail
from api.jobs.states import Outcome
from api.jobs.submit import Submission, submit
from api.schemas import FileKind, JobDetail, JobRequest, Scope
from api.settings import Settings

if TYPE_CHECKING:
    from api.database.connection import Database

REQUESTS: TypeAdapter[JobRequest] = TypeAdapter(JobRequest)
SETTINGS = Settings(Path("/nowhere"), lease_seconds=30.0)


def sha256(name: str) -> str:
    """Return the hash of a made-up file."""
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass
class Ledger:
    """A database, and a tenant with made-up files in it.

    Attributes:
        database: The database.
        tenant: Whose files and jobs.
        settings: Quotas.
    """

    database: Database
    tenant: str = "one"
    settings: Settings = field(default=SETTINGS)

    @property
    def caller(self) -> Caller:
        """The tenant as one who asks."""
        return Caller(self.tenant, "0123456789ab", frozenset(Scope))

    @property
    def queue(self) -> Queue:
        """The queue as workers see it."""
        return Queue(self.database, self.settings.lease_seconds, self.settings.max_attempts)

    def with_settings(self, **changes: Any) -> Ledger:
        """Return the same ledger with other settings."""
        return Ledger(self.database, self.tenant, replace(self.settings, **changes))

    def file(self, kind: FileKind, name: str) -> str:
        """Register a file and return its hash."""
        summary = {"fingerprint": f"print of {name}"}
        record = FileRecord(kind, sha256(name), 100, name, summary)
        self.database.write(lambda c: register(c, self.tenant, record))
        return record.sha256

    def submit(self, key: str | None = None, **request: Any) -> str:
        """Submit a job and return its id."""
        submission = Submission(self.caller, REQUESTS.validate_python(request), key)
        return submit(self.database, self.settings, submission)

    def prove(self, name: str = "m", prop: str = "p", key: str | None = None) -> str:
        """Submit a proof of a made-up model and property."""
        model = self.file(FileKind.MODEL, name)
        properties = [self.file(FileKind.PROPERTY, prop)]
        return self.submit(key, kind="prove", model=model, properties=properties)

    def job(self, job_id: str) -> JobDetail:
        """Return a job."""
        return self.database.read(lambda c: job_detail(c, self.tenant, job_id))

    def all_jobs(self) -> dict[str, str]:
        """Return the state of every job of every tenant."""
        rows = self.database.read(lambda c: c.execute(select(jobs.c.id, jobs.c.state)).all())
        return {row.id: row.state for row in rows}

    def told(self, job_id: str, kind: str = "state") -> list[dict[str, Any]]:
        """Return the events of a kind of a job, oldest first."""
        query = select(events.c.number, events.c.type, events.c.data)
        query = query.where(events.c.job_id == job_id).order_by(events.c.number)
        rows = self.database.read(lambda c: c.execute(query).all())
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        return [row.data for row in rows if row.type == kind]

    def claim(self, worker: str = "w") -> Lease:
        """Claim a job; there has to be one."""
        lease = self.queue.claim(worker)
        assert lease is not None
        return lease

    def finish(self, lease: Lease, verdict: str = "holds") -> None:
        """Finish a job with an answer, and with the files that its kind makes."""
        self.queue.finish(lease, answered(lease, verdict))


def answered(lease: Lease, verdict: str = "holds") -> Ending:
    """Return the ending of a job that got its answer."""
    made: list[MadeFile] = []
    if lease.kind == "prove" and verdict != "unknown":
        summary = {
            "network": f"print of {_name(lease.request['model'])}",
            "property": f"print of {_name(lease.request['property'])}",
        }
        made = [_made("proof", f"proof of {lease.job_id}", FileKind.PROOF, summary)]
    if lease.kind == "compress":
        summary = {"fingerprint": f"print of what {lease.job_id} made"}
        made = [_made("model", f"model of {lease.job_id}", FileKind.MODEL, summary)]
    return Ending(Outcome.ANSWERED, result={"verdict": verdict}, made=made)


def _made(name: str, content: str, kind: FileKind, summary: dict[str, str]) -> MadeFile:
    return MadeFile(name, name, sha256(content), 100, "text/plain", kind, summary)


def _name(digest: str) -> str:
    """Return the one-letter name, or one of a few more, whose hash this is."""
    names = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    names += [f"{name}{number}" for name in names for number in range(30)]
    return next(name for name in names if sha256(name) == digest)
