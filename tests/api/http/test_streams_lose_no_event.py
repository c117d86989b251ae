# SPDX-License-Identifier: Apache-2.0
"""Many readers of one job, fast and slow, cut off and coming back: each gets each event once."""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import insert

from api.database.connection import Database, now
from api.database.tables import jobs
from api.jobs.plan import new_id
from api.jobs.queue import Ending, Lease, Queue
from api.jobs.states import Outcome, State
from tests.api.http.processes import resident_bytes

if TYPE_CHECKING:
    from tests.api.server_process import ServerProcess

FOREVER = 1e12
EVENT_BYTES = 2000
NUMBER = re.compile(rb"^id: (\d+)$", re.MULTILINE)


@dataclass
class Source:
    """A running job that no worker works on: what happens to it, a test tells.

    Attributes:
        queue: Where it is.
        lease: On the job.
    """

    queue: Queue
    lease: Lease

    @classmethod
    def begin(cls, database: Database) -> Source:
        """Put the job into a database."""
        lease = Lease(new_id(), 1, "default", "prove", {}, 1)
        row = {
            "id": lease.job_id,
            "tenant": lease.tenant,
            "key_prefix": "",
            "kind": lease.kind,
            "state": State.RUNNING,
            "request": {},
            "token": lease.token,
            "lease_until": FOREVER,
            "created_at": now(),
        }
        database.write(lambda c: c.execute(insert(jobs).values(row)))
        return cls(Queue(database, 60.0, 1), lease)

    def tell(self, number: int) -> None:
        """Have something happen."""
        data = {"step": number, "text": "x" * EVENT_BYTES}
        self.queue.tell(self.lease, "progress", data)

    def end(self) -> None:
        """End the job."""
        self.queue.finish(self.lease, Ending(Outcome.ANSWERED, result={"verdict": "holds"}))


@dataclass
class Reader:
    """Reads the stream of a job; some slowly, some with interruptions.

    Attributes:
        server: Where.
        job_id: Which job.
        chance: How.
    """

    server: ServerProcess
    job_id: str
    chance: random.Random

    async def read(self) -> list[int]:
        """Return the numbers of all events, in the order in which they came."""
        numbers: list[int] = []
        is_over = False
        pause = self.chance.choice([0.0, 0.0, 0.001, 0.01])
        while not is_over:
            most = self.chance.choice([5_000, 200_000, 10**9])
            is_over = await self._read_some(numbers, most, pause)
        return numbers

    async def _read_some(self, numbers: list[int], most: int, pause: float) -> bool:
        last = f"Last-Event-ID: {numbers[-1]}\r\n" if numbers else ""
        # A short buffer, so that it is the server that has to wait.
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port, limit=4096)
        key = f"Authorization: Bearer {self.server.key}\r\n"
        path = f"/v1/jobs/{self.job_id}/events"
        writer.write(f"GET {path} HTTP/1.0\r\n{key}{last}\r\n".encode())
        rest, seen = b"", 0
        try:
            while seen < most and (part := await reader.read(2048)):
                *events, rest = (rest + part).split(b"\n\n")
                numbers += [int(found[1]) for event in events if (found := NUMBER.search(event))]
                if any(b"event: end" in event for event in events):
                    return True
                seen += len(part)
                await asyncio.sleep(pause)
        finally:
            writer.close()
        return False


async def check_streams(server: ServerProcess, readers: int, events: int) -> None:
    with closing(Database(f"sqlite:///{server.folder / 'data' / 'mucg4.sqlite'}")) as database:
        source = Source.begin(database)
        job_id = source.lease.job_id
        before = resident_bytes(server.pid)
        asking = [
            asyncio.create_task(Reader(server, job_id, random.Random(seed)).read())
            for seed in range(readers)
        ]
        most = before
        async with httpx.AsyncClient(base_url=server.address, timeout=30.0) as client:
            client.headers["Authorization"] = f"Bearer {server.key}"
            for number in range(events):
                await asyncio.to_thread(source.tell, number)
                if number % 20 == 0:
                    answer = await client.get(f"/v1/jobs/{job_id}")
                    assert answer.json()["state"] == "running"
                    most = max(most, resident_bytes(server.pid))
            await asyncio.to_thread(source.end)
            told = await asyncio.gather(*asking)
            pages = await all_pages(client, job_id)
    total = events + 2  # The attempt's end and the job's.
    assert [numbers == list(range(1, total + 1)) for numbers in told] == [True] * readers
    assert [event["number"] for event in pages] == list(range(1, total + 1))
    assert pages[-1]["data"]["state"] == "succeeded"
    # What all readers together have yet to read is many times this.
    assert max(most, resident_bytes(server.pid)) - before < (30 << 20) + readers * 300_000


async def all_pages(client: httpx.AsyncClient, job_id: str) -> list[dict[str, Any]]:
    """Return all events, asked for in pages."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["number"] if found else 0
        place = f"/v1/jobs/{job_id}/event-pages"
        answer = await client.get(place, params={"after": after, "limit": 50})
        page = answer.raise_for_status().json()
        found += page["items"]
        if page["is_finished"]:
            return found
        assert page["items"]


@pytest.mark.slow
def test_20_readers_get_each_event_once(server: ServerProcess) -> None:
    asyncio.run(check_streams(server, readers=20, events=150))


@pytest.mark.long
def test_200_readers_get_each_event_once(server: ServerProcess) -> None:
    asyncio.run(check_streams(server, readers=200, events=1000))
