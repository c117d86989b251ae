# SPDX-License-Identifier: Apache-2.0
"""Many clients of a server at once, and how long they wait."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    import httpx

    from benchmarks.served import Served

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Answer:
    """How a request was answered, and whether the answer says when to come again."""

    status: int
    tells_when: bool


@dataclass
class Waits:
    """How long requests took, and how they were answered.

    Attributes:
        seconds: Of each request.
        statuses: How often each status was answered.
        silent: How many refusals did not say when to come again.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    silent: int = 0

    def add(self, seconds: float, answer: Answer) -> None:
        """Count an answer."""
        self.seconds.append(seconds)
        self.statuses[answer.status] += 1
        self.silent += answer.status in (429, 503) and not answer.tells_when

    async def timed(self, asking: Awaitable[Answer]) -> None:
        """Wait for an answer, and count it."""
        started = time.perf_counter()
        answer = await asking
        self.add(time.perf_counter() - started, answer)

    def milliseconds(self, share: float) -> float:
        """Return the time within which a share of the requests was answered."""
        ordered = sorted(self.seconds)
        return 1000.0 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Connection:
    """One client's connection, for one request after the other.

    Only what is measured needs it: libraries' clients take longer to ask than the server to answer,
    and share the machine with it.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, server: Served, method: str, path: str, body: bytes = b"") -> Answer:
        """Send a request and read its answer."""
        head = f"{method} {path} HTTP/1.1\r\nHost: server\r\nAuthorization: Bearer {server.key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines[1:] if line)
        await self._reader.readexactly(int(headers[b"content-length"]))
        return Answer(int(lines[0].split()[1]), b"retry-after" in headers)


@asynccontextmanager
async def connected(server: Served) -> AsyncIterator[Connection]:
    """Yield a connection of its own."""
    host, _, port = server.address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def read_together(server: Served, path: str, clients: int, each: int) -> Waits:
    """Have clients ask for the same, each again as soon as it has its answer."""
    waits = Waits()

    async def ask() -> None:
        async with connected(server) as connection:
            await connection.ask(server, "GET", "/healthz")  # Connected from now on.
            for _ in range(each):
                await waits.timed(connection.ask(server, "GET", path))

    await asyncio.gather(*(ask() for _ in range(clients)))
    return waits


async def overload(server: Served, request: dict[str, Any], jobs: int) -> tuple[Waits, Waits]:
    """Submit far more jobs than are taken; return how that went and how lists did meanwhile."""
    submitting, reading = Waits(), Waits()

    body = json.dumps(request).encode()

    async def submit(count: int) -> None:
        async with connected(server) as connection:
            for _ in range(count):
                await submitting.timed(connection.ask(server, "POST", "/v1/jobs", body))

    async def read() -> None:
        async with connected(server) as connection:
            while not done.is_set():
                await reading.timed(connection.ask(server, "GET", "/v1/jobs?limit=50"))
                await asyncio.sleep(POLL_SECONDS)

    done, writers = asyncio.Event(), 8
    reader = asyncio.create_task(read())
    await asyncio.gather(*(submit(jobs // writers) for _ in range(writers)))
    done.set()
    await reader
    return submitting, reading


def until_over(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """Wait for the end of a job and return it."""
    while True:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        if job["finished_at"] is not None:
            return job
        time.sleep(POLL_SECONDS / 5)
