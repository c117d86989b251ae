# SPDX-License-Identifier: Apache-2.0
"""A real server in a process of its own, to talk to, to kill and to start again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
JSON = "application/json"


@dataclass
class ServerProcess:
    """A server.

    Attributes:
        folder: Its data, and its log.
        database_url: Its database; empty for SQLite in the folder.
        settings: More settings, as in the environment: ``lease_seconds`` and so on.
        port: Where it listens; 0 until it was started.
        key: The first key, once it was started.
        program: The command line before the options.
    """

    folder: Path
    database_url: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    port: int = 0
    key: str = ""
    program: tuple[str, ...] = (sys.executable, "-m", "verifier.cli.main")
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it says where it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        words = [*self.program, "serve", "--data-dir", str(self.folder / "data")]
        words += ["--port", str(self.port), "--format", "json"]
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            **{f"MUCG4_{name.upper()}": str(value) for name, value in self.settings.items()},
        }
        if self.database_url:
            environment["MUCG4_DATABASE_URL"] = self.database_url
        with answer.open("wb") as out, self.log.open("ab") as log:
            self.process = subprocess.Popen(words, stdout=out, stderr=log, env=environment)
        document = self._await_answer(answer)
        self.port = int(document["address"].rsplit(":", 1)[1])
        self.key = document["first_key"] or self.key

    def _await_answer(self, answer: Path) -> dict[str, Any]:
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while not answer.read_bytes().endswith(b"\n"):
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, "the server says nothing"
            time.sleep(0.02)
        return dict(json.loads(answer.read_bytes()))

    @property
    def log(self) -> Path:
        """What it writes to standard error."""
        return self.folder / "log"

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    def stop(self) -> None:
        """Tell it to stop, and wait for it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(START_SECONDS)
            self.process = None

    def kill(self) -> None:
        """End it without a chance to do anything."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def client(self, key: str | None = None) -> httpx.Client:
        """Return what talks to it, with a key."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60.0)


def worker_pids(server_pid: int) -> list[int]:
    """Return the worker processes of a server."""
    return [pid for pid in children(server_pid) if is_worker(pid)]


def is_worker(pid: int) -> bool:
    """Say whether a process is a worker of some server."""
    return b"api.jobs.worker" in _command(pid)


def children(pid: int) -> list[int]:
    """Return the child processes of a process; none if it is gone."""
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in tasks.read_text().split()]
        except OSError:
            continue
    return found


def descendants(pid: int) -> list[int]:
    """Return the processes below a process; none if it is gone."""
    below = children(pid)
    return [*below, *(further for child in below for further in descendants(child))]


def command_line(pid: int) -> str:
    """Return the command line of a process; nothing if it is gone."""
    return _command(pid).replace(b"\0", b" ").decode(errors="replace").strip()


def processes_about(text: str) -> list[str]:
    """Return the command lines of all processes that name a text, such as a folder."""
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    commands = [_command(pid) for pid in pids if pid != os.getpid()]
    return [
        command.replace(b"\0", b" ").decode(errors="replace")
        for command in commands
        if text.encode() in command
    ]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
