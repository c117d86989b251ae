# SPDX-License-Identifier: Apache-2.0
"""What happened to a job, numbered from 1 without gaps.

The number is counted in the job's row, so writers of one job queue up behind that row and a reader
that has seen number n has seen all before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from api.database.connection import now
from api.database.tables import events, jobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection, RowMapping


def append(connection: Connection, job_id: str, kind: str, data: Mapping[str, Any]) -> None:
    """Add an event to a job."""
    count = update(jobs).where(jobs.c.id == job_id).values(last_event=jobs.c.last_event + 1)
    number = connection.execute(count.returning(jobs.c.last_event)).scalar_one()
    row = {"job_id": job_id, "number": number, "type": kind, "data": dict(data), "at": now()}
    connection.execute(insert(events).values(row))


def after(connection: Connection, job_id: str, number: int, most: int) -> Sequence[RowMapping]:
    """Return the events of a job that come after a number, oldest first."""
    query = (
        select(events)
        .where(events.c.job_id == job_id, events.c.number > number)
        .order_by(events.c.number)
        .limit(most)
    )
    return connection.execute(query).mappings().all()


def newest(connection: Connection, job_ids: Sequence[str]) -> dict[str, int]:
    """Return the number of the last event of each of some jobs."""
    query = select(jobs.c.id, jobs.c.last_event).where(jobs.c.id.in_(job_ids))
    return {row.id: row.last_event for row in connection.execute(query)}
