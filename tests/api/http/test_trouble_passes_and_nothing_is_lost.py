# SPDX-License-Identifier: Apache-2.0
"""A full disk, a folder that cannot be written to, a database that is locked or gone for a while.

Each is answered with a problem document that says when to come again, the server recovers by
itself, and every job that was accepted ends once.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.server_process import ServerProcess
from tests.api.tiny import tiny_model, tiny_property
from tests.lacking import lacking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from tests.api.postgresql import Cluster

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 120.0
SETTINGS = {"requests_per_minute": 1_000_000, "lease_seconds": 10.0, "max_attempts": 6}


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Lay an empty file system in memory over a folder for a while."""
    folder.mkdir(parents=True, exist_ok=True)
    mount, umount = shutil.which("mount"), shutil.which("umount")
    words = [str(mount), "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, check=False, capture_output=True).returncode:
        lacking("only root can mount a small file system, and not everywhere")
    try:
        yield
    finally:
        subprocess.run([str(umount), "--lazy", str(folder)], check=True)


@contextmanager
def running(folder: Path, url: str = "") -> Iterator[ServerProcess]:
    server = ServerProcess(folder, url, SETTINGS)
    server.start()
    try:
        yield server
        assert "Traceback" not in server.log.read_text()
    finally:
        server.stop()


def eventually(question: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def upload(client: httpx.Client) -> dict[str, Any]:
    """Upload a model and a property, and return what asks for a proof."""
    model = client.post("/v1/models", content=tiny_model()).raise_for_status().json()["sha256"]
    answer = client.post("/v1/properties", content=tiny_property(3.5))
    return {
        "kind": "prove",
        "model": model,
        "properties": [answer.raise_for_status().json()["sha256"]],
    }


def check_problem(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["detail"]


def check_all_end_once(client: httpx.Client, job_ids: list[str]) -> None:
    """Check that all jobs of a server are these, and that each succeeds once."""
    for job_id in job_ids:

        def is_over(job_id: str = job_id) -> bool:
            answer = client.get(f"/v1/jobs/{job_id}")
            return answer.status_code == 200 and answer.json()["finished_at"] is not None

        eventually(is_over)
        job = client.get(f"/v1/jobs/{job_id}").json()
        assert (job["state"], job["verdict"]) == ("succeeded", "holds"), job["attempts"]
        page = client.get(f"/v1/jobs/{job_id}/event-pages", params={"limit": 200}).json()
        assert [event["number"] for event in page["items"]] == [
            number for number, _ in enumerate(page["items"], start=1)
        ]
        states = [e["data"]["state"] for e in page["items"] if e["type"] == "state"]
        assert states.count("succeeded") == 1
    listed = client.get("/v1/jobs", params={"limit": 200}).json()["items"]
    assert {job["id"] for job in listed} == set(job_ids)


def test_a_full_disk(tmp_path: Path) -> None:
    data = tmp_path / "server" / "data"
    with (
        mounted(data, "size=24m"),
        running(tmp_path / "server") as server,
        server.client() as client,
    ):
        body = upload(client)
        accepted = [client.post("/v1/jobs", json=body).json()["id"]]
        check_all_end_once(client, accepted)
        filler = data / "filler"
        fill(filler)

        for content in (bytes(10), bytes(1 << 20)):
            check_problem(client.post("/v1/models", content=content), 507)
        eventually(lambda: client.get("/readyz").status_code == 503)
        assert client.get("/v1/jobs").status_code == 200
        assert client.get(f"/v1/models/{body['model']}/content").content == tiny_model()
        for _ in range(5):
            answer = client.post("/v1/jobs", json=body)
            if answer.status_code == 202:
                accepted.append(answer.json()["id"])
            else:
                check_problem(answer, 503, 507)
        time.sleep(3.0)  # Long enough for a worker to meet it more than once.
        filler.unlink()

        eventually(lambda: client.get("/readyz").status_code == 200)
        accepted.append(client.post("/v1/jobs", json=body).raise_for_status().json()["id"])
        check_all_end_once(client, accepted)
        assert client.post("/v1/models", content=tiny_model(5)).status_code == 201
        assert not list((data / "blobs" / "incoming").glob("*"))


def fill(path: Path) -> None:
    """Write until there is no room for a single byte."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def test_folders_that_cannot_be_written_to(tmp_path: Path) -> None:
    with running(tmp_path / "server") as server, server.client() as client:
        body = upload(client)
        data = server.folder / "data"
        with mounted(data / "blobs", "ro"):
            check_problem(client.post("/v1/models", content=b"x"), 503)
            eventually(lambda: client.get("/readyz").status_code == 503)
            assert "ead-only" in client.get("/readyz").json()["storage"]
            check_problem(client.get(f"/v1/models/{body['model']}/content"), 503)
            assert client.get("/v1/jobs").status_code == 200
        with mounted(data / "jobs", "ro"):
            check_problem(client.post("/v1/models", content=b"x"), 503)
            accepted = [client.post("/v1/jobs", json=body).raise_for_status().json()["id"]]
            time.sleep(2.0)  # Long enough for a worker to meet it.

        eventually(lambda: client.get("/readyz").status_code == 200)
        check_all_end_once(client, accepted)
        assert client.post("/v1/models", content=tiny_model(5)).status_code == 201


def check_locked(folder: Path, seconds: float) -> None:
    with running(folder) as server, server.client() as client:
        body = upload(client)
        keys = [f"key-{number}" for number in range(6)]
        accepted = {submit(client, body, key).json()["id"] for key in keys[:2]}
        path = server.folder / "data" / "mucg4.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None, timeout=30.0)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            until = time.monotonic() + seconds
            refused = [submit(client, body, keys[3])]
            while time.monotonic() < until:
                started = time.monotonic()
                assert client.get("/v1/jobs").status_code == 200
                assert client.get("/healthz").status_code == 200
                assert time.monotonic() - started < 2.0
                refused.append(submit(client, body, keys[4]))
            refused.append(client.post("/v1/models", content=tiny_model(5)))
            holder.execute("ROLLBACK")
        for answer in refused:
            check_problem(answer, 503)
        accepted |= {submit(client, body, key).raise_for_status().json()["id"] for key in keys}

        assert len(accepted) == len(keys)
        check_all_end_once(client, sorted(accepted))


def submit(client: httpx.Client, body: dict[str, Any], key: str) -> httpx.Response:
    return client.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})


def test_a_database_that_is_locked_for_a_while(tmp_path: Path) -> None:
    check_locked(tmp_path, 6.0)


@pytest.mark.long
def test_a_database_that_is_locked_for_half_a_minute(tmp_path: Path) -> None:
    check_locked(tmp_path, 30.0)


def check_restarted(folder: Path, cluster: Cluster, seconds: float) -> None:
    with (
        running(folder, cluster.create_database()) as server,
        server.client() as client,
    ):
        body = upload(client)
        accepted = {submit(client, body, f"key-{n}").json()["id"] for n in range(6)}
        watched = min(accepted)
        told: list[int] = []
        watcher = threading.Thread(target=watch, args=(server, watched, told))
        watcher.start()
        eventually(lambda: told)
        cluster.stop()
        eventually(lambda: client.get("/readyz").status_code == 503)
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                for path in ("/v1/jobs", f"/v1/jobs/{watched}", "/v1/whoami"):
                    check_problem(client.get(path), 503)
                check_problem(submit(client, body, "key-0"), 503)
                check_problem(client.post("/v1/models", content=tiny_model(5)), 503)
                assert client.get("/healthz").status_code == 200
                assert client.get("/readyz").status_code == 503
        finally:
            cluster.start()

        eventually(lambda: client.get("/readyz").status_code == 200)
        accepted.add(submit(client, body, "key-0").raise_for_status().json()["id"])
        accepted.add(submit(client, body, "key-9").raise_for_status().json()["id"])
        assert len(accepted) == 7
        check_all_end_once(client, sorted(accepted))
        watcher.join(30.0)
        assert told == list(range(1, len(told) + 1))
        last = client.get(f"/v1/jobs/{watched}/event-pages", params={"limit": 200}).json()
        assert told[-1] == last["items"][-1]["number"]


def watch(server: ServerProcess, job_id: str, told: list[int]) -> None:
    """Read one stream of events to its end, without asking again."""
    with (
        server.client() as client,
        client.stream("GET", f"/v1/jobs/{job_id}/events", timeout=PATIENCE_SECONDS) as stream,
    ):
        # One by one, for others to see them come.
        told.extend(int(line[4:]) for line in stream.iter_lines() if line.startswith("id: "))


def test_a_database_that_is_restarted(tmp_path: Path, cluster: Cluster) -> None:
    check_restarted(tmp_path, cluster, 4.0)


@pytest.mark.long
def test_a_database_that_is_gone_for_half_a_minute(tmp_path: Path, cluster: Cluster) -> None:
    check_restarted(tmp_path, cluster, 30.0)
