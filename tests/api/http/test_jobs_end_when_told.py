# SPDX-License-Identifier: Apache-2.0
"""A job that would take hours is over as soon as somebody, or the clock, says so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.http.processes import processes_of_jobs
from tests.api.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60.0
# By when nothing of a job may be left, from the moment it is told to end.
GONE_SECONDS = 3.0
JOB_SECONDS = 3.0
NETWORK = "acasxu/onnx/ACASXU_run2a_4_2_batch_2000.onnx"
PROPERTIES = ("acasxu/vnnlib/prop_2.vnnlib", "acasxu/vnnlib/prop_1.vnnlib")


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Yield a server that lets jobs run."""
    started = ServerProcess(tmp_path_factory.mktemp("patient"))
    started.start()
    try:
        yield started
    finally:
        started.stop()


def eventually(question: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def hard_job(client: httpx.Client, data: Path, **more: Any) -> dict[str, Any]:
    """Return what asks for a proof that takes long."""
    answer = client.post("/v1/models", content=(data / NETWORK).read_bytes())
    prop = client.post("/v1/properties", content=(data / PROPERTIES[0]).read_bytes())
    hashes = [found.raise_for_status().json()["sha256"] for found in (answer, prop)]
    return {"kind": "prove", "model": hashes[0], "properties": hashes[1:], **more}


def start(client: httpx.Client, server: ServerProcess, body: dict[str, Any]) -> str:
    """Submit a job, wait until it works, and return its id."""
    job_id = str(client.post("/v1/jobs", json=body).raise_for_status().json()["id"])
    eventually(lambda: state(client, job_id) == "running" and busy(server))
    return job_id


def state(client: httpx.Client, job_id: str) -> str:
    return str(client.get(f"/v1/jobs/{job_id}").json()["state"])


def busy(server: ServerProcess) -> list[int]:
    return processes_of_jobs(server.folder / "data" / "jobs")


def test_a_spinning_job_is_cancelled_and_leaves_no_process(
    patient: ServerProcess, data: Path
) -> None:
    with patient.client() as client:
        job_id = start(client, patient, hard_job(client, data))

        asked = client.delete(f"/v1/jobs/{job_id}")
        eventually(lambda: not busy(patient), GONE_SECONDS)
        eventually(lambda: state(client, job_id) not in ("queued", "running"))
        job = client.get(f"/v1/jobs/{job_id}").json()
        events = client.get(f"/v1/jobs/{job_id}/events").text
        again = client.delete(f"/v1/jobs/{job_id}")

    assert asked.status_code == again.status_code == 202
    assert (job["state"], job["verdict"], job["artifacts"]) == ("cancelled", None, [])
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["cancelled"]
    assert events.count("event: end") == 1
    assert '"state": "cancelled"' in events
    eventually(lambda: not list((patient.folder / "data" / "jobs").glob(f"{job_id}.*")))


def test_a_batch_is_cancelled_with_all_that_it_holds(patient: ServerProcess, data: Path) -> None:
    with patient.client() as client:
        body = hard_job(client, data)
        other = client.post("/v1/properties", content=(data / PROPERTIES[1]).read_bytes())
        compression = {"method": "integer_quantisation", "options": {"bits": "8"}}
        network = {"original": body["model"], "compressions": [compression]}
        properties = [*body["properties"], other.json()["sha256"]]
        request = {"kind": "batch", "networks": [network], "properties": properties}
        batch = start(client, patient, request)

        client.delete(f"/v1/jobs/{batch}").raise_for_status()
        eventually(lambda: state(client, batch) == "cancelled")
        children = client.get("/v1/jobs", params={"parent": batch}).json()["items"]
        # Proofs of the original belong to no batch: they stay, until asked for by their own id.
        for job in client.get("/v1/jobs").json()["items"]:
            client.delete(f"/v1/jobs/{job['id']}")
        eventually(lambda: not busy(patient))

    assert len(children) >= 3
    assert {job["state"] for job in children} <= {"cancelled", "succeeded"}
    assert "cancelled" in {job["state"] for job in children}


def test_a_limit_of_the_request_ends_it_with_what_is_known(
    patient: ServerProcess, data: Path
) -> None:
    with patient.client() as client:
        job_id = start(client, patient, hard_job(client, data, timeout_seconds=1.0))
        eventually(lambda: state(client, job_id) not in ("queued", "running"))
        job = client.get(f"/v1/jobs/{job_id}").json()

    assert (job["state"], job["verdict"]) == ("succeeded", "unknown"), job


def test_a_limit_of_the_server_ends_whatever_was_asked_for(tmp_path: Path, data: Path) -> None:
    server = ServerProcess(tmp_path / "strict", settings={"job_seconds": JOB_SECONDS})
    server.start()
    try:
        with server.client() as client:
            body = hard_job(client, data, timeout_seconds=3600.0)
            job_id = start(client, server, body)
            eventually(lambda: not busy(server), JOB_SECONDS + GONE_SECONDS)
            eventually(lambda: state(client, job_id) not in ("queued", "running"))
            job = client.get(f"/v1/jobs/{job_id}").json()
    finally:
        server.stop()

    assert (job["state"], job["verdict"]) == ("timed_out", None), job
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["timed_out"]
