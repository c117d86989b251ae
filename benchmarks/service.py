# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.service``: what the job server costs, and how it behaves under load."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.load import overload, read_together, until_over
from benchmarks.markdown import insert_section, table
from benchmarks.served import (
    TRIVIAL_PROPERTY,
    Served,
    heavy_modules,
    resident_mebibytes,
    served,
    trivial_model,
    workers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Study = Callable[[Path], Iterator[tuple[str, str, bool]]]

CLIENTS = 50
TEXT = """
## The job server

With two workers; a trivial job proves a property of a network with one ReLU, and `GET` answers are
counted at the client, which shares the machine's two cores with the server and its jobs. *Over
capacity*: ten times as many jobs are submitted as the server takes at once; p99 is that of lists of
jobs meanwhile.
""".strip()


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print a table or put it into a page; 1 if the server did other than it may."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__)
    parser.add_argument("--page", type=Path, help="a Markdown page to put the table into")
    parser.add_argument("--jobs", type=int, default=60, help="how many jobs are timed")
    parser.add_argument(
        "--postgresql", metavar="URL", help="an empty database, postgresql+psycopg://..."
    )
    parser.add_argument("--ray", action="store_true", help="also run jobs on a Ray cluster")
    choices = parser.parse_args(arguments)
    studies: dict[str, Study] = {"SQLite": partial(measures, url="", jobs=choices.jobs)}
    if choices.postgresql:
        studies["PostgreSQL"] = partial(measures, url=choices.postgresql, jobs=choices.jobs)
    if choices.ray:
        studies["SQLite, Ray"] = on_ray
    rows, wrong = [], 0
    for name, study in studies.items():
        with tempfile.TemporaryDirectory(prefix="mucg4-service-") as folder:
            for what, value, is_wrong in study(Path(folder)):
                rows.append((name, what, value))
                wrong += is_wrong
                print(f"{name}: {what}: {value}", file=sys.stderr, flush=True)
    text = f"{TEXT}\n\n{table('database | what | measured', rows)}"
    if choices.page is None:
        print(text)
    else:
        insert_section(choices.page, "service", text)
    return int(wrong > 0)


def measures(folder: Path, url: str, jobs: int) -> Iterator[tuple[str, str, bool]]:
    """Yield what was measured, how it came out, and whether it is wrong."""
    capacity = 4 * jobs
    with served(folder / "server", url, tenant_jobs=capacity) as server:
        yield from _idle(server)
        request = server.trivial_request()
        yield from _overhead(server, request, folder)
        yield "trivial jobs a second", f"{_rate(server, request, jobs):.1f}", False
        yield from _reading(server, request, jobs)
        yield from _overloaded(server, request, 10 * capacity)


def on_ray(folder: Path) -> Iterator[tuple[str, str, bool]]:
    """Yield what a job costs that runs on a Ray cluster of the server's own."""
    with served(folder / "server", executor="ray") as server:
        yield from _overhead(server, server.trivial_request(), folder)


def _overhead(
    server: Served, request: dict[str, object], folder: Path
) -> Iterator[tuple[str, str, bool]]:
    # The first one waits for all that starts with a server.
    _by_server(server, request)
    alone = _median_seconds(lambda: _by_command(folder), 5)
    yield "a trivial job by the command line, median", f"{alone:.2f} s", False
    by_server = _median_seconds(lambda: _by_server(server, request), 5)
    yield "the same by the server, median", f"{by_server:.2f} s", False
    yield "overhead of a job", f"{by_server - alone:+.2f} s", False


def _idle(server: Served) -> Iterator[tuple[str, str, bool]]:
    until = time.monotonic() + 30.0
    with server.client() as client:
        while client.get("/readyz").status_code != 200 and time.monotonic() < until:
            time.sleep(0.05)
    processes = {"server": [server.pid], "worker": workers(server.pid)}
    for name, pids in processes.items():
        yield (
            f"memory of an idle {name}",
            f"{max(map(resident_mebibytes, pids)):.0f} MiB",
            not pids,
        )
    loaded = sorted(
        {name for pids in processes.values() for pid in pids for name in heavy_modules(pid)}
    )
    yield "libraries of jobs that they have loaded", ", ".join(loaded) or "none", bool(loaded)


def _reading(
    server: Served, request: dict[str, object], jobs: int
) -> Iterator[tuple[str, str, bool]]:
    job_id = _by_server(server, request)
    started = time.perf_counter()
    waits = asyncio.run(read_together(server, f"/v1/jobs/{job_id}", CLIENTS, max(1, jobs // 3)))
    rate = len(waits.seconds) / (time.perf_counter() - started)
    name = f"`GET /v1/jobs/{{id}}`, {CLIENTS} clients"
    text = f"{waits.milliseconds(0.5):.0f} ms / {waits.milliseconds(0.99):.0f} ms"
    yield f"{name}: p50 / p99", text, set(waits.statuses) != {200}
    yield f"{name}: answers a second", f"{rate:.0f}", False


def _overloaded(
    server: Served, request: dict[str, object], jobs: int
) -> Iterator[tuple[str, str, bool]]:
    submitting, reading = asyncio.run(overload(server, request, jobs))
    told = ", ".join(f"{count} x {status}" for status, count in sorted(submitting.statuses.items()))
    is_wrong = set(submitting.statuses) != {202, 429} or submitting.silent > 0
    yield "over capacity: answers to submissions", told, is_wrong
    text = f"{reading.milliseconds(0.5):.0f} ms / {reading.milliseconds(0.99):.0f} ms"
    yield "over capacity: p50 / p99 of `GET /v1/jobs`", text, set(reading.statuses) != {200}


def _by_command(folder: Path) -> None:
    """Do what a trivial job does, as a program."""
    (folder / "model.onnx").write_bytes(trivial_model())
    (folder / "property.vnnlib").write_bytes(TRIVIAL_PROPERTY)
    words = [sys.executable, "-P", "-m", "verifier.cli.main", "prove"]
    words += ["model.onnx", "property.vnnlib", "--proof", "proof", "--certificate", "certificate"]
    words += ["--processes", "1", "--format", "json"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)


def _by_server(server: Served, request: dict[str, object]) -> str:
    with server.client() as client:
        job_id = str(client.post("/v1/jobs", json=request).raise_for_status().json()["id"])
        until_over(client, job_id)
    return job_id


def _rate(server: Served, request: dict[str, object], jobs: int) -> float:
    with server.client() as client:
        started = time.perf_counter()
        ids = [
            client.post("/v1/jobs", json=request).raise_for_status().json()["id"]
            for _ in range(jobs)
        ]
        for job_id in ids:
            until_over(client, job_id)
        return jobs / (time.perf_counter() - started)


def _median_seconds(call: Callable[[], object], times: int) -> float:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return median(found)


if __name__ == "__main__":
    sys.exit(main())
