# SPDX-License-Identifier: Apache-2.0
"""Many clients of a server at once, and how long they wait."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from benchmarks.served import Served

POLL_SECONDS = 0.05


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

    def add(self, seconds: float, answer: httpx.Response) -> None:
        """Count an answer."""
        self.seconds.append(seconds)
        self.statuses[answer.status_code] += 1
        self.silent += answer.status_code in (429, 503) and "retry-after" not in answer.headers

    def milliseconds(self, share: float) -> float:
        """Return the time within which a share of the requests was answered."""
        ordered = sorted(self.seconds)
        return 1000.0 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def opened(server: Served) -> httpx.AsyncClient:
    """Return a client for one request after the other: many at once would wait for each other."""
    headers = {"Authorization": f"Bearer {server.key}"}
    return httpx.AsyncClient(base_url=server.address, headers=headers, timeout=60.0)


async def timed(
    client: httpx.AsyncClient, waits: Waits, method: str, path: str, **more: Any
) -> httpx.Response:
    """Ask, and count how long it takes."""
    started = time.perf_counter()
    answer = await client.request(method, path, **more)
    waits.add(time.perf_counter() - started, answer)
    return answer


async def read_together(server: Served, path: str, clients: int, each: int) -> Waits:
    """Have clients ask for the same, each again as soon as it has its answer."""
    waits = Waits()

    async def ask() -> None:
        async with opened(server) as client:
            await client.get("/healthz")  # Connected from now on.
            for _ in range(each):
                await timed(client, waits, "GET", path)

    await asyncio.gather(*(ask() for _ in range(clients)))
    return waits


async def overload(server: Served, request: dict[str, Any], jobs: int) -> tuple[Waits, Waits]:
    """Submit far more jobs than are taken; return how that went and how lists did meanwhile."""
    submitting, reading = Waits(), Waits()

    async def submit(count: int) -> None:
        async with opened(server) as client:
            for _ in range(count):
                await timed(client, submitting, "POST", "/v1/jobs", json=request)

    async def read() -> None:
        async with opened(server) as client:
            while not done.is_set():
                await timed(client, reading, "GET", "/v1/jobs", params={"limit": 50})
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
