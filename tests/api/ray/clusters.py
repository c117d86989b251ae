# SPDX-License-Identifier: Apache-2.0
"""Servers whose jobs run on a real Ray cluster on loopback, and the processes of such a job."""

from __future__ import annotations

import shutil
import socket
import struct
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.client import Client, FileKind
from tests.api.hard import hard_model, hard_property
from tests.api.server_process import ServerProcess, children, command_line, descendants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_SECONDS = 180.0
LISTENING = "0A"
SETTINGS = {"executor": "ray", "lease_seconds": 2.0, "job_memory_bytes": 4 << 30}


@contextmanager
def ray_server(folder: Path, **settings: object) -> Iterator[ServerProcess]:
    """Yield a running server with a cluster of its own, and temporary files in ``folder/t``.

    The folder's path has to be short, for the sake of Ray's sockets.
    """
    (folder / "t").mkdir()
    server = ServerProcess(folder / "server", "", {**SETTINGS, **settings})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder / "t"))
        server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def short_folder() -> Iterator[Path]:
    """Yield a folder whose path is short; pytest's are too long for a socket in them."""
    folder = Path(tempfile.mkdtemp(prefix="m-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Running:
    """The processes of a job: the worker that has it, Ray's process, and the command."""

    worker: int
    cell: int
    command: int


def running_jobs(server: ServerProcess) -> list[Running]:
    """Return the processes of all jobs that run on the own cluster of a server with one worker."""
    found = []
    for pid in descendants(server.pid):
        if not command_line(pid).startswith("ray::"):
            continue
        commands = [p for p in descendants(pid) if "verifier.cli.main prove" in command_line(p)]
        if commands:
            found.append(Running(_only_worker(server), pid, commands[-1]))
    return found


def _only_worker(server: ServerProcess) -> int:
    workers = [pid for pid in children(server.pid) if "api.jobs.worker" in command_line(pid)]
    return workers[0]


def start_hard_job(client: Client, folder: Path, seconds: float | None = None) -> str:
    """Submit a job that takes longer than any test, or so many seconds; return its id."""
    (folder / "hard.onnx").write_bytes(hard_model())
    (folder / "hard.vnnlib").write_bytes(hard_property())
    model = client.upload(FileKind.MODEL, folder / "hard.onnx").sha256
    prop = client.upload(FileKind.PROPERTY, folder / "hard.vnnlib").sha256
    return str(client.prove(model, [prop], timeout_seconds=seconds).id)


def await_that(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> float:
    """Wait until a condition holds, and return for how many seconds it did not."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() < started + seconds, "it does not come true"
        time.sleep(0.05)
    return time.monotonic() - started


def is_running(pid: int) -> bool:
    """Say whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def listening_addresses(pids: list[int]) -> set[str]:
    """Return the addresses that processes listen on."""
    inodes = set()
    for pid in pids:
        with suppress(OSError):
            inodes |= {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTENING and f"socket:[{words[9]}]" in inodes:
                found.add(_address(words[1].partition(":")[0]))
    return found


def _address(digits: str) -> str:
    """Return an address that the kernel wrote as words of four bytes, each reversed."""
    words = [int(digits[first : first + 8], 16) for first in range(0, len(digits), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
