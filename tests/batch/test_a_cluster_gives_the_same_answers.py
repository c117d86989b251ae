# SPDX-License-Identifier: Apache-2.0
"""On a Ray cluster a run writes the table that it writes on one machine, but for times."""

from __future__ import annotations

import os
import tempfile
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.batch.test_tasks_are_done import HOLDS, VIOLATED
from tests.cli.running import network_bytes
from tests.cli.test_a_batch_goes_on_where_it_was import QUESTIONS, rows, start, words, zoo
from tests.lacking import lacking
from verifier.batch import ray_pool
from verifier.batch.ray_pool import RayPool
from verifier.batch.task import Outcome, Task
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
__all__ = ["zoo"]

PATIENCE_SECONDS = 240.0


@pytest.fixture(autouse=True)
def short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have temporary folders where paths are short: Ray's sockets need that."""
    if find_spec("ray") is None:
        lacking("Ray is not installed (pip install 'mucg4[ray]')")
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="r", ignore_cleanup_errors=True) as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        monkeypatch.setenv("TMPDIR", name)
        yield


def verify(prop: bytes, **options: object) -> Task:
    return Task("verify", {"model.onnx": network_bytes(), "property.vnnlib": prop}, options)


def outcomes(pool: RayPool, count: int) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(found) < count and time.monotonic() < deadline:
        found |= {task.digest: outcome for task, outcome in pool.ended(1.0)}
    assert len(found) == count
    return found


def test_the_table_is_the_same(zoo: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"

    local = start(words(zoo, here)).wait()
    # A process of its own: Ray takes one token in the life of one.
    cluster = start(words(zoo, there, "--executor", "ray")).wait()

    assert (local, cluster) == (0, 0)
    assert rows(here) == rows(there)
    assert len(rows(there)) == QUESTIONS


def test_a_task_that_is_lost_costs_itself_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = RayPool(size=2)
    try:
        wrong = pool._ray.remote(num_cpus=1, max_retries=0)(_dies)
        right, pool._execute = pool._execute, wrong
        doomed, other = verify(HOLDS), verify(VIOLATED)
        pool.begin(doomed)
        pool._execute = right
        pool.begin(other)
        assert pool.room == 0

        found = outcomes(pool, 2)

        assert found[doomed.digest].error.startswith("the process that worked on it is gone")
        assert found[other.digest].document["verdict"] == "violated"
        monkeypatch.setattr(ray_pool, "LATE_SECONDS", 0.0)
        monkeypatch.setattr(ray_pool, "START_SECONDS", 0.0)
        late = verify(HOLDS, timeout_seconds=1e-6)
        pool.begin(late)
        assert "after its time limit" in outcomes(pool, 1)[late.digest].error
    finally:
        pool.close()


def _dies(task: Task, expected: str) -> None:
    del task, expected
    os._exit(1)


def test_a_cluster_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"the Ray cluster at 127\.0\.0\.1:1 cannot be used"):
        RayPool("127.0.0.1:1")
