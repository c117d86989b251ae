# SPDX-License-Identifier: Apache-2.0
"""What is uploaded is refused with the reason or kept whole; the server itself never suffers."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.api.http.hostile import flipped, models, others, properties
from tests.api.http.processes import resident_bytes
from tests.api.server_process import ServerProcess
from tests.api.tiny import tiny_model, tiny_property

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

MOST_GROWTH_BYTES = 64 << 20
HOSTILE = [("models", *case) for case in models()] + [
    ("properties", *case) for case in properties()
]
HOSTILE += [
    (kind, *case) for kind in ("proofs", "certificates", "neuron-maps") for case in others()
]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Yield a server that runs all tests of this module, and is to be as well as before."""
    settings = {"requests_per_minute": 1_000_000, "upload_bytes": 32 << 20}
    started = ServerProcess(tmp_path_factory.mktemp("busy"), settings=settings)
    started.start()
    first = started.pid
    try:
        with started.client() as client:
            client.post("/v1/models", content=tiny_model()).raise_for_status()
            before = resident_bytes(first)
            yield started
            assert client.get("/readyz").json()["ready"] is True
            assert resident_bytes(first) - before < MOST_GROWTH_BYTES
        assert "Traceback" not in started.log.read_text()
    finally:
        started.stop()


@pytest.fixture(autouse=True)
def nothing_is_left(busy: ServerProcess) -> Iterator[None]:
    yield
    wait_until_nothing_is_left(busy)


def wait_until_nothing_is_left(busy: ServerProcess) -> None:
    data = busy.folder / "data"
    deadline = time.monotonic() + 10.0
    # The server compiles ahead at the same time, in a folder beside.
    while left := [
        *(data / "blobs" / "incoming").glob("*"),
        *(path for path in (data / "jobs").glob("*") if not path.name.startswith("warm-up-")),
    ]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("folder", "content"),
    [(folder, content) for folder, _, content in HOSTILE],
    ids=[f"{folder}: {what}" for folder, what, _ in HOSTILE],
)
def test_a_hostile_file_is_refused_with_the_reason(
    busy: ServerProcess, folder: str, content: bytes
) -> None:
    with busy.client() as client:
        answer = client.post(f"/v1/{folder}", content=content)
        listed = client.get(f"/v1/{folder}/{hashlib.sha256(content).hexdigest()}")

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail = answer.json()["detail"]
    assert len(detail) > 20, detail
    assert not any(word in detail for word in ("Traceback", "status -", str(busy.folder))), detail
    assert listed.status_code == 404


def check_flipped(busy: ServerProcess, count: int) -> None:
    statuses = set()
    with busy.client() as client:
        for seed in range(count):
            for folder, good in (("models", tiny_model()), ("properties", tiny_property())):
                content = flipped(good, seed)
                answer = client.post(f"/v1/{folder}", content=content)
                statuses.add(answer.status_code)
                assert answer.status_code in (201, 422), (seed, answer.text)
                if answer.status_code == 201:
                    kept = client.get(f"{answer.headers['location']}/content")
                    assert kept.content == content
    assert 422 in statuses


def test_files_with_turned_bits_are_refused_or_kept(busy: ServerProcess) -> None:
    check_flipped(busy, 8)


@pytest.mark.long
def test_many_files_with_turned_bits_are_refused_or_kept(busy: ServerProcess) -> None:
    check_flipped(busy, 300)


def test_a_file_of_another_hash_is_refused(busy: ServerProcess) -> None:
    other = "0" * 64
    with busy.client() as client:
        answer = client.put(f"/v1/models/{other}", content=tiny_model(9))

        assert answer.status_code == 422
        assert hashlib.sha256(tiny_model(9)).hexdigest() in answer.json()["detail"]
        assert client.get(f"/v1/models/{other}").status_code == 404


def test_a_file_that_is_too_long_is_refused_before_it_is_sent(busy: ServerProcess) -> None:
    answer = raw(busy, f"Content-Length: {33 << 20}\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 411),
        (b"\r\n", 411),
        (b"Content-Length: 99999999999999999999\r\n\r\n", 413),
        (b"Content-Length: 999999999999999999999\r\n\r\n", 400),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", 422),
        # One that never ends would fill the disk, whatever length was reserved for it.
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", 422),
        (b"Content-Length: 3\r\n\r\nabcdefg", 422),
        (b"Content-Length: -3\r\n\r\nabc", 400),
        (b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (b"Content-Length: 0x10\r\n\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffffffff\r\n", 400),
    ],
)
def test_a_body_of_another_length_than_said_is_refused(
    busy: ServerProcess, sent: bytes, status: int
) -> None:
    assert raw(busy, sent).startswith(f"HTTP/1.1 {status} ".encode())


def test_an_upload_that_is_broken_off_leaves_nothing(busy: ServerProcess) -> None:
    def kept() -> tuple[object, set[Path]]:
        with busy.client() as client:
            listed = client.get("/v1/models").raise_for_status().json()
        return listed, set((busy.folder / "data" / "blobs").rglob("*"))

    # What is whole as far as it goes is no more than what is not.
    for sent in (b"", b"abc", tiny_model(8), bytes(1 << 20)):
        wait_until_nothing_is_left(busy)
        before = kept()
        with socket.create_connection(("127.0.0.1", busy.port)) as connection:
            connection.sendall(_head(busy) + b"Content-Length: 2000000\r\n\r\n" + sent)
            _wait_for_incoming(busy)
        wait_until_nothing_is_left(busy)

        assert kept() == before


def test_uploads_that_wait_hold_up_nobody_else(busy: ServerProcess) -> None:
    """More uploads than there are threads wait to be looked at; all else goes on."""
    contents = [f"no model {number}".encode() for number in range(44)]
    statuses: list[int] = []

    def upload(content: bytes) -> None:
        with busy.client() as client:
            client.timeout = httpx.Timeout(120.0)
            statuses.append(client.post("/v1/properties", content=content).status_code)

    threads = [threading.Thread(target=upload, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    with busy.client() as client:
        answered = 0
        while any(thread.is_alive() for thread in threads):
            assert client.get("/v1/jobs", timeout=3.0).status_code == 200
            answered += len(statuses) < len(contents)
            time.sleep(0.05)
    assert answered > 20
    assert set(statuses) <= {422, 503}
    assert statuses.count(422) > 20


def raw(busy: ServerProcess, sent: bytes) -> bytes:
    """Return the beginning of the answer to an upload whose headers and body end like this."""
    with socket.create_connection(("127.0.0.1", busy.port)) as connection:
        connection.settimeout(30.0)
        connection.sendall(_head(busy) + sent)
        return connection.recv(200)


def _head(busy: ServerProcess) -> bytes:
    return f"POST /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {busy.key}\r\n".encode()


def _wait_for_incoming(busy: ServerProcess) -> None:
    folder: Path = busy.folder / "data" / "blobs" / "incoming"
    deadline = time.monotonic() + 10.0
    while not list(folder.glob("*")):
        assert time.monotonic() < deadline, "the upload does not begin"
        time.sleep(0.01)
