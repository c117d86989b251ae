# SPDX-License-Identifier: Apache-2.0
"""A process that ends over a task takes that task with it, and nothing else."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.batch.test_tasks_are_done import HOLDS, VIOLATED
from tests.cli.running import network_bytes
from verifier.batch import pool as pool_module
from verifier.batch.pool import LocalPool
from verifier.batch.task import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 120.0


@pytest.fixture
def pool() -> Iterator[LocalPool]:
    made = LocalPool(2)
    yield made
    made.close()


def task(prop: bytes, **options: object) -> Task:
    return Task("verify", {"model.onnx": network_bytes(), "property.vnnlib": prop}, options)


def outcomes(pool: LocalPool, count: int) -> dict[str, Outcome]:
    """Wait for so many outcomes, and return them by the digest of the task."""
    found: dict[str, Outcome] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(found) < count and time.monotonic() < deadline:
        found |= {done.digest: outcome for done, outcome in pool.ended(1.0)}
    assert len(found) == count
    return found


def test_tasks_are_done_side_by_side(pool: LocalPool) -> None:
    tasks = [task(HOLDS), task(VIOLATED)]
    for each in tasks:
        pool.begin(each)
    assert pool.room == 0

    found = outcomes(pool, 2)

    verdicts = [found[each.digest].document["verdict"] for each in tasks]
    assert verdicts == ["holds", "violated"]
    assert pool.room == 2


def test_a_process_that_is_killed_costs_its_task_only(pool: LocalPool) -> None:
    doomed, other = task(HOLDS), task(VIOLATED)
    pool.begin(doomed)
    os.kill(pool._workers[0].process.pid or 0, signal.SIGKILL)
    pool.begin(other)

    found = outcomes(pool, 2)

    assert found[doomed.digest].error == "the process that worked on it was ended by SIGKILL"
    assert found[other.digest].document["verdict"] == "violated"
    pool.begin(doomed)
    assert outcomes(pool, 1)[doomed.digest].document["verdict"] == "holds"


def test_a_task_that_does_not_end_is_ended(
    pool: LocalPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its time is over before the process has started.
    monkeypatch.setattr(pool_module, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(pool_module, "START_SECONDS", 0.0)
    late = task(HOLDS, timeout_seconds=0.01)
    pool.begin(late)

    found = outcomes(pool, 1)

    assert "after its time limit, and was ended" in found[late.digest].error
    assert pool.room == 2


def test_closing_leaves_no_process(pool: LocalPool) -> None:
    pool.begin(task(HOLDS))
    pid = pool._workers[0].process.pid or 0

    pool.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
