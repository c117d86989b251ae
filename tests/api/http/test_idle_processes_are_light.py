# SPDX-License-Identifier: Apache-2.0
"""The server and its workers load no library that reads files or solves anything."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.api.http.processes import mapped_files, resident_bytes
from tests.api.server_process import worker_pids
from tests.api.tiny import tiny_model

if TYPE_CHECKING:
    from tests.api.server_process import ServerProcess

HEAVY = ("numpy", "onnx", "onnxruntime", "torch", "z3", "scipy", "highspy", "numba", "llvmlite")
MOST_BYTES = 200 << 20


@pytest.mark.slow
def test_neither_the_server_nor_a_worker_loads_what_jobs_need(server: ServerProcess) -> None:
    with server.client() as client:
        client.post("/v1/models", content=tiny_model()).raise_for_status()
        deadline = time.monotonic() + 30.0
        while client.get("/readyz").json()["workers"] < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    processes = [server.pid, *worker_pids(server.pid)]

    assert len(processes) == 3
    for pid in processes:
        files = mapped_files(pid)
        assert any("pydantic_core" in path or "sqlite" in path for path in files)
        heavy = [path for path in files if any(f"/{name}" in path.lower() for name in HEAVY)]
        assert heavy == []
        assert resident_bytes(pid) < MOST_BYTES
