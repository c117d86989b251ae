# SPDX-License-Identifier: Apache-2.0
"""Jobs as their owners see them: one with all its details, lists in pages, events.

What belongs to another tenant is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from api.access.keys import when
from api.database.paging import fitting, size_of
from api.database.tables import artifacts, attempts, jobs, needs
from api.errors import NotFoundError
from api.jobs import event_log
from api.jobs.ending import count_children
from api.jobs.states import FINISHED, State
from api.schemas import Artifact, Attempt, Event, EventPage, Job, JobDetail, JobPage

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.engine import Connection

_BRIEF = (
    jobs.c.id,
    jobs.c.kind,
    jobs.c.state,
    jobs.c.request,
    jobs.c.parent_id,
    jobs.c.model,
    jobs.c.property,
    jobs.c.verdict,
    jobs.c.created_at,
    jobs.c.started_at,
    jobs.c.finished_at,
)


@dataclass(frozen=True)
class Filter:
    """Which jobs to list.

    Attributes:
        state: Only those in this state.
        kind: Only those of this kind.
        parent: Only those of this batch.
        model: Only those about this model.
        property: Only those about this property.
    """

    state: State | None = None
    kind: str | None = None
    parent: str | None = None
    model: str | None = None
    property: str | None = None


def job_page(
    connection: Connection, tenant: str, chosen: Filter, cursor: str | None, most: int
) -> JobPage:
    """Return a tenant's jobs, newest first.

    Args:
        connection: To read with.
        tenant: Whose.
        chosen: Which.
        cursor: Where the page before ended.
        most: How many.
    """
    query = select(jobs.c.id, size_of(jobs.c.request)).where(jobs.c.tenant == tenant)
    wanted = {
        jobs.c.state: chosen.state,
        jobs.c.kind: chosen.kind,
        jobs.c.parent_id: chosen.parent,
        jobs.c.model: chosen.model,
        jobs.c.property: chosen.property,
    }
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    if cursor is not None:
        query = query.where(jobs.c.id < cursor)
    rows = connection.execute(query.order_by(jobs.c.id.desc()).limit(most + 1)).all()
    ids, following = fitting(rows, most)
    found = select(*_BRIEF).where(jobs.c.id.in_(ids)).order_by(jobs.c.id.desc())
    items = [Job(**_brief(row)) for row in connection.execute(found)]
    return JobPage(items=items, next_cursor=following)


def job_detail(connection: Connection, tenant: str, job_id: str) -> JobDetail:
    """Return a job with all that is known of it.

    Raises:
        NotFoundError: There is none, or it is another tenant's.
    """
    row = connection.execute(_own(tenant, job_id)).first()
    if row is None:
        raise missing(job_id)
    needed = select(needs.c.needed_id).where(needs.c.job_id == job_id).order_by(needs.c.needed_id)
    return JobDetail(
        **_brief(row),
        result=row.result,
        problem=row.problem,
        needs=list(connection.execute(needed).scalars()),
        attempts=_attempts(connection, job_id),
        artifacts=_artifacts(connection, job_id),
        children=dict(count_children(connection, job_id)),
    )


def artifact_of(connection: Connection, tenant: str, job_id: str, name: str) -> Artifact:
    """Return a file that a job made.

    Raises:
        NotFoundError: There is none, or the job is another tenant's.
    """
    check_owner(connection, tenant, job_id)
    made = _artifacts(connection, job_id)
    for artifact in made:
        if artifact.name == name:
            return artifact
    names = ", ".join(artifact.name for artifact in made) or "none"
    detail = f"job {job_id} has no artifact {name!r}; it has: {names}"
    raise NotFoundError(detail)


def event_page(connection: Connection, job_id: str, number: int, most: int) -> EventPage:
    """Return the events of a job after a number, and whether there will be no more."""
    state = connection.execute(select(jobs.c.state).where(jobs.c.id == job_id)).scalar()
    rows = event_log.after(connection, job_id, number, most)
    items = [
        Event(number=row.number, type=row.type, data=row.data, at=when(row.at)) for row in rows
    ]
    # The state was read first: whatever was told before it ended is among the rows.
    is_finished = state is None or (State(state) in FINISHED and len(rows) < most)
    return EventPage(items=items, is_finished=is_finished)


def check_owner(connection: Connection, tenant: str, job_id: str) -> None:
    """Check that a job is a tenant's.

    Raises:
        NotFoundError: There is no such job, or it is another tenant's.
    """
    if connection.execute(_own(tenant, job_id)).first() is None:
        raise missing(job_id)


def missing(job_id: str) -> NotFoundError:
    """Return the error for a job that is not there, or not the caller's."""
    return NotFoundError(f"there is no job {job_id!r}")


def _own(tenant: str, job_id: str) -> Select[Any]:
    return select(jobs).where(jobs.c.id == job_id, jobs.c.tenant == tenant)


def _brief(row: Any) -> dict[str, Any]:
    """Return what a list tells of a job, from a row that has at least ``_BRIEF``."""

    def time(seconds: float | None) -> Any:
        return None if seconds is None else when(seconds)

    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "request": row.request,
        "parent": row.parent_id,
        "model": row.model,
        "property": row.property,
        "verdict": row.verdict,
        "created_at": time(row.created_at),
        "started_at": time(row.started_at),
        "finished_at": time(row.finished_at),
    }


def _attempts(connection: Connection, job_id: str) -> list[Attempt]:
    query = select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.token)
    return [
        Attempt(
            number=number,
            outcome=row.outcome,
            started_at=when(row.started_at),
            ended_at=None if row.ended_at is None else when(row.ended_at),
            exit_status=row.exit_status,
            detail=row.detail,
        )
        for number, row in enumerate(connection.execute(query), start=1)
    ]


def _artifacts(connection: Connection, job_id: str) -> list[Artifact]:
    query = select(artifacts).where(artifacts.c.job_id == job_id).order_by(artifacts.c.name)
    return [
        Artifact(
            name=row.name,
            file_name=row.file_name,
            sha256=row.sha256,
            bytes=row.bytes,
            media_type=row.media_type,
        )
        for row in connection.execute(query)
    ]
