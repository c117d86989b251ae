# SPDX-License-Identifier: Apache-2.0
"""A job is one worker's at a time, and only that worker can end it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from api.database.tables import jobs
from api.jobs.queue import Ending, Lease, LeaseLostError
from api.jobs.states import Outcome, State
from tests.api.jobs.ledger import Ledger, answered


def lose(ledger: Ledger, lease: Lease) -> None:
    """Let the lease of a job run out."""
    query = update(jobs).where(jobs.c.id == lease.job_id).values(lease_until=1.0, not_before=0.0)
    ledger.database.write(lambda c: c.execute(query))
    assert ledger.queue.expire() == 1
    query = update(jobs).where(jobs.c.id == lease.job_id).values(not_before=0.0)
    ledger.database.write(lambda c: c.execute(query))


def test_a_finished_job_has_its_result_files_and_history(ledger: Ledger) -> None:
    job_id = ledger.prove()
    lease = ledger.claim()
    ledger.queue.tell(lease, "progress", {"open": 3})
    ledger.finish(lease)

    job = ledger.job(job_id)

    assert (job.state, job.verdict, job.result) == (State.SUCCEEDED, "holds", {"verdict": "holds"})
    assert [artifact.name for artifact in job.artifacts] == ["proof"]
    assert [(a.number, a.outcome) for a in job.attempts] == [(1, Outcome.ANSWERED)]
    assert [event["state"] for event in ledger.told(job_id)] == ["queued", "running", "succeeded"]
    assert ledger.told(job_id, "progress") == [{"open": 3}]
    assert ledger.queue.claim("w") is None


def test_no_job_is_claimed_twice_by_many_workers(ledger: Ledger) -> None:
    wanted = {ledger.prove("m", f"p{number}") for number in range(25)}

    def work(name: str) -> list[str]:
        claimed = []
        while (lease := ledger.queue.claim(name)) is not None:
            claimed.append(lease.job_id)
        return claimed

    with ThreadPoolExecutor(6) as pool:
        claimed = [job for part in pool.map(work, "abcdef") for job in part]

    assert sorted(claimed) == sorted(wanted)


def test_a_worker_that_was_thought_lost_changes_nothing(ledger: Ledger) -> None:
    job_id = ledger.prove()
    first = ledger.claim("first")
    lose(ledger, first)
    second = ledger.claim("second")

    for late in (
        lambda: ledger.queue.heartbeat(first),
        lambda: ledger.queue.tell(first, "progress", {}),
        lambda: ledger.finish(first, "violated"),
    ):
        with pytest.raises(LeaseLostError, match=job_id):
            late()
    ledger.finish(second, "holds")

    job = ledger.job(job_id)
    assert (job.state, job.verdict) == (State.SUCCEEDED, "holds")
    assert [attempt.outcome for attempt in job.attempts] == [Outcome.LOST, Outcome.ANSWERED]
    assert [event["state"] for event in ledger.told(job_id)].count("succeeded") == 1


def test_a_job_that_was_finished_is_not_finished_again(ledger: Ledger) -> None:
    ledger.prove()
    lease = ledger.claim()
    ledger.finish(lease)

    with pytest.raises(LeaseLostError):
        ledger.finish(lease, "violated")


def test_a_heartbeat_keeps_a_lease_from_running_out(ledger: Ledger) -> None:
    ledger.prove()
    lease = ledger.claim()
    query = update(jobs).values(lease_until=1.0)
    ledger.database.write(lambda c: c.execute(query))

    is_cancelled = ledger.queue.heartbeat(lease)

    assert not is_cancelled
    assert ledger.queue.expire() == 0


@pytest.mark.parametrize("way", ["lost", "crashed"])
def test_a_job_is_begun_so_often_and_then_fails_with_its_last_words(
    ledger: Ledger, way: str
) -> None:
    job_id = ledger.prove()
    crash = Ending(Outcome.CRASHED, "killed by signal 9", -9)
    for _ in range(ledger.settings.max_attempts):
        assert ledger.job(job_id).state == State.QUEUED
        lease = ledger.claim()
        if way == "lost":
            lose(ledger, lease)
        else:
            ledger.queue.finish(lease, crash)
            query = update(jobs).values(not_before=0.0)
            ledger.database.write(lambda c, query=query: c.execute(query))  # type: ignore[misc]

    job = ledger.job(job_id)
    assert job.state == State.FAILED
    assert job.problem is not None
    assert "begun 3 times" in job.problem["detail"]
    assert ("signal 9" if way == "crashed" else "not heard of") in job.problem["detail"]
    assert len(job.attempts) == ledger.settings.max_attempts
    assert ledger.queue.claim("w") is None


def test_a_crashed_job_waits_before_it_is_tried_again(ledger: Ledger) -> None:
    ledger.prove()
    ledger.queue.finish(ledger.claim(), Ending(Outcome.CRASHED, "crash"))

    assert ledger.queue.claim("w") is None


def test_a_released_job_is_free_at_once_and_the_try_does_not_count(ledger: Ledger) -> None:
    job_id = ledger.prove()
    for _ in range(2 * ledger.settings.max_attempts):
        ledger.queue.finish(ledger.claim(), Ending(Outcome.RELEASED, "stopped"))

    ledger.finish(ledger.claim())

    assert ledger.job(job_id).state == State.SUCCEEDED


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.REFUSED, State.FAILED),
        (Outcome.TIMED_OUT, State.TIMED_OUT),
        (Outcome.CANCELLED, State.CANCELLED),
    ],
)
def test_what_will_not_change_is_not_tried_again(
    ledger: Ledger, outcome: Outcome, state: State
) -> None:
    job_id = ledger.prove()
    problem = {"title": "t", "detail": "d"}
    ledger.queue.finish(ledger.claim(), Ending(outcome, "d", 3, None, problem))

    job = ledger.job(job_id)

    assert (job.state, job.problem) == (state, problem)
    assert ledger.queue.claim("w") is None


def test_tenants_take_turns(ledger: Ledger) -> None:
    for number in range(4):
        ledger.prove("m", f"p{number}")
    other = Ledger(ledger.database, "two")
    late = other.prove()

    first, second = ledger.claim(), ledger.claim()

    assert first.tenant == "one"
    assert second.job_id == late


def test_a_result_that_cannot_be_written_leaves_the_job_claimed(ledger: Ledger) -> None:
    job_id = ledger.prove()
    lease = ledger.claim()
    ending = answered(lease)
    twice = Ending(ending.outcome, result=ending.result, made=[*ending.made, *ending.made])

    with pytest.raises(Exception, match=r"(?i)unique"):
        ledger.queue.finish(lease, twice)

    job = ledger.job(job_id)
    assert (job.state, job.artifacts, job.result) == (State.RUNNING, [], None)
    assert ledger.told(job_id, "attempt") == []
