# SPDX-License-Identifier: Apache-2.0
"""Cancel a job: at once where it waits, by its worker where it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from api.database.tables import jobs
from api.jobs.ending import end
from api.jobs.reading import missing
from api.jobs.states import UNFINISHED, State

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def cancel(connection: Connection, tenant: str, job_id: str) -> bool:
    """Ask for the end of a job, or of all jobs of a batch.

    Returns:
        Whether there was anything to cancel: a job that has ended stays as it is.

    Raises:
        NotFoundError: There is no such job, or it is another tenant's.
    """
    query = select(jobs.c.kind, jobs.c.state).where(jobs.c.id == job_id, jobs.c.tenant == tenant)
    row = connection.execute(query).first()
    if row is None:
        raise missing(job_id)
    if State(row.state) not in UNFINISHED:
        return False
    if row.kind != "batch":
        _cancel_one(connection, job_id)
        return True
    # Noted before the jobs end, so that the batch ends as cancelled with the last of them.
    _ask(connection, job_id)
    children = select(jobs.c.id).where(jobs.c.parent_id == job_id, jobs.c.state.in_(UNFINISHED))
    for (child,) in connection.execute(children.order_by(jobs.c.id)).all():
        _cancel_one(connection, child)
    return True


def _cancel_one(connection: Connection, job_id: str) -> None:
    _ask(connection, job_id)
    state = connection.execute(select(jobs.c.state).where(jobs.c.id == job_id)).scalar()
    if state == State.QUEUED:
        end(connection, job_id, State.CANCELLED)


def _ask(connection: Connection, job_id: str) -> None:
    query = update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(UNFINISHED))
    connection.execute(query.values(cancel_requested=True))
