# SPDX-License-Identifier: Apache-2.0
"""A job that was taken over may say anything: its worker goes on, and its pages are answered."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from api.blobs import Blobs
from api.file_register import FileRecord, register
from api.files import file_page
from api.jobs import attempt
from api.jobs import room as rooms
from api.jobs.attempt import Workshop
from api.jobs.reading import Filter, event_page, job_page
from api.jobs.room import LocalRooms
from api.jobs.states import Outcome, State
from api.jobs.worker import Worker
from api.schemas import FileKind
from tests.api.jobs.ledger import sha256

if TYPE_CHECKING:
    from pathlib import Path

    from api.schemas import JobDetail
    from tests.api.jobs.ledger import Ledger

MODEL = b"a model, for all that matters here"
# Leaves a model, says the first word, and of the model the second.
PROGRAM = """
import os, sys, time
answer, told, of_the_model, command = sys.argv[1:5]
if command == "inspect":
    print(of_the_model)
else:
    os.makedirs("compressed", exist_ok=True)
    open("compressed/model.onnx", "w").write("compressed")
    for name in ("neuron_map.json", "report.json"):
        open("compressed/" + name, "w").write("{}")
    sys.stderr.write(told + "\\n")
    sys.stderr.flush()
    time.sleep(0.5)
    print(answer)
"""
GOOD = json.dumps({"summary": {"fingerprint": "f"}})


@pytest.fixture
def ledger(ledger: Ledger, tmp_path: Path) -> Ledger:
    return ledger.with_settings(data_dir=tmp_path, max_attempts=1)


def named(text: str, **words: str) -> str:
    """Return an object, as JSON that is perhaps none, with some more fields."""
    if not text.startswith("{"):
        return text
    rest = text.removeprefix("{")
    return json.dumps(words)[:-1] + ("" if rest == "}" else ", ") + rest


def compress(
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    *,
    answer: str = "{}",
    told: str = "",
    of_the_model: str = GOOD,
) -> JobDetail:
    """Run a job whose command says these things, and return it."""
    said = named(answer, command="compress")
    described = named(of_the_model, command="inspect", sha256=sha256("compressed"))
    program = (sys.executable, "-P", "-c", PROGRAM, said, told, described)
    monkeypatch.setattr(rooms, "PROGRAM", program)
    settings, blobs = ledger.settings, Blobs(ledger.settings.blob_dir)
    with blobs.writing() as writing:
        writing.write(MODEL)
        record = FileRecord(FileKind.MODEL, writing.keep(), len(MODEL), "m", {"fingerprint": "m"})
    ledger.database.write(lambda c: register(c, ledger.tenant, record))
    job_id = ledger.submit(kind="compress", model=record.sha256, method="m")
    worker = Worker(Workshop(settings, ledger.database, blobs, LocalRooms(settings)), "w")
    worker.perform(ledger.claim())
    return ledger.job(job_id)


def check_everything_is_answered(ledger: Ledger, job: JobDetail) -> None:
    """Check that what is there of a tenant can be read, and written as JSON for all."""
    tenant = ledger.tenant
    parts = [
        job,
        ledger.database.read(lambda c: event_page(c, job.id, 0, 100)),
        *ledger.database.read(lambda c: job_page(c, tenant, Filter(), None, 100)).items,
        *ledger.database.read(lambda c: file_page(c, tenant, FileKind.MODEL, None, 100)).items,
    ]
    for part in parts:
        json.dumps(part.model_dump(mode="json"), allow_nan=False).encode("utf-8")
        part.model_dump_json().encode("utf-8")


@pytest.mark.parametrize(
    "answer",
    [
        '{"seconds": 1e999}',
        '{"seconds": ' + "9" * 4000 + "}",
        '{"verdict": "\\ud800"}',
        '{"reason": "\\u0000"}',
        '{"verdict": "holds", "reason": ["\\udfff"]}',
        "[" * 500 + "]" * 500,
        "1",
    ],
    ids=range(7),
)
def test_an_answer_that_is_none_is_a_crash(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    job = compress(ledger, monkeypatch, answer=answer)
    assert (job.state, job.attempts[-1].outcome) == (State.FAILED, Outcome.CRASHED)
    check_everything_is_answered(ledger, job)


@pytest.mark.parametrize("verdict", ['"' + "x" * 100_000 + '"', '"HOLDS"', "[]", "{}", "1"])
def test_a_verdict_that_is_none_is_not_listed_as_one(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    job = compress(ledger, monkeypatch, answer=f'{{"verdict": {verdict}}}')
    assert (job.state, job.verdict) == (State.SUCCEEDED, None)
    check_everything_is_answered(ledger, job)


@pytest.mark.parametrize(
    "told",
    [
        '{"progress": {"x": 1e999}}',
        '{"progress": {"x": "\\u0000"}}',
        '{"progress": {"x": "\\ud800"}}',
    ],
    ids=range(3),
)
def test_progress_that_is_none_is_not_passed_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    job = compress(ledger, monkeypatch, told=told)
    assert job.state == State.SUCCEEDED
    page = ledger.database.read(lambda c: event_page(c, job.id, 0, 100))
    assert "progress" not in {event.type for event in page.items}
    check_everything_is_answered(ledger, job)


@pytest.mark.parametrize(
    "said",
    [
        "{}",
        '{"summary": []}',
        '{"summary": null}',
        '{"summary": {"fingerprint": "\\u0000"}}',
    ],
    ids=range(4),
)
def test_a_description_that_is_none_fails_the_job_and_not_its_worker(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    job = compress(ledger, monkeypatch, of_the_model=said)
    assert (job.state, job.artifacts) == (State.FAILED, [])
    check_everything_is_answered(ledger, job)


def test_a_description_that_is_too_long_fails_the_job(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "MOST_SUMMARY_BYTES", 100)
    said = json.dumps({"summary": {"fingerprint": "x" * 100}})
    job = compress(ledger, monkeypatch, of_the_model=said)
    assert job.state == State.FAILED
    assert "at most 100" in str(job.problem)
