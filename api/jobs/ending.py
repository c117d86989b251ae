# SPDX-License-Identifier: Apache-2.0
"""How a job ends, and what follows from it for others, all within one transaction.

Whoever needs a job that came to nothing ends with it; a batch ends with the last of its jobs. Rows
are locked children first and the batch last, so the transaction that counts the last unfinished
job of a batch sees what the others did.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from api.database.connection import now
from api.database.tables import jobs, needs
from api.jobs import event_log
from api.jobs.states import UNFINISHED, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Connection


def end(
    connection: Connection, job_id: str, state: State, fields: Mapping[str, Any] | None = None
) -> bool:
    """End a job, if it has not ended yet, and say whether it is this call that did.

    Args:
        connection: In a transaction that writes.
        job_id: The job.
        state: How it ends.
        fields: Columns that are set with it: result, verdict or problem.
    """
    batches: set[str] = set()
    is_ended = _end(connection, job_id, state, fields or {}, batches)
    _settle(connection, batches)
    return is_ended


def cancel_all(connection: Connection, job_ids: Iterable[str]) -> None:
    """End jobs as cancelled; a batch is looked at once, and not after each of its jobs."""
    batches: set[str] = set()
    for job_id in job_ids:
        _end(connection, job_id, State.CANCELLED, {}, batches)
    _settle(connection, batches)


def _end(
    connection: Connection,
    job_id: str,
    state: State,
    fields: Mapping[str, Any],
    batches: set[str],
) -> bool:
    """End a job and those that need it, and note their batches."""
    query = (
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state.in_(UNFINISHED))
        .values(state=state, finished_at=now(), lease_until=None, worker=None, **fields)
        .returning(jobs.c.parent_id, jobs.c.verdict, jobs.c.problem)
    )
    row = connection.execute(query).first()
    if row is None:
        return False
    event = {"state": state, "verdict": row.verdict, "problem": row.problem}
    event_log.append(connection, job_id, "state", event)
    if state != State.SUCCEEDED:
        _end_dependents(connection, job_id, state, batches)
    if row.parent_id is not None:
        batches.add(row.parent_id)
    return True


def failure(title: str, detail: str, **more: object) -> dict[str, Any]:
    """Return the columns of a job that failed."""
    return {"problem": {"title": title, "detail": detail, **more}}


def _end_dependents(connection: Connection, job_id: str, state: State, batches: set[str]) -> None:
    query = select(needs.c.job_id).where(needs.c.needed_id == job_id).order_by(needs.c.job_id)
    for (dependent,) in connection.execute(query).all():
        why = failure("A job that this one needs came to nothing", f"job {job_id} is {state}")
        own = State.CANCELLED if state == State.CANCELLED else State.FAILED
        _end(connection, dependent, own, why, batches)


def _settle(connection: Connection, batches: Iterable[str]) -> None:
    for batch_id in sorted(batches):
        _settle_batch(connection, batch_id)


def _settle_batch(connection: Connection, batch_id: str) -> None:
    """End a batch if all of its jobs have ended."""
    lock = select(jobs.c.cancel_requested, jobs.c.state).where(jobs.c.id == batch_id)
    batch = connection.execute(lock.with_for_update()).one()
    counts = count_children(connection, batch_id)
    if batch.state not in UNFINISHED or any(counts[state] for state in UNFINISHED):
        return
    result = {"jobs": {str(state): number for state, number in counts.items()}}
    if counts.total() == counts[State.SUCCEEDED]:
        end(connection, batch_id, State.SUCCEEDED, {"result": result})
    elif batch.cancel_requested:
        end(connection, batch_id, State.CANCELLED, {"result": result})
    else:
        bad = counts.total() - counts[State.SUCCEEDED]
        why = failure("Not all jobs succeeded", f"{bad} of {counts.total()} jobs did not succeed")
        end(connection, batch_id, State.FAILED, {"result": result, **why})


def count_children(connection: Connection, batch_id: str) -> Counter[State]:
    """Return how many jobs of a batch are in each state."""
    query = select(jobs.c.state).where(jobs.c.parent_id == batch_id)
    return Counter(State(state) for (state,) in connection.execute(query))
