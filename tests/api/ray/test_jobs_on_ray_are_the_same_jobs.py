# SPDX-License-Identifier: Apache-2.0
"""A job on a Ray cluster: the same answers and files as here, cancelled and retried as here."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from api.client import Client, FileKind
from tests.api.ray.clusters import await_that, is_running, running_jobs, start_hard_job
from tests.api.tiny import tiny_model, tiny_property

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.server_process import ServerProcess

pytestmark = pytest.mark.slow

JOB_SECONDS = 120.0


def story(client: Client, folder: Path) -> dict[str, Any]:
    """Prove, compress, re-verify and check; return what came out, without times."""
    (folder / "tiny.onnx").write_bytes(tiny_model())
    (folder / "limit.vnnlib").write_bytes(tiny_property(3.5))
    model = client.upload(FileKind.MODEL, folder / "tiny.onnx").sha256
    prop = client.upload(FileKind.PROPERTY, folder / "limit.vnnlib").sha256
    proved = client.wait(client.prove(model, [prop]).id, JOB_SECONDS)
    smaller = client.compress(model, "integer_quantisation", {"bits": 8})
    again = client.reverify(model, [prop], model_of=smaller.id)
    jobs = [proved, *(client.wait(job.id, JOB_SECONDS) for job in (smaller, again))]
    files = {artifact.name: artifact.sha256 for job in jobs for artifact in job.artifacts}
    check = client.wait(client.check(files["certificate"], files["model"], prop).id, JOB_SECONDS)
    reuse = (jobs[2].result or {}).get("reuse", {})
    return {
        "model": files["model"],
        "accepted": (check.result or {}).get("accepted"),
        "jobs": [
            (job.kind, job.state, job.verdict, [a.name for a in job.artifacts], job.problem)
            for job in (*jobs, check)
        ],
        "reuse": {name: count for name, count in reuse.items() if isinstance(count, int)},
    }


def test_a_job_gives_the_same_on_the_cluster_as_here(
    client: Client, server: ServerProcess, tmp_path: Path
) -> None:
    there = story(client, tmp_path)
    with Client(server.address, server.key) as local:
        here = story(local, tmp_path)

    assert there == here
    assert there["accepted"] is True
    assert [job[1:3] for job in there["jobs"][::2]] == [("succeeded", "holds")] * 2


def test_a_job_tells_its_progress_and_is_gone_three_seconds_after_it_is_cancelled(
    client: Client, ray_server_process: ServerProcess, tmp_path: Path
) -> None:
    job = start_hard_job(client, tmp_path)
    first = next(event for event in client.events(job) if event.type == "progress")
    (running,) = running_jobs(ray_server_process)

    client.cancel(job)
    seconds = await_that(lambda: not is_running(running.command))

    assert first.data["step"]
    assert seconds < 3.0
    assert client.wait(job, JOB_SECONDS).state == "cancelled"
    await_that(lambda: not is_running(running.cell))
    rooms = ray_server_process.folder.parent / f"t/mucg4-rooms-{os.getuid()}"
    assert list(rooms.iterdir()) == []


@pytest.mark.parametrize(
    ("killed", "outcome"), [("cell", "crashed"), ("command", "crashed"), ("worker", "lost")]
)
def test_a_job_whose_process_is_killed_is_done_once_by_the_next_attempt(
    killed: str,
    outcome: str,
    client: Client,
    ray_server_process: ServerProcess,
    tmp_path: Path,
) -> None:
    job = start_hard_job(client, tmp_path, seconds=4.0)
    await_that(lambda: running_jobs(ray_server_process))
    (first,) = running_jobs(ray_server_process)

    os.kill(getattr(first, killed), signal.SIGKILL)
    seconds = await_that(lambda: not (is_running(first.cell) or is_running(first.command)))
    ended = client.wait(job, JOB_SECONDS)

    assert seconds < 5.0
    assert (ended.state, ended.verdict) == ("succeeded", "unknown")
    assert [attempt.outcome for attempt in ended.attempts] == [outcome, "answered"]
    states = [event.data["state"] for event in client.events(job) if event.type == "state"]
    assert states.count("succeeded") == 1
    # The folder of the room that was killed went when the next one was made.
    rooms = ray_server_process.folder.parent / f"t/mucg4-rooms-{os.getuid()}"
    await_that(lambda: list(rooms.iterdir()) == [])
