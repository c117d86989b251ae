# SPDX-License-Identifier: Apache-2.0
"""Both clients against a server in a process of its own, from upload to an accepted certificate."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from api.client import AsyncClient, Client, Compression, FileKind, Network, ProblemError, Scope
from tests.api.server_process import ROOT, ServerProcess
from tests.api.tiny import tiny_model, tiny_property

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

JOB_SECONDS = 60.0
NOWHERE = "0" * 32


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    with Client(server.address, server.key) as opened:
        yield opened


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "tiny.onnx").write_bytes(tiny_model())
    return tmp_path / "tiny.onnx"


@pytest.fixture
def prop(tmp_path: Path) -> Path:
    (tmp_path / "limit.vnnlib").write_bytes(tiny_property(3.5))
    return tmp_path / "limit.vnnlib"


def test_from_upload_to_an_accepted_certificate(
    client: Client, model: Path, prop: Path, tmp_path: Path
) -> None:
    network = client.upload(FileKind.MODEL, model)
    question = client.upload(FileKind.PROPERTY, prop, "limit")
    proved = client.wait(client.prove(network.sha256, [question.sha256]).id, JOB_SECONDS)
    smaller = client.compress(network.sha256, "integer_quantisation", {"bits": 8})
    job = client.reverify(network.sha256, [question.sha256], model_of=smaller.id)
    told = list(client.events(job.id))
    again = client.job(job.id)
    variant = client.wait(smaller.id, JOB_SECONDS)

    assert (proved.state, proved.verdict) == ("succeeded", "holds"), proved.problem
    assert (again.state, again.verdict) == ("succeeded", "holds"), again.problem
    assert [event.number for event in told] == list(range(1, len(told) + 1))
    assert told[-1].data["state"] == "succeeded"
    made = {artifact.name: artifact.sha256 for artifact in (*again.artifacts, *variant.artifacts)}
    target = client.download(again.id, "certificate", tmp_path / "certificate")
    assert hashlib.sha256(target.read_bytes()).hexdigest() == made["certificate"]
    check = client.check(made["certificate"], made["model"], question.sha256)
    judged = client.wait(check.id, JOB_SECONDS)
    assert judged.result is not None
    assert judged.result["accepted"] is True
    changed = client.classify(network.sha256, made["model"], property=question.sha256)
    assert client.wait(changed.id, JOB_SECONDS).state == "succeeded"


def test_what_is_uploaded_is_listed_fetched_and_removed(client: Client, tmp_path: Path) -> None:
    source, target = tmp_path / "source.onnx", tmp_path / "target.onnx"
    source.write_bytes(tiny_model(7))

    stored = client.upload(FileKind.MODEL, source)
    again = client.upload(FileKind.MODEL, source)

    assert stored == again == client.file(FileKind.MODEL, stored.sha256)
    assert stored in list(client.files(FileKind.MODEL))
    assert client.fetch(FileKind.MODEL, stored.sha256, target) == target
    assert target.read_bytes() == source.read_bytes()
    client.remove(FileKind.MODEL, stored.sha256)
    assert stored not in list(client.files(FileKind.MODEL))
    with pytest.raises(ProblemError) as raised:
        client.file(FileKind.MODEL, stored.sha256)
    assert raised.value.status == 404


def test_a_batch_holds_its_jobs_together(client: Client, model: Path, prop: Path) -> None:
    network = client.upload(FileKind.MODEL, model).sha256
    question = client.upload(FileKind.PROPERTY, prop).sha256
    ways = [Compression(method="integer_quantisation", options={"bits": str(n)}) for n in (4, 6)]

    batch = client.batch([Network(original=network, compressions=ways)], [question])
    ended = client.wait(batch.id, JOB_SECONDS)

    assert ended.state == "succeeded", ended.problem
    kinds = sorted(job.kind for job in client.jobs(parent=batch.id))
    assert kinds == ["compress", "compress", "prove", "reverify", "reverify"]


def test_a_job_can_be_cancelled(client: Client, model: Path, prop: Path) -> None:
    network = client.upload(FileKind.MODEL, model).sha256
    question = client.upload(FileKind.PROPERTY, prop).sha256
    jobs = [client.prove(network, [question]) for _ in range(4)]

    client.cancel(jobs[-1].id)

    assert client.wait(jobs[-1].id, JOB_SECONDS).state == "cancelled"
    assert client.wait(jobs[0].id, JOB_SECONDS).state == "succeeded"


def test_one_idempotency_key_is_one_job(client: Client, model: Path) -> None:
    network = client.upload(FileKind.MODEL, model).sha256
    request = client.wait(client.compress(network, "integer_quantisation").id).request

    from api.schemas import CompressRequest

    asked = CompressRequest(kind="compress", model=network, method=request["method"])
    first, second = client.submit(asked, "nightly"), client.submit(asked, "nightly")
    assert first.id == second.id
    with pytest.raises(ProblemError) as raised:
        client.submit(asked.model_copy(update={"options": {"bits": "5"}}), "nightly")
    assert raised.value.status == 409


def test_keys_are_made_and_revoked(client: Client, server: ServerProcess) -> None:
    made = client.make_key("reader", [Scope.READ])

    with Client(server.address, made.key) as reader:
        assert reader.whoami().scopes == [Scope.READ]
        with pytest.raises(ProblemError) as forbidden:
            reader.cancel(NOWHERE)
        client.revoke_key(made.prefix)
        with pytest.raises(ProblemError) as unknown:
            reader.whoami()

    assert forbidden.value.status == 403
    assert unknown.value.status == 401
    revoked = {key.prefix: key.revoked_at for key in client.keys()}
    assert revoked[made.prefix] is not None
    assert f"key/{made.prefix}" in {entry.target for entry in client.audit()}


def test_a_server_says_whether_it_is_ready(client: Client) -> None:
    readiness = client.ready()

    assert readiness.database == readiness.storage == "ok"
    assert "summary" in readiness.isolation


def test_what_is_not_there_is_a_problem_that_names_it(client: Client) -> None:
    with pytest.raises(ProblemError, match=NOWHERE) as raised:
        client.job(NOWHERE)

    assert (raised.value.status, raised.value.title) == (404, "Not found")


def test_many_jobs_are_followed_at_once(server: ServerProcess, model: Path, prop: Path) -> None:
    async def verdict(client: AsyncClient, network: str, question: str) -> tuple[str, int]:
        job = await client.prove(network, [question])
        numbers = [event.number async for event in client.events(job.id)]
        ended = await client.wait(job.id, JOB_SECONDS)
        return str(ended.verdict), numbers[-1] - len(numbers)

    async def ask() -> list[tuple[str, int]]:
        async with AsyncClient(server.address, server.key) as client:
            network = await client.upload(FileKind.MODEL, model)
            question = await client.upload(FileKind.PROPERTY, prop)
            jobs = [verdict(client, network.sha256, question.sha256) for _ in range(3)]
            return await asyncio.gather(*jobs)

    assert asyncio.run(ask()) == [("holds", 0)] * 3


def test_a_job_is_followed_over_the_death_of_the_server(
    tmp_path: Path, model: Path, prop: Path
) -> None:
    mortal = ServerProcess(tmp_path / "server", settings={"lease_seconds": 1.0})
    mortal.start()
    try:
        with Client(mortal.address, mortal.key) as client:
            network = client.upload(FileKind.MODEL, model).sha256
            question = client.upload(FileKind.PROPERTY, prop).sha256
            job = client.prove(network, [question])
            events = client.events(job.id)
            numbers = [next(events).number]
            mortal.kill()
            mortal.start()
            numbers += [event.number for event in events]
            ended = client.job(job.id)
    finally:
        mortal.stop()

    assert numbers == list(range(1, len(numbers) + 1))
    assert (ended.state, ended.verdict) == ("succeeded", "holds"), ended.problem


def test_the_client_loads_nothing_of_the_server() -> None:
    report = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"import api.client; {report}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(done.stdout.split())
    assert "httpx" in loaded
    assert not loaded & {"fastapi", "sqlalchemy", "uvicorn", "alembic", "numpy", "onnx"}
