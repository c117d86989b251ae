# SPDX-License-Identifier: Apache-2.0
"""What a job leaves behind is its answer only if it ended with it, and is of the job's own kind."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from api.jobs.answers import REJECTED_STATUS, is_answer
from api.jobs.states import Outcome
from api.schemas import FileKind
from tests.api.jobs.ledger import sha256
from tests.api.jobs.symbolic import Stage
from verifier.cli.certificate import REJECTED

if TYPE_CHECKING:
    from pathlib import Path

    from api.schemas import JobDetail
    from tests.api.jobs.ledger import Ledger

Answer = dict[str, Any]

PROVED: Answer = {"command": "prove", "verdict": "holds"}
ACCEPTED: Answer = {"command": "certificate check", "accepted": True}
REJECTION: Answer = {**ACCEPTED, "accepted": False}
REQUESTS: dict[str, Answer] = {
    "prove": {"model": "m", "properties": ["p"]},
    "compress": {"model": "m", "method": "one_way"},
    "classify": {"original": "m", "model": "v"},
    "check": {"certificate": "c", "model": "m", "property": "p"},
}
KINDS = {
    "m": FileKind.MODEL,
    "v": FileKind.MODEL,
    "p": FileKind.PROPERTY,
    "c": FileKind.CERTIFICATE,
}


def test_the_checker_says_by_its_status_that_it_has_rejected() -> None:
    assert REJECTED_STATUS == REJECTED


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("prove", "model.onnx"), 0, PROVED),
        (("prove", "model.onnx"), 0, {**PROVED, "verdict": "unknown"}),
        (("reverify", "model.onnx"), 0, {"command": "reverify", "verdict": "violated"}),
        (("certificate", "check", "c"), 0, ACCEPTED),
        (("certificate", "check", "c"), REJECTED, REJECTION),
        (("inspect", "--kind", "model"), 0, {"command": "inspect", "summary": {}}),
        (("compress", "--list"), 0, {"command": "compress", "methods": []}),
    ],
)
def test_an_answer_is_taken(words: tuple[str, ...], status: int, said: Answer) -> None:
    assert is_answer(words, status, said)


@pytest.mark.parametrize("status", [1, 2, REJECTED, 4, 130, -9, -signal.SIGTERM])
@pytest.mark.parametrize("said", [PROVED, {**PROVED, "accepted": True}, ACCEPTED, REJECTION])
def test_nothing_else_than_a_check_has_an_answer_without_status_0(
    said: Answer, status: int
) -> None:
    assert not is_answer(("prove", "model.onnx"), status, said)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0, REJECTION),
        (REJECTED, ACCEPTED),
        (0, {"command": "certificate check"}),
        (1, {"command": "certificate check"}),
        (0, {**ACCEPTED, "accepted": 1}),
        (0, {**ACCEPTED, "accepted": "yes"}),
        (-9, ACCEPTED),
        (1, REJECTION),
        (0, {**PROVED, "accepted": True}),
    ],
)
def test_a_check_has_accepted_only_if_word_and_status_agree(status: int, said: Answer) -> None:
    assert not is_answer(("certificate", "check", "c"), status, said)


@pytest.mark.parametrize("verdict", [None, "HOLDS", "safe", True, ["holds"], {"holds": 1}])
def test_a_verdict_is_one_of_three_words(verdict: object) -> None:
    assert not is_answer(("prove", "model.onnx"), 0, {**PROVED, "verdict": verdict})


def job(ledger: Ledger, folder: Path, kind: str, **changes: Any) -> JobDetail:
    """Run a job of a kind, whose command ends as the changes say, and return it."""
    stage = Stage(ledger.with_settings(max_attempts=1), folder / "blobs", **changes)
    hashes = {name: stage.file(what, name) for name, what in KINDS.items()}

    def named(value: Any) -> Any:
        return (
            [hashes[name] for name in value]
            if isinstance(value, list)
            else hashes.get(value, value)
        )

    request = {name: named(value) for name, value in REQUESTS[kind].items()}
    job_id = stage.ledger.submit(kind=kind, **request)
    stage.run_all()
    return ledger.job(job_id)


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_job_has_no_other_answer_than_its_own(ledger: Ledger, tmp_path: Path, kind: str) -> None:
    others = {"prove": ACCEPTED, "check": PROVED, "compress": PROVED, "classify": ACCEPTED}

    found = job(ledger, tmp_path, kind, answer=others[kind])

    assert (found.state, found.verdict, found.result) == ("failed", None, None)
    assert found.artifacts == []


def test_a_compression_without_its_files_has_failed(ledger: Ledger, tmp_path: Path) -> None:
    left = {"compressed/neuron_map.json": b"map", "compressed/report.json": b"report"}

    found = job(ledger, tmp_path, "compress", left=left)

    assert (found.state, found.artifacts) == ("failed", [])
    assert found.problem is not None
    assert "there is no compressed/model.onnx" in found.problem["detail"]


@pytest.mark.parametrize("kind", ["compress", "classify", "check"])
def test_only_what_verifies_has_a_verdict(ledger: Ledger, tmp_path: Path, kind: str) -> None:
    names = {"compress": "compress", "classify": "classify", "check": "certificate check"}
    answer = {"command": names[kind], "accepted": True, "verdict": "holds"}

    found = job(ledger, tmp_path, kind, answer=answer)

    assert (found.state, found.result, found.verdict) == ("succeeded", answer, None)


def test_a_rejected_certificate_is_an_answer(ledger: Ledger, tmp_path: Path) -> None:
    found = job(ledger, tmp_path, "check", status=REJECTED, answer=REJECTION)

    assert (found.state, found.result) == ("succeeded", REJECTION)


def test_a_check_that_was_killed_after_it_had_accepted_has_not(
    ledger: Ledger, tmp_path: Path
) -> None:
    found = job(ledger, tmp_path, "check", status=-9, answer=ACCEPTED)

    assert (found.state, found.result) == ("failed", None)
    assert [attempt.outcome for attempt in found.attempts] == [Outcome.CRASHED]


def test_what_is_kept_is_what_was_looked_at(ledger: Ledger, tmp_path: Path) -> None:
    told = {"command": "inspect", "summary": {"fingerprint": "f"}, "sha256": sha256("another")}

    found = job(ledger, tmp_path, "compress", inspect={"answer": told})

    assert (found.state, found.artifacts) == ("failed", [])
    assert found.problem is not None
    assert "is not the file that was looked at" in found.problem["detail"]
