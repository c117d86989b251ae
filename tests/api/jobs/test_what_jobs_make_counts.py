# SPDX-License-Identifier: Apache-2.0
"""What jobs make counts as stored, until it is removed: no loop of jobs fills the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.errors import ConflictError
from api.files import remove_file
from api.jobs.states import Outcome, State
from api.quota import stored_bytes
from api.schemas import FileKind
from tests.api.jobs.ledger import sha256
from tests.api.jobs.test_a_hostile_answer_harms_nobody import MODEL, compress

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.jobs.ledger import Ledger

COMPRESSED = len("compressed{}")


@pytest.fixture
def ledger(ledger: Ledger, tmp_path: Path) -> Ledger:
    return ledger.with_settings(data_dir=tmp_path, max_attempts=1)


def stored(ledger: Ledger) -> int:
    return ledger.database.read(lambda c: stored_bytes(c, ledger.tenant))


def test_a_file_and_the_artifact_that_it_is_count_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stored(ledger) == 0
    for _ in range(2):
        compress(ledger, monkeypatch)
        assert stored(ledger) == len(MODEL) + COMPRESSED
    assert ledger.database.read(lambda c: stored_bytes(c, "another")) == 0


def test_who_stores_too_much_makes_no_more(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    full = ledger.with_settings(tenant_bytes=len(MODEL) + COMPRESSED)
    first, second = (compress(full, monkeypatch) for _ in range(2))
    assert first.state == State.SUCCEEDED
    assert (second.state, second.attempts[-1].outcome) == (State.FAILED, Outcome.REFUSED)
    assert second.problem is not None
    assert str(full.settings.tenant_bytes) in second.problem["detail"]


def test_removing_what_a_job_made_makes_room(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = compress(ledger, monkeypatch)
    made = sha256("compressed")
    ledger.database.write(lambda c: remove_file(c, ledger.caller, FileKind.MODEL, made))
    assert stored(ledger) == len(MODEL) + len("{}")
    assert made not in {artifact.sha256 for artifact in ledger.job(job.id).artifacts}


def test_what_an_unfinished_job_waits_for_is_not_removed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = compress(ledger, monkeypatch)
    prop = ledger.file(FileKind.PROPERTY, "p")
    original, made = str(job.model), sha256("compressed")
    ledger.submit(kind="reverify", original=original, model_of=job.id, properties=[prop])
    with pytest.raises(ConflictError):
        ledger.database.write(lambda c: remove_file(c, ledger.caller, FileKind.MODEL, made))
    assert ledger.job(job.id).artifacts == job.artifacts
