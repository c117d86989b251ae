# SPDX-License-Identifier: Apache-2.0
"""Workers and servers are killed again and again; no job is lost and none is reported twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.durability.storm import Storm
from tests.api.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path, database_url: str) -> Iterator[ServerProcess]:
    """Yield a server that takes a lost worker's job back soon and tries it often."""
    settings = {"lease_seconds": 2.0, "max_attempts": 30, "requests_per_minute": 1_000_000}
    started = ServerProcess(tmp_path / "server", "", settings)
    if database_url.startswith("postgresql"):
        started.database_url = database_url
    started.start()
    yield started
    if started.process is not None:
        started.stop()


@pytest.mark.slow
def test_a_short_storm(server: ServerProcess) -> None:
    storm = Storm(server, job_count=16, worker_kills=4, server_kills=1)

    storm.rage()

    assert storm.killed == {"workers": 4, "servers": 1}
    storm.check()


@pytest.mark.long
def test_500_jobs_with_50_killed_workers_and_10_killed_servers(server: ServerProcess) -> None:
    storm = Storm(server, job_count=500, worker_kills=50, server_kills=10)

    storm.rage()

    assert storm.killed == {"workers": 50, "servers": 10}
    storm.check()
