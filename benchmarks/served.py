# SPDX-License-Identifier: Apache-2.0
"""A job server in a process of its own, and what processes take."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from verifier.ir.graph import Graph, Node
from verifier.ir.onnx_writer import write_onnx
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60.0
STOP_SECONDS = 30.0
HEAVY = ("numpy", "onnx", "torch", "z3")
TRIVIAL_PROPERTY = b"""(declare-const X_0 Real)
(declare-const Y_0 Real)
(assert (>= X_0 0.0))
(assert (<= X_0 1.0))
(assert (>= Y_0 2.0))
"""


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes:
        address: Where it listens.
        key: A key with all scopes.
        pid: Its process.
    """

    address: str
    key: str
    pid: int

    def client(self) -> httpx.Client:
        """Return what talks to it."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60.0)

    def trivial_request(self) -> dict[str, Any]:
        """Upload what is proved at once, and return what asks for the proof."""
        with self.client() as client:
            hashes = [
                client.post(place, content=content).raise_for_status().json()["sha256"]
                for place, content in (
                    ("/v1/models", trivial_model()),
                    ("/v1/properties", TRIVIAL_PROPERTY),
                )
            ]
        return {"kind": "prove", "model": hashes[0], "properties": hashes[1:]}


@contextmanager
def served(folder: Path, url: str = "", **settings: Any) -> Iterator[Served]:
    """Yield a server with its data in a folder, on SQLite where no database is named."""
    folder.mkdir(parents=True, exist_ok=True)
    answer = folder / "answer.json"
    words = [sys.executable, "-m", "verifier.cli.main", "serve", "--port", "0"]
    words += ["--format", "json", "--data-dir", str(folder / "data")]
    words += ["--database-url", url] if url else []
    chosen = {"requests_per_minute": 10**9, **settings}
    own = {f"MUCG4_{name.upper()}": str(value) for name, value in chosen.items()}
    with answer.open("wb") as out, (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=out, stderr=log, env={**os.environ, **own})
    try:
        until = time.monotonic() + START_SECONDS
        while not answer.read_bytes().endswith(b"\n"):
            if process.poll() is not None or time.monotonic() > until:
                msg = f"the server does not start: {(folder / 'log').read_text()[-1000:]}"
                raise RuntimeError(msg)
            time.sleep(0.02)
        document = json.loads(answer.read_bytes())
        yield Served(document["address"], document["first_key"], process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def trivial_model() -> bytes:
    """Return a network of one ReLU."""

    def filled(*shape: int) -> RationalArray:
        return RationalArray.from_floats(np.ones(shape, np.float32))

    nodes = (
        Node("x", Input(), (), 1),
        Node("h", Affine((filled(1, 1),), filled(1)), (0,), 1),
        Node("r", Relu(), (1,), 1),
        Node("y", Affine((filled(1, 1),), filled(1)), (2,), 1),
    )
    return write_onnx(Graph(nodes), "float32")


def workers(pid: int) -> list[int]:
    """Return the worker processes of a server."""
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in tasks.read_text().split()]
    return [child for child in found if b"api.jobs.worker" in _command(child)]


def resident_mebibytes(pid: int) -> float:
    """Return the memory that a process takes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def heavy_modules(pid: int) -> list[str]:
    """Return which of the libraries that only jobs need a process has loaded."""
    mapped = Path(f"/proc/{pid}/maps").read_text()
    return [name for name in HEAVY if f"/{name}/" in mapped or f"/{name}.libs/" in mapped]


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
