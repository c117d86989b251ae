# SPDX-License-Identifier: Apache-2.0
"""A request is planned as the jobs that it takes, all of them or none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from api.errors import BusyError, ConflictError, InvalidError, TooManyError
from api.jobs import submit
from api.jobs.cancelling import cancel
from api.jobs.inputs import find_inputs
from api.jobs.plan import Plan
from api.jobs.queue import Ending
from api.jobs.states import Outcome, State
from api.jobs.submit import insert_job
from api.schemas import FileKind
from tests.api.jobs.ledger import REQUESTS, Ledger, sha256

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

REFUSED = Ending(Outcome.REFUSED, "no", 3, None, {"title": "t", "detail": "no"})


def reverify(ledger: Ledger, *props: str, model: str = "v") -> str:
    """Submit the verification of a variant by reuse."""
    return ledger.submit(
        kind="reverify",
        original=ledger.file(FileKind.MODEL, "m"),
        model=ledger.file(FileKind.MODEL, model),
        properties=[ledger.file(FileKind.PROPERTY, prop) for prop in props],
    )


def batch(ledger: Ledger) -> str:
    """Submit a network with a variant and a compression, and two properties."""
    network = {
        "original": ledger.file(FileKind.MODEL, "m"),
        "variants": [ledger.file(FileKind.MODEL, "v")],
        "compressions": [{"method": "magnitude_pruning", "options": {"sparsity": "0.1"}}],
    }
    properties = [ledger.file(FileKind.PROPERTY, prop) for prop in "pq"]
    return ledger.submit(kind="batch", networks=[network], properties=properties)


def run_all(ledger: Ledger) -> list[str]:
    """Run all jobs that can be claimed; return their kinds in that order."""
    kinds = []
    while (lease := ledger.queue.claim("w")) is not None:
        kinds.append(lease.kind)
        ledger.finish(lease)
    return kinds


def test_a_variant_waits_for_the_proof_of_its_original_and_gets_it(ledger: Ledger) -> None:
    job_id = reverify(ledger, "p")

    proving = ledger.claim()
    assert proving.kind == "prove"
    assert ledger.queue.claim("other") is None
    ledger.finish(proving)
    lease = ledger.claim()

    assert lease.job_id == job_id
    inputs = ledger.database.read(lambda c: find_inputs(c, lease))
    assert inputs["proof"] == sha256(f"proof of {proving.job_id}")
    assert ledger.job(job_id).needs == [proving.job_id]


def test_a_proof_that_is_there_is_not_made_again(ledger: Ledger) -> None:
    ledger.prove()
    ledger.finish(ledger.claim())

    job_id = reverify(ledger, "p")

    assert ledger.job(job_id).needs == []
    assert ledger.claim().job_id == job_id


def test_a_proof_under_way_is_waited_for(ledger: Ledger) -> None:
    proving = ledger.prove()

    first, second = reverify(ledger, "p"), reverify(ledger, "p", model="w")

    assert ledger.job(first).needs == ledger.job(second).needs == [proving]
    assert len(ledger.all_jobs()) == 3


def test_without_a_verdict_on_the_original_a_variant_is_verified_from_scratch(
    ledger: Ledger,
) -> None:
    reverify(ledger, "p")
    ledger.finish(ledger.claim(), "unknown")

    lease = ledger.claim()

    inputs = ledger.database.read(lambda c: find_inputs(c, lease))
    assert inputs["proof"] is None


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Outcome.REFUSED, State.FAILED), (Outcome.CANCELLED, State.CANCELLED)],
)
def test_a_variant_ends_with_the_proof_that_it_needs(
    ledger: Ledger, outcome: Outcome, state: State
) -> None:
    job_id = reverify(ledger, "p")
    proving = ledger.claim()
    ledger.queue.finish(proving, Ending(outcome, "no", 3, None, {"title": "t", "detail": "no"}))

    job = ledger.job(job_id)

    assert (job.state, job.attempts) == (state, [])
    assert job.problem is not None
    assert proving.job_id in job.problem["detail"]


def test_several_properties_are_a_batch_of_jobs(ledger: Ledger) -> None:
    job_id = reverify(ledger, "p", "q")

    job = ledger.job(job_id)

    assert (job.kind, job.children) == ("batch", {State.QUEUED: 2})
    assert sorted(run_all(ledger)) == ["prove", "prove", "reverify", "reverify"]
    assert ledger.job(job_id).state == State.SUCCEEDED


def test_a_batch_is_every_network_and_variant_with_every_property(ledger: Ledger) -> None:
    job_id = batch(ledger)

    kinds = run_all(ledger)

    job = ledger.job(job_id)
    assert sorted(kinds) == ["compress"] + 2 * ["prove"] + 4 * ["reverify"]
    assert (job.state, job.children) == (State.SUCCEEDED, {State.SUCCEEDED: 7})
    states = [event["state"] for event in ledger.told(job_id)]
    assert states == ["queued", "running", "succeeded"]


def test_a_compressed_model_is_noted_in_the_jobs_that_wait_for_it(ledger: Ledger) -> None:
    original = ledger.file(FileKind.MODEL, "m")
    making = ledger.submit(kind="compress", model=original, method="magnitude_pruning")
    prop = ledger.file(FileKind.PROPERTY, "p")
    job_id = ledger.submit(kind="reverify", original=original, model_of=making, properties=[prop])

    run_all(ledger)

    assert ledger.job(job_id).model == sha256(f"model of {making}")
    assert ledger.job(job_id).state == State.SUCCEEDED


def test_a_batch_with_a_job_that_failed_has_failed(ledger: Ledger) -> None:
    job_id = batch(ledger)
    while (lease := ledger.queue.claim("w")) is not None:
        if lease.kind == "compress":
            ledger.queue.finish(lease, REFUSED)
        else:
            ledger.finish(lease)

    job = ledger.job(job_id)

    assert (job.state, job.children) == (State.FAILED, {State.SUCCEEDED: 4, State.FAILED: 3})
    assert job.problem is not None
    assert "3 of 7" in job.problem["detail"]


def test_a_compression_that_came_to_nothing_has_no_variant(ledger: Ledger) -> None:
    original, prop = ledger.file(FileKind.MODEL, "m"), ledger.file(FileKind.PROPERTY, "p")
    making = ledger.submit(kind="compress", model=original, method="magnitude_pruning")
    ledger.queue.finish(ledger.claim(), REFUSED)

    with pytest.raises(InvalidError, match=f"{making} has made no model: it is failed"):
        ledger.submit(kind="reverify", original=original, model_of=making, properties=[prop])

    assert ledger.all_jobs() == {making: State.FAILED}


def test_a_job_that_fails_while_it_comes_to_be_needed_takes_the_other_along(
    ledger: Ledger,
) -> None:
    original, prop = ledger.file(FileKind.MODEL, "m"), ledger.file(FileKind.PROPERTY, "p")
    making = ledger.submit(kind="compress", model=original, method="magnitude_pruning")
    proving = ledger.prove()
    leases = [ledger.claim(), ledger.claim()]
    request = REQUESTS.validate_python(
        {"kind": "reverify", "original": original, "model_of": making, "properties": [prop]}
    )

    with ThreadPoolExecutor(2) as pool:

        def work(connection: Connection) -> str:
            plan = Plan(connection, ledger.tenant, 10)
            plan.add(request)
            ends = [pool.submit(ledger.queue.finish, lease, REFUSED) for lease in leases]
            # They cannot come to an end now; if they could, this is when it would happen.
            assert not wait(ends, timeout=0.5).done
            job = plan.answer
            insert_job(connection, ledger.caller, job)
            assert sorted(job.needs) == sorted([making, proving])
            return job.id

        job_id = ledger.database.write(work)

    assert ledger.job(job_id).state == State.FAILED


def test_cancelling_a_batch_ends_what_waits_and_asks_what_runs(ledger: Ledger) -> None:
    job_id = batch(ledger)
    lease = ledger.claim()

    ledger.database.write(lambda c: cancel(c, ledger.tenant, job_id))

    assert ledger.job(job_id).children == {State.CANCELLED: 6, State.RUNNING: 1}
    assert ledger.queue.heartbeat(lease)
    ledger.queue.finish(lease, Ending(Outcome.CANCELLED, "asked for"))
    assert ledger.job(job_id).state == State.CANCELLED
    assert ledger.queue.claim("w") is None


def test_cancelling_a_batch_counts_its_jobs_once_however_many_they_are(ledger: Ledger) -> None:
    """Counting all of them after each kept everybody else from the database for half a minute."""
    props = [f"p{number}" for number in range(20)]
    model = ledger.file(FileKind.MODEL, "m")
    properties = [ledger.file(FileKind.PROPERTY, prop) for prop in props]
    job_id = ledger.submit(kind="prove", model=model, properties=properties)
    seen: list[str] = []

    def note(*told: Any) -> None:
        seen.append(told[2])

    event.listen(ledger.database.engine, "before_cursor_execute", note)
    ledger.database.write(lambda c: cancel(c, ledger.tenant, job_id))
    event.remove(ledger.database.engine, "before_cursor_execute", note)

    assert ledger.job(job_id).state == State.CANCELLED
    counts = [query for query in seen if "SELECT jobs.state" in query and "parent_id" in query]
    assert len(counts) == 1


def test_cancelling_what_has_ended_changes_nothing(ledger: Ledger) -> None:
    job_id = ledger.prove()
    ledger.finish(ledger.claim())
    before = ledger.job(job_id)

    assert not ledger.database.write(lambda c: cancel(c, ledger.tenant, job_id))

    assert ledger.job(job_id) == before


def test_one_idempotency_key_from_20_threads_is_one_job(ledger: Ledger) -> None:
    ledger.file(FileKind.MODEL, "m")
    ledger.file(FileKind.PROPERTY, "p")

    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(lambda _: ledger.prove(key="once"), range(20)))

    assert len(ids) == len(ledger.all_jobs()) == 1


def test_an_idempotency_key_is_not_good_for_another_request(ledger: Ledger) -> None:
    ledger.prove("m", "p", key="once")

    with pytest.raises(ConflictError, match="'once'"):
        ledger.prove("m", "q", key="once")


def test_keys_of_different_tenants_do_not_meet(ledger: Ledger) -> None:
    first = ledger.prove(key="once")

    second = Ledger(ledger.database, "two").prove(key="once")

    assert first != second


def test_files_of_other_tenants_are_not_there(ledger: Ledger) -> None:
    model = Ledger(ledger.database, "two").file(FileKind.MODEL, "m")
    prop = ledger.file(FileKind.PROPERTY, "p")

    with pytest.raises(InvalidError, match=model):
        ledger.submit(kind="prove", model=model, properties=[prop])

    assert ledger.all_jobs() == {}


def test_a_request_that_makes_no_sense_leaves_nothing_behind(ledger: Ledger) -> None:
    model, prop = ledger.file(FileKind.MODEL, "m"), ledger.file(FileKind.PROPERTY, "p")
    original: dict[str, Any] = {"kind": "reverify", "original": model, "properties": [prop]}

    cases: list[tuple[dict[str, Any], str]] = [
        ({"kind": "prove", "model": model, "properties": [prop, prop]}, "named twice"),
        (original, "exactly one"),
        ({**original, "model": model, "model_of": 32 * "0"}, "exactly one"),
        ({**original, "model_of": 32 * "0"}, "no compress job"),
        ({"kind": "check", "model": model, "property": prop, "certificate": model}, "certificate"),
    ]
    for request, reason in cases:
        with pytest.raises(InvalidError, match=reason):
            ledger.submit(**request)

    assert ledger.all_jobs() == {}


def test_a_tenant_and_the_server_take_so_many_jobs(ledger: Ledger) -> None:
    small = ledger.with_settings(tenant_jobs=2, queued_jobs=3)
    other = Ledger(ledger.database, "two", small.settings)
    small.prove("m", "p")
    small.prove("m", "q")
    other.prove("m", "p")

    with pytest.raises(TooManyError, match="2 jobs are unfinished") as refused:
        small.prove("m", "r")
    with pytest.raises(BusyError, match="3 jobs wait") as busy:
        other.prove("m", "q")

    assert refused.value.headers["Retry-After"]
    assert busy.value.headers["Retry-After"]
    ledger.finish(ledger.claim())
    small.prove("m", "r")


def test_jobs_that_were_cancelled_count_as_long_as_they_are_kept(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "KEPT_FOR_EACH_UNFINISHED", 3)
    small = ledger.with_settings(tenant_jobs=1)
    for _ in range(3):
        job_id = small.prove()
        ledger.database.write(partial(cancel, tenant=ledger.tenant, job_id=job_id))
    with pytest.raises(TooManyError, match="3 jobs are kept"):
        small.prove()
    replace(small, tenant="two").prove()
