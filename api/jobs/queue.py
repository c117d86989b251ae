# SPDX-License-Identifier: Apache-2.0
"""The queue as workers see it: claim a job, keep it, end it or give it back.

A claim is a *lease*: it lasts for some seconds and is renewed by heartbeats. A lease that was not
renewed is taken away and the job queued again, until it has been tried too often. All that is
written under a lease names its token, so a worker that lost the lease can change nothing
(``states``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, exists, func, insert, select, update

from api.database.connection import now
from api.database.tables import artifacts, attempts, jobs, needs
from api.file_register import FileRecord, register
from api.jobs import event_log
from api.jobs.answers import VERIFYING
from api.jobs.ending import end, failure
from api.jobs.states import UNFINISHED, Outcome, State
from verifier.errors import VerifierError
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Select, Update
    from sqlalchemy.engine import Connection, Row

    from api.database.connection import Database
    from api.schemas import FileKind

RETRY_SECONDS = 1.0
MOST_RETRY_SECONDS = 60.0


class LeaseLostError(VerifierError):
    """The job belongs to another worker by now, or has ended."""


@dataclass(frozen=True)
class Lease:
    """A claimed job.

    Attributes:
        job_id: The job.
        token: Of this claim.
        tenant: Whose job it is.
        kind: What is to be done.
        request: The details, as submitted.
        attempt: How often it has been tried, this time included.
    """

    job_id: str
    token: int
    tenant: str
    kind: str
    request: Mapping[str, Any]
    attempt: int


@dataclass(frozen=True)
class MadeFile:
    """A file that a job made, already in the blob folder.

    Attributes:
        name: What the artifact is called.
        file_name: What the file is called when it is downloaded.
        sha256: Of its content.
        bytes: Its size.
        media_type: Its media type.
        kind: As what it can be used by other jobs; None for a file that is only read by people.
        summary: What ``inspect`` says of it, if it can be used.
    """

    name: str
    file_name: str
    sha256: str
    bytes: int
    media_type: str
    kind: FileKind | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ending:
    """How an attempt ended.

    Attributes:
        outcome: What happened.
        detail: In words, for people.
        exit_status: Of the command, negative for a signal.
        result: The answer, if there is one.
        problem: Why there is none.
        made: The files that were made.
    """

    outcome: Outcome
    detail: str = ""
    exit_status: int | None = None
    result: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = None
    made: Sequence[MadeFile] = ()

    @property
    def verdict(self) -> str | None:
        """The verdict, if the answer has one."""
        verdict = (self.result or {}).get("verdict")
        return verdict if verdict in tuple(Verdict) else None


_STATES = {
    Outcome.ANSWERED: State.SUCCEEDED,
    Outcome.REFUSED: State.FAILED,
    Outcome.CANCELLED: State.CANCELLED,
    Outcome.TIMED_OUT: State.TIMED_OUT,
}


@dataclass(frozen=True)
class Queue:
    """The jobs in a database, for workers.

    Attributes:
        database: Where they are.
        lease_seconds: How long a claim lasts without a heartbeat.
        max_attempts: How often a job is begun.
    """

    database: Database
    lease_seconds: float
    max_attempts: int

    def claim(self, worker: str) -> Lease | None:
        """Claim the next job, if there is one that can run.

        Tenants with fewer running jobs come first, then older jobs.
        """
        if self.database.read(lambda connection: connection.execute(_ready()).first()) is None:
            return None  # Without taking the lock for writing.
        return self.database.write(lambda connection: self._claim(connection, worker))

    def _claim(self, connection: Connection, worker: str) -> Lease | None:
        for (tenant,) in connection.execute(_waiting_tenants()).all():
            own = _ready().where(jobs.c.tenant == tenant).order_by(jobs.c.id)
            found = connection.execute(own.with_for_update(skip_locked=True, of=jobs)).first()
            if found is not None:
                return self._take(connection, found.id, worker)
        return None

    def _take(self, connection: Connection, job_id: str, worker: str) -> Lease:
        query = (
            update(jobs)
            .where(jobs.c.id == job_id)
            .values(
                state=State.RUNNING,
                worker=worker,
                token=jobs.c.token + 1,
                attempts=jobs.c.attempts + 1,
                lease_until=now() + self.lease_seconds,
                started_at=func.coalesce(jobs.c.started_at, now()),
            )
            .returning(*jobs.c)
        )
        job = connection.execute(query).one()
        row = {"job_id": job.id, "token": job.token, "worker": worker, "started_at": now()}
        connection.execute(insert(attempts).values(**row, outcome=Outcome.RUNNING))
        _tell_state(connection, job.id, State.RUNNING, attempt=job.attempts)
        if job.parent_id is not None:
            _start_batch(connection, job.parent_id)
        return Lease(job.id, job.token, job.tenant, job.kind, job.request, job.attempts)

    def heartbeat(self, lease: Lease) -> bool:
        """Renew a lease, and return whether the job is to be cancelled.

        Raises:
            LeaseLostError: It is another worker's by now.
        """
        query = _held(lease).values(lease_until=now() + self.lease_seconds)
        returning = query.returning(jobs.c.cancel_requested)
        row = self.database.write(lambda connection: connection.execute(returning).first())
        return bool(_kept(row, lease).cancel_requested)

    def tell(self, lease: Lease, kind: str, data: Mapping[str, Any]) -> None:
        """Add an event to a job.

        Raises:
            LeaseLostError: It is another worker's by now.
        """

        def work(connection: Connection) -> None:
            _kept(
                connection.execute(
                    _held(lease).values(token=lease.token).returning(jobs.c.id)
                ).first(),
                lease,
            )
            event_log.append(connection, lease.job_id, kind, data)

        self.database.write(work)

    def finish(self, lease: Lease, ending: Ending) -> None:
        """End an attempt: result, files, state and events in one transaction.

        Raises:
            LeaseLostError: It is another worker's by now, and nothing was changed.
        """
        self.database.write(lambda connection: self._finish(connection, lease, ending))

    def _finish(self, connection: Connection, lease: Lease, ending: Ending) -> None:
        held = _held(lease).values(worker=None).returning(jobs.c.cancel_requested, jobs.c.attempts)
        job = _kept(connection.execute(held).first(), lease)
        _close_attempt(connection, lease.job_id, lease.token, ending)
        for made in ending.made:
            _keep_file(connection, lease, made)
        if ending.outcome in _STATES:
            fields: dict[str, Any] = {"result": ending.result, "problem": ending.problem}
            fields["verdict"] = ending.verdict if lease.kind in VERIFYING else None
            _tell_dependents(connection, lease, ending)
            end(connection, lease.job_id, _STATES[ending.outcome], fields)
        elif job.cancel_requested:
            end(connection, lease.job_id, State.CANCELLED)
        elif ending.outcome in (Outcome.RELEASED, Outcome.PREVENTED):
            # The job is not to blame: the try does not count, as some before may not have.
            uncounted = lease.token - job.attempts
            wait = 0.0 if ending.outcome == Outcome.RELEASED else _pause(uncounted)
            _requeue(connection, lease.job_id, attempts_now=job.attempts - 1, wait_seconds=wait)
        else:
            self._try_again(connection, lease.job_id, job.attempts, ending)

    def expire(self) -> int:
        """Take away the leases that were not renewed, and return how many."""
        if self.database.read(lambda connection: connection.execute(_expired()).first()) is None:
            return 0
        return self.database.write(self._expire)

    def _expire(self, connection: Connection) -> int:
        lost = connection.execute(_expired().with_for_update(skip_locked=True)).all()
        for job in lost:
            detail = f"worker {job.worker} was not heard of for {self.lease_seconds:g} s"
            ending = Ending(Outcome.LOST, detail)
            _close_attempt(connection, job.id, job.token, ending)
            if job.cancel_requested:
                end(connection, job.id, State.CANCELLED)
            else:
                self._try_again(connection, job.id, job.attempts, ending)
        return len(lost)

    def _try_again(
        self, connection: Connection, job_id: str, attempts_now: int, ending: Ending
    ) -> None:
        if attempts_now < self.max_attempts:
            wait = _pause(attempts_now - 1)
            _requeue(connection, job_id, attempts_now=attempts_now, wait_seconds=wait)
            return
        detail = f"begun {attempts_now} times without an answer; the last time: {ending.detail}"
        why = failure("The job could not be finished", detail, exit_status=ending.exit_status)
        end(connection, job_id, State.FAILED, why)


def _pause(tries_before: int) -> float:
    """Return for how many seconds a job waits that has been tried in vain so often before."""
    return min(RETRY_SECONDS * 2.0 ** min(tries_before, 30), MOST_RETRY_SECONDS)


def _ready() -> Select[Any]:
    """Select a job that can run."""
    other = jobs.alias()
    unmet = exists().where(
        needs.c.job_id == jobs.c.id,
        needs.c.needed_id == other.c.id,
        other.c.state != State.SUCCEEDED,
    )
    return (
        select(jobs.c.id)
        .where(jobs.c.state == State.QUEUED, jobs.c.kind != "batch", jobs.c.not_before <= now())
        .where(~unmet)
        .limit(1)
    )


def _waiting_tenants() -> Select[Any]:
    """Select the tenants that have queued jobs, those with the fewest running jobs first."""
    running = func.sum(case((jobs.c.state == State.RUNNING, 1), else_=0))
    return (
        select(jobs.c.tenant)
        .where(jobs.c.state.in_(UNFINISHED), jobs.c.kind != "batch")
        .group_by(jobs.c.tenant)
        .having(func.count() > running)
        .order_by(running, func.min(jobs.c.id))
    )


def _expired() -> Select[Any]:
    return select(
        jobs.c.id, jobs.c.token, jobs.c.worker, jobs.c.attempts, jobs.c.cancel_requested
    ).where(jobs.c.state == State.RUNNING, jobs.c.lease_until < now())


def _held(lease: Lease) -> Update:
    """Update a job if the lease is still good."""
    return update(jobs).where(
        jobs.c.id == lease.job_id, jobs.c.token == lease.token, jobs.c.state == State.RUNNING
    )


def _kept(row: Row[Any] | None, lease: Lease) -> Row[Any]:
    if row is None:
        msg = f"job {lease.job_id} is not this worker's any more (token {lease.token})"
        raise LeaseLostError(msg)
    return row


def _requeue(
    connection: Connection, job_id: str, *, attempts_now: int, wait_seconds: float
) -> None:
    values = {"state": State.QUEUED, "worker": None, "lease_until": None}
    query = update(jobs).where(jobs.c.id == job_id)
    later = now() + wait_seconds
    connection.execute(query.values(**values, attempts=attempts_now, not_before=later))
    _tell_state(connection, job_id, State.QUEUED, attempt=attempts_now)


def _start_batch(connection: Connection, batch_id: str) -> None:
    query = (
        update(jobs)
        .where(jobs.c.id == batch_id, jobs.c.state == State.QUEUED)
        .values(state=State.RUNNING, started_at=now())
    )
    if connection.execute(query).rowcount:
        _tell_state(connection, batch_id, State.RUNNING, attempt=1)


def _tell_state(connection: Connection, job_id: str, state: State, *, attempt: int) -> None:
    event_log.append(connection, job_id, "state", {"state": state, "attempt": attempt})


def _close_attempt(connection: Connection, job_id: str, token: int, ending: Ending) -> None:
    query = (
        update(attempts)
        .where(attempts.c.job_id == job_id, attempts.c.token == token)
        .values(
            ended_at=now(),
            outcome=ending.outcome,
            exit_status=ending.exit_status,
            detail=ending.detail,
        )
    )
    connection.execute(query)
    event = {"outcome": ending.outcome, "exit_status": ending.exit_status, "detail": ending.detail}
    event_log.append(connection, job_id, "attempt", event)


def _keep_file(connection: Connection, lease: Lease, made: MadeFile) -> None:
    row = {
        "job_id": lease.job_id,
        "name": made.name,
        "sha256": made.sha256,
        "bytes": made.bytes,
        "media_type": made.media_type,
        "file_name": made.file_name,
    }
    connection.execute(insert(artifacts).values(row))
    if made.kind is None:
        return
    record = FileRecord(made.kind, made.sha256, made.bytes, made.file_name, made.summary)
    register(connection, lease.tenant, record)


def _tell_dependents(connection: Connection, lease: Lease, ending: Ending) -> None:
    """Note the model that was made in the jobs that wait for it."""
    model = next((made for made in ending.made if made.kind == "model"), None)
    if model is None:
        return
    waiting = select(needs.c.job_id).where(needs.c.needed_id == lease.job_id)
    query = update(jobs).where(jobs.c.id.in_(waiting), jobs.c.model.is_(None))
    connection.execute(query.values(model=model.sha256))
