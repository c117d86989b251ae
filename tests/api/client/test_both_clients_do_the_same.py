# SPDX-License-Identifier: Apache-2.0
"""Both clients against a fake server: lost streams, broken downloads, pages, repeated requests."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from api.client import (
    AsyncClient,
    Client,
    ConnectionLostError,
    FileKind,
    NoArtifactError,
    Patience,
    ProblemError,
    WaitTimeoutError,
    WrongContentError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

ID = "0" * 32
HASH = "a" * 64
NOW = "2026-01-01T00:00:00Z"
CONTENT = b"what was made"
PATIENCE = Patience(tries=3, first_pause_seconds=0.0)
ADDRESS, KEY = "http://server.test", "mucg4_key"


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces, after which the connection may be lost."""

    def __init__(self, *pieces: bytes, is_lost: bool = False) -> None:
        self._pieces = pieces
        self._is_lost = is_lost

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._is_lost:
            msg = "connection reset"
            raise httpx.ReadError(msg)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def with_client(handler: Any, act: str, *words: Any, **named: Any) -> Any:
    """Call a method of the client that blocks; what it gives one by one comes as a list."""
    transport = httpx.MockTransport(handler)
    with Client(ADDRESS, KEY, patience=PATIENCE, transport=transport) as client:
        answer = getattr(client, act)(*words, **named)
        return list(answer) if hasattr(answer, "__next__") else answer


def with_async_client(handler: Any, act: str, *words: Any, **named: Any) -> Any:
    """Call a method of the client that does not block."""

    async def call() -> Any:
        transport = httpx.MockTransport(handler)
        async with AsyncClient(ADDRESS, KEY, patience=PATIENCE, transport=transport) as client:
            answer = getattr(client, act)(*words, **named)
            if hasattr(answer, "__anext__"):
                return [item async for item in answer]
            return await answer

    return asyncio.run(call())


@pytest.fixture(params=[with_client, with_async_client], ids=["blocking", "async"])
def call(request: pytest.FixtureRequest) -> Any:
    return request.param


def job(state: str = "running", **more: Any) -> dict[str, Any]:
    none = dict.fromkeys(
        ("parent", "model", "property", "verdict", "started_at", "finished_at", "result", "problem")
    )
    empty: dict[str, Any] = {"needs": [], "attempts": [], "artifacts": [], "children": {}}
    facts = {"id": ID, "kind": "prove", "state": state, "request": {}, "created_at": NOW}
    return {**none, **empty, **facts, **more}


def made(content: bytes) -> dict[str, Any]:
    return {
        "name": "certificate",
        "file_name": "certificate.json.gz",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "media_type": "application/gzip",
    }


def event(number: int) -> bytes:
    data = {"number": number, "type": "progress", "data": {"open": number}, "at": NOW}
    return f"event: progress\ndata: {json.dumps(data)}\nid: {number}\n\n".encode()


def test_a_lost_stream_of_events_goes_on_where_it_stopped(call: Any) -> None:
    streams = [
        Pieces(event(1), event(2), event(3)[:20], is_lost=True),
        Pieces(event(3)),  # Ended without a word: a server that was stopped.
        Pieces(b": ping\n\n", event(4), b"event: end\ndata: {}\n\n"),
    ]
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Last-Event-ID"])
        return httpx.Response(200, stream=streams.pop(0))

    found = call(handle, "events", ID)

    assert [item.number for item in found] == [1, 2, 3, 4]
    assert asked == ["0", "2", "3"]


def test_a_stream_that_is_lost_again_and_again_is_given_up(call: Any) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(200, stream=Pieces(is_lost=True))

    with pytest.raises(ConnectionLostError):
        call(handle, "events", ID)


def test_a_stream_that_gets_on_is_followed_however_often_it_is_lost(call: Any) -> None:
    streams = [Pieces(event(number), is_lost=True) for number in range(1, 8)]
    streams.append(Pieces(b"event: end\ndata: {}\n\n"))

    found = call(lambda _: httpx.Response(200, stream=streams.pop(0)), "events", ID)

    assert [item.number for item in found] == list(range(1, 8))


def test_a_stream_that_is_refused_is_a_problem(call: Any) -> None:
    missing = b'{"title": "Not found", "status": 404, "detail": "there is no job"}'

    with pytest.raises(ProblemError, match="404 Not found: there is no job"):
        call(lambda _: httpx.Response(404, stream=Pieces(missing)), "events", ID)


def test_a_request_that_is_repeated_is_the_same_request(call: Any) -> None:
    keys: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) < 3:
            msg = "reset"
            raise httpx.ReadError(msg, request=request)
        return httpx.Response(202, json=job("queued"))

    assert call(handle, "prove", HASH, [HASH]).state == "queued"
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_two_requests_are_two(call: Any) -> None:
    keys: set[str] = set()

    def handle(request: httpx.Request) -> httpx.Response:
        keys.add(request.headers["Idempotency-Key"])
        return httpx.Response(202, json=job("queued"))

    call(handle, "prove", HASH, [HASH])
    call(handle, "prove", HASH, [HASH])
    assert len(keys) == 2


def test_a_key_is_not_made_twice(call: Any) -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        msg = "reset"
        raise httpx.ReadError(msg, request=request)

    with pytest.raises(ConnectionLostError, match=r"http://server\.test/v1/keys"):
        call(handle, "make_key", "laptop", ["read"])
    assert asked == ["POST"]


def test_all_pages_of_a_list_are_one_list(call: Any) -> None:
    asked: list[dict[str, str]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        page = {"items": [job(), job()], "next_cursor": "x" if len(asked) < 3 else None}
        return httpx.Response(200, json=page)

    found = call(handle, "jobs", state="running", parent=ID)

    assert len(found) == 6
    chosen = {"state": "running", "parent": ID, "limit": "200"}
    assert asked == [chosen, {**chosen, "cursor": "x"}, {**chosen, "cursor": "x"}]


def test_a_download_is_made_whole_or_not_at_all(call: Any, tmp_path: Path) -> None:
    streams = [Pieces(CONTENT[:5], is_lost=True), Pieces(CONTENT[:5], CONTENT[5:])]
    target = tmp_path / "certificate"
    target.write_bytes(b"an earlier one")

    def handle(request: httpx.Request) -> httpx.Response:
        if "artifacts" in request.url.path:
            return httpx.Response(200, stream=streams.pop(0))
        return httpx.Response(200, json=job("succeeded", artifacts=[made(CONTENT)]))

    assert call(handle, "download", ID, "certificate", target) == target
    assert target.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [target]


def test_a_download_with_another_hash_is_refused(call: Any, tmp_path: Path) -> None:
    target = tmp_path / "certificate"

    def handle(request: httpx.Request) -> httpx.Response:
        if "artifacts" in request.url.path:
            return httpx.Response(200, stream=Pieces(CONTENT))
        return httpx.Response(200, json=job("succeeded", artifacts=[made(b"something else")]))

    with pytest.raises(WrongContentError):
        call(handle, "download", ID, "certificate", target)
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_that_is_not_there_is_named(call: Any, tmp_path: Path) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(200, json=job("running"))

    with pytest.raises(NoArtifactError, match=r"\(running\) has no 'proof'"):
        call(handle, "download", ID, "proof", tmp_path / "proof")


def test_a_file_that_the_server_has_is_not_sent(call: Any, tmp_path: Path) -> None:
    source = tmp_path / "network.onnx"
    source.write_bytes(CONTENT)
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    stored = {"kind": "model", "sha256": sha256, "bytes": 13, "name": "", "summary": {}}
    stored["created_at"] = NOW
    asked: list[tuple[str, str, bytes]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url), request.content))
        is_there = request.method == "PUT" or len(asked) > 2
        missing = {"title": "Not found", "status": 404, "detail": "there is no model"}
        return httpx.Response(200, json=stored) if is_there else httpx.Response(404, json=missing)

    assert call(handle, "upload", FileKind.MODEL, source).sha256 == sha256
    assert call(handle, "upload", FileKind.MODEL, source).sha256 == sha256
    place = f"{ADDRESS}/v1/models/{sha256}"
    sent = ("PUT", f"{place}?name=network.onnx", CONTENT)
    assert asked == [("GET", place, b""), sent, ("GET", place, b"")]


def test_a_file_that_is_not_here_is_an_ordinary_error(call: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        call(lambda _: httpx.Response(500), "upload", FileKind.MODEL, tmp_path / "none")


def test_a_wait_that_is_too_short_says_so(call: Any) -> None:
    with pytest.raises(WaitTimeoutError) as raised:
        call(lambda _: httpx.Response(200, json=job()), "wait", ID, 0.0)

    assert raised.value.job.state == "running"
    assert isinstance(raised.value, TimeoutError)


def test_no_name_leads_out_of_its_place(call: Any) -> None:
    asked: list[bytes] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return httpx.Response(200, json=job())

    call(handle, "job", "../keys?x")
    assert asked == [b"/v1/jobs/..%2Fkeys%3Fx"]


def test_the_key_is_sent_and_not_shown(call: Any) -> None:
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        msg = "reset"
        raise httpx.ConnectError(msg, request=request)

    with pytest.raises(ConnectionLostError) as raised:
        call(handle, "whoami")
    assert set(seen) == {f"Bearer {KEY}"}
    assert KEY not in str(raised.value)
