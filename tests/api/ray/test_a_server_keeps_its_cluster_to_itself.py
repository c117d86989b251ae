# SPDX-License-Identifier: Apache-2.0
"""The server's own cluster: on loopback, behind a token, gone with the server; other clusters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.client import Client, FileKind
from api.cluster import connection
from api.cluster.connection import Door, check_cluster
from api.settings import Settings
from tests.api.ray.clusters import (
    await_that,
    is_running,
    listening_addresses,
    ray_server,
    running_jobs,
    start_hard_job,
)
from tests.api.server_process import ServerProcess, command_line, descendants
from tests.api.tiny import tiny_model, tiny_property
from verifier import ray_session
from verifier.errors import UsageError

LOOPBACK_ADDRESSES = {"127.0.0.1", "::ffff:127.0.0.1"}
CONNECT = "import ray; ray.init(address={address!r}, log_to_driver=False)"


def door_of(server: ServerProcess) -> Door:
    return Door.await_at(server.folder / "data/ray.json")


def prove_tiny(server: ServerProcess, folder: Path) -> tuple[str, str | None]:
    (folder / "tiny.onnx").write_bytes(tiny_model())
    (folder / "limit.vnnlib").write_bytes(tiny_property())
    with Client(server.address, server.key) as client:
        model = client.upload(FileKind.MODEL, folder / "tiny.onnx").sha256
        prop = client.upload(FileKind.PROPERTY, folder / "limit.vnnlib").sha256
        job = client.wait(client.prove(model, [prop]).id, 120.0)
    return job.state, job.verdict


@pytest.mark.slow
def test_only_this_machine_and_only_who_has_the_token_may_connect(
    ray_server_process: ServerProcess, tmp_path: Path
) -> None:
    assert prove_tiny(ray_server_process, tmp_path) == ("succeeded", "holds")
    door = door_of(ray_server_process)

    environment = {**os.environ, **door.environment, "RAY_AUTH_TOKEN": "a guess"}
    with (tmp_path / "said").open("wb") as said:
        program = [sys.executable, "-c", CONNECT.format(address=door.address)]
        stranger = subprocess.Popen(program, env=environment, stdout=said, stderr=said)
    try:
        await_that(lambda: "InvalidAuthToken" in (tmp_path / "said").read_text())
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()

    assert (ray_server_process.folder / "data/ray.json").stat().st_mode & 0o777 == 0o600
    found = listening_addresses([ray_server_process.pid, *descendants(ray_server_process.pid)])
    assert found
    assert found <= LOOPBACK_ADDRESSES


@pytest.mark.slow
def test_ray_is_told_not_to_report_to_its_maker(ray_server_process: ServerProcess) -> None:
    family = {pid: command_line(pid) for pid in descendants(ray_server_process.pid)}
    cores = [pid for pid, line in family.items() if "gcs_server" in line or "monitor.py" in line]

    assert len(cores) >= 2
    for pid in cores:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert b"RAY_USAGE_STATS_ENABLED=0" in environment


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_server_that_ends_leaves_no_process(how: str, ray_folder: Path, tmp_path: Path) -> None:
    folder = ray_folder / how
    folder.mkdir()
    with ray_server(folder, workers=2) as server:
        with Client(server.address, server.key) as client:
            start_hard_job(client, tmp_path)
            await_that(lambda: running_jobs(server))
        family = descendants(server.pid)

        getattr(server, how)()

        await_that(lambda: not any(is_running(pid) for pid in family), 20.0)

    assert len(family) > 8
    assert list((folder / "t").glob("mucg4-ray-*")) == []


@pytest.mark.slow
def test_a_server_uses_a_cluster_that_is_there_already(
    ray_server_process: ServerProcess,
    ray_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    door = door_of(ray_server_process)
    for name, value in door.environment.items():
        monkeypatch.setenv(name, value)
    folder = ray_folder / "other"
    folder.mkdir()

    with ray_server(folder, workers=1, ray_address=door.address) as server:
        ended = prove_tiny(server, tmp_path)
        family = [command_line(pid) for pid in descendants(server.pid)]

    assert ended == ("succeeded", "holds")
    assert any("api.jobs.worker" in line for line in family)
    assert not any("api.cluster.own" in line or "raylet" in line for line in family)


def test_a_server_says_how_to_get_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda _: None)

    with pytest.raises(UsageError, match=r"pip install 'mucg4\[ray\]'"):
        check_cluster(Settings(tmp_path, executor="ray"))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "127.0.0.1:1 cannot be used: .*refused.* `ray status"),
        ("nowhere", "nowhere cannot be used"),
        ("ray://head:10001", "make this machine one of its nodes: ray start"),
    ],
)
def test_a_server_says_why_a_cluster_cannot_be_used(
    address: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda _: object())

    with pytest.raises(UsageError, match=reason):
        check_cluster(Settings(tmp_path, executor="ray", ray_address=address))


def test_loopback_is_taken_for_what_it_is() -> None:
    assert Door("127.0.0.1:1", "t").environment.items() >= ray_session.LOOPBACK.items()
