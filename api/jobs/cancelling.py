# SPDX-License-Identifier: Apache-2.0
"""Cancel a job: at once where it waits, by its worker where it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update

from api.database.tables import jobs
from api.jobs.ending import cancel_all
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
    # Noted before the jobs end, so that the batch ends as cancelled with the last of them.
    asked = update(jobs).where(or_(jobs.c.id == job_id, jobs.c.parent_id == job_id))
    asked = asked.where(jobs.c.state.in_(UNFINISHED))
    connection.execute(asked.values(cancel_requested=True))
    waiting = select(jobs.c.id).where(
        or_(jobs.c.id == job_id, jobs.c.parent_id == job_id),
        jobs.c.state == State.QUEUED,
        jobs.c.kind != "batch",
    )
    cancel_all(connection, connection.execute(waiting.order_by(jobs.c.id)).scalars().all())
    return True
