# SPDX-License-Identifier: Apache-2.0
"""Jobs are submitted while workers and the server are killed; afterwards everything is counted."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import select, text

from api.blobs import Blobs
from api.database.connection import Database
from api.database.tables import artifacts, events, jobs
from tests.api.server_process import is_worker, processes_about, worker_pids
from tests.api.tiny import tiny_model, tiny_property

if TYPE_CHECKING:
    from tests.api.server_process import ServerProcess

PATIENCE_SECONDS = 900.0


@dataclass
class Storm:
    """What is done to a server.

    Attributes:
        server: The server, which runs.
        job_count: How many jobs are submitted in all.
        worker_kills: How many workers are killed.
        server_kills: How often the server is killed.
        seed: Of what is killed when.
    """

    server: ServerProcess
    job_count: int
    worker_kills: int
    server_kills: int
    seed: int = 0
    submitted: list[str] = field(default_factory=list)
    workers: set[int] = field(default_factory=set)
    killed: dict[str, int] = field(default_factory=lambda: {"workers": 0, "servers": 0})

    def rage(self) -> None:
        """Submit all jobs and kill all that is to be killed on the way, then wait for the end."""
        chance = random.Random(self.seed)
        model, properties = self._upload()
        kills = ["workers"] * self.worker_kills + ["servers"] * self.server_kills
        chance.shuffle(kills)
        every = max(1, self.job_count // (len(kills) + 1))
        for number in range(self.job_count):
            body = {"kind": "prove", "model": model, "properties": [properties[number % 5]]}
            self.submitted.append(self._submit(body, f"storm-{self.seed}-{number}"))
            if kills and number % every == every - 1:
                self._kill(kills.pop(), chance)
        while kills:
            self._kill(kills.pop(), chance)
        self._wait_for_all()

    def _upload(self) -> tuple[str, list[str]]:
        with self.server.client() as client:
            answer = client.post("/v1/models", content=tiny_model())
            model = answer.raise_for_status().json()["sha256"]
            properties = []
            for number in range(5):
                content = tiny_property(2.5 + number)
                answer = client.post("/v1/properties", content=content)
                properties.append(answer.raise_for_status().json()["sha256"])
        return model, properties

    def _submit(self, body: dict[str, Any], key: str) -> str:
        """Submit a job, again and again under the same key until the server says that it has it."""
        headers = {"Idempotency-Key": key}
        while True:
            with suppress(httpx.TransportError), self.server.client() as client:
                answer = client.post("/v1/jobs", json=body, headers=headers)
                if answer.status_code not in (429, 503):
                    return str(answer.raise_for_status().json()["id"])
            time.sleep(0.1)

    def _kill(self, what: str, chance: random.Random) -> None:
        time.sleep(chance.uniform(0.0, 0.6))
        self.workers.update(worker_pids(self.server.pid))
        if what == "servers":
            self.server.kill()
            self.killed["servers"] += 1
            self.server.start()
            return
        deadline = time.monotonic() + 20.0
        while time.monotonic() < deadline:
            workers = worker_pids(self.server.pid)
            if workers:
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(workers), signal.SIGKILL)
                    self.killed["workers"] += 1
                    return
            time.sleep(0.05)
        msg = "no worker came back"
        raise AssertionError(msg)

    def _wait_for_all(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self.server.client() as client:
            while True:
                counts = [
                    len(client.get("/v1/jobs", params={"state": state, "limit": 1}).json()["items"])
                    for state in ("queued", "running")
                ]
                if not any(counts):
                    return
                assert time.monotonic() < deadline, "jobs are left over"
                time.sleep(0.3)

    def check(self) -> None:
        """Check that nothing was lost, nothing done twice, and nothing is damaged."""
        data = self.server.folder / "data"
        self.server.stop()
        url = self.server.database_url or f"sqlite:///{data / 'mucg4.sqlite'}"
        database = Database(url)
        try:
            self._check_jobs(database)
        finally:
            database.close()
        assert list(Blobs(data / "blobs").damaged()) == []
        assert processes_about(str(self.server.folder)) == []
        assert [pid for pid in self.workers if is_worker(pid)] == []

    def _check_jobs(self, database: Database) -> None:
        def read(query: Any) -> list[Any]:
            return database.read(lambda c: list(c.execute(query).all()))

        states = {row.id: row.state for row in read(select(jobs.c.id, jobs.c.state))}
        assert len(set(self.submitted)) == self.job_count
        assert set(states) == set(self.submitted)
        assert set(states.values()) == {"succeeded"}
        told = [
            row.job_id
            for row in read(select(events.c.job_id, events.c.data).where(events.c.type == "state"))
            if row.data["state"] == "succeeded"
        ]
        assert sorted(told) == sorted(self.submitted)
        made = read(select(artifacts.c.job_id).where(artifacts.c.name == "certificate"))
        assert sorted(row.job_id for row in made) == sorted(self.submitted)
        if database.is_sqlite:
            assert read(text("PRAGMA integrity_check")) == [("ok",)]
            assert read(text("PRAGMA foreign_key_check")) == []
