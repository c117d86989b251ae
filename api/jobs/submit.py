# SPDX-License-Identifier: Apache-2.0
"""Put what a request comes to into the queue, all of it or nothing.

The same request under the same idempotency key is the same job, however often and from how many
places at once it is sent.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from api.access import audit
from api.database.connection import now
from api.database.tables import idempotency, jobs, needs
from api.errors import BusyError, ConflictError, TooManyError
from api.jobs import event_log
from api.jobs.plan import RETRY_SECONDS, Plan
from api.jobs.states import UNFINISHED, State

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from api.access.caller import Caller
    from api.database.connection import Database
    from api.jobs.plan import Planned
    from api.schemas import JobRequest
    from api.settings import Settings


KEPT_FOR_EACH_UNFINISHED = 100
"""How many jobs a tenant may have in all, or whoever submits and cancels would fill the disk."""

LATER_SECONDS = 3600.0


@dataclass(frozen=True)
class Submission:
    """What a caller asks for.

    Attributes:
        caller: Who asks.
        request: What for.
        idempotency_key: Under which name; asking again under it gives the same job.
    """

    caller: Caller
    request: JobRequest
    idempotency_key: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the request."""
        text = json.dumps(self.request.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def submit(database: Database, settings: Settings, submission: Submission) -> str:
    """Put what was asked for into the queue, and return the id of the job.

    Raises:
        InvalidError: It names files or jobs that are not there, or are not what they should be.
        ConflictError: The idempotency key was used for another request.
        TooManyError: The tenant has too many unfinished jobs.
        BusyError: The server has.
    """
    known = database.read(lambda connection: _submitted(connection, submission))
    if known is not None:
        return known
    try:
        return database.write(lambda connection: _submit(connection, settings, submission))
    except IntegrityError:
        # Somebody else used the same key in the meantime.
        known = database.read(lambda connection: _submitted(connection, submission))
        if known is None:
            raise
        return known


def _submitted(connection: Connection, submission: Submission) -> str | None:
    """Return the job of an earlier submission under the same key."""
    if submission.idempotency_key is None:
        return None
    query = select(idempotency.c.request_sha256, idempotency.c.job_id).where(
        idempotency.c.tenant == submission.caller.tenant,
        idempotency.c.key == submission.idempotency_key,
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    if row.request_sha256 != submission.digest:
        detail = f"Idempotency-Key {submission.idempotency_key!r} was used for another request"
        raise ConflictError(detail)
    return str(row.job_id)


def _submit(connection: Connection, settings: Settings, submission: Submission) -> str:
    known = _submitted(connection, submission)
    if known is not None:
        return known
    plan = Plan(connection, submission.caller.tenant, settings.tenant_jobs)
    plan.add(submission.request)
    _check_room(connection, settings, submission.caller.tenant, len(plan.jobs))
    for job in plan.jobs:
        insert_job(connection, submission.caller, job)
    first = plan.answer.id
    kind = submission.request.kind
    audit.note(
        connection, submission.caller, "submit", f"job/{first}", kind=kind, jobs=len(plan.jobs)
    )
    if submission.idempotency_key is not None:
        row = {
            "tenant": submission.caller.tenant,
            "key": submission.idempotency_key,
            "request_sha256": submission.digest,
            "job_id": first,
        }
        connection.execute(insert(idempotency).values(row))
    return first


def _check_room(connection: Connection, settings: Settings, tenant: str, more: int) -> None:
    query = select(func.count()).where(jobs.c.state.in_(UNFINISHED))
    total = connection.execute(query).scalar_one()
    own = connection.execute(query.where(jobs.c.tenant == tenant)).scalar_one()
    if own + more > settings.tenant_jobs:
        detail = (
            f"{own} jobs are unfinished and this request makes {more}; a tenant may have "
            f"{settings.tenant_jobs}"
        )
        raise TooManyError(detail, RETRY_SECONDS)
    kept = connection.execute(select(func.count()).where(jobs.c.tenant == tenant)).scalar_one()
    if kept + more > KEPT_FOR_EACH_UNFINISHED * settings.tenant_jobs:
        detail = (
            f"{kept} jobs are kept, finished ones included; a tenant may have "
            f"{KEPT_FOR_EACH_UNFINISHED * settings.tenant_jobs}"
        )
        raise TooManyError(detail, LATER_SECONDS)
    if total + more > settings.queued_jobs:
        detail = f"{total} jobs wait already; the server takes {settings.queued_jobs}"
        raise BusyError(detail, RETRY_SECONDS)


def insert_job(connection: Connection, caller: Caller, job: Planned) -> None:
    """Put a job into the queue."""
    row = {
        "id": job.id,
        "tenant": caller.tenant,
        "key_prefix": caller.actor,
        "kind": job.kind,
        "state": State.QUEUED,
        "request": dict(job.request),
        "parent_id": job.parent,
        "model": job.model,
        "property": job.property,
        "created_at": now(),
    }
    connection.execute(insert(jobs).values(row))
    for needed in dict.fromkeys(job.needs):
        connection.execute(insert(needs).values(job_id=job.id, needed_id=needed))
    event_log.append(connection, job.id, "state", {"state": State.QUEUED, "attempt": 0})
