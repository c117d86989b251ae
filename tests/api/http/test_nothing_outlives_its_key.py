# SPDX-License-Identifier: Apache-2.0
"""What began with a key, and lasts, ends soon after the key."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from api.access import standing
from api.access.standing import Standing
from api.database.connection import Database, UnavailableError
from api.errors import UnauthenticatedError
from tests.api.http.test_streams_lose_no_event import Source
from tests.api.tiny import tiny_property

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.api.server_process import ServerProcess

PATIENCE_SECONDS = 20.0
EXPIRES_SECONDS = 2.0


@pytest.fixture
def source(server: ServerProcess) -> Iterator[Source]:
    """Yield a job that runs for the whole test."""
    database = Database(f"sqlite:///{server.folder / 'data' / 'mucg4.sqlite'}")
    begun = Source.begin(database)
    yield begun
    begun.end()
    database.close()


def make_key(server: ServerProcess, **more: Any) -> dict[str, Any]:
    """Make a key that may read and write."""
    with server.client() as client:
        request = {"name": "short-lived", "scopes": ["read", "write"], **more}
        return dict(client.post("/v1/keys", json=request).raise_for_status().json())


def revoke(server: ServerProcess, key: dict[str, Any]) -> None:
    with server.client() as client:
        client.delete(f"/v1/keys/{key['prefix']}").raise_for_status()


def read_to_end(answer: httpx.Response, source: Source, steps: Iterator[int]) -> list[str]:
    """Return the lines of a stream, while its job goes on telling."""
    lines: list[str] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    for line in answer.iter_lines():
        lines.append(line)
        assert time.monotonic() < deadline, "the stream goes on without a key"
        if line.startswith("id:"):
            # The next event wakes the stream at once; it still has to look at the key.
            source.tell(next(steps))
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("way", ["revoked", "expired"])
def test_a_stream_ends_with_its_key(server: ServerProcess, source: Source, way: str) -> None:
    until = datetime.now(UTC) + timedelta(seconds=EXPIRES_SECONDS)
    key = make_key(server, **({"expires_at": until.isoformat()} if way == "expired" else {}))
    steps = iter(range(1, 1000))
    source.tell(0)
    with (
        server.client(key["key"]) as client,
        client.stream("GET", f"/v1/jobs/{source.lease.job_id}/events") as answer,
    ):
        assert answer.status_code == 200
        if way == "revoked":
            revoke(server, key)
        lines = read_to_end(answer, source, steps)
        assert client.get("/v1/whoami").status_code == 401
    assert "event: progress" in lines
    # To its reader it is a lost connection, and not the end of the job.
    assert "event: end" not in lines


@pytest.mark.slow
def test_a_quiet_stream_ends_with_its_key(server: ServerProcess, source: Source) -> None:
    key = make_key(server)
    with (
        server.client(key["key"]) as client,
        client.stream(
            "GET", f"/v1/jobs/{source.lease.job_id}/events", timeout=PATIENCE_SECONDS
        ) as answer,
    ):
        revoke(server, key)
        assert "event: end" not in list(answer.iter_lines())


@pytest.mark.slow
def test_an_upload_that_ends_after_its_key_is_not_kept(server: ServerProcess) -> None:
    key, content = make_key(server), tiny_property(77.5)
    head = f"POST /v1/properties HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key['key']}\r\n"
    head += f"Content-Length: {len(content)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.sendall(head.encode() + content[:-1])
        revoke(server, key)
        # The length of time is the subject: that a key is not looked at more often.
        time.sleep(standing.SECONDS_BETWEEN_LOOKS + 0.5)
        connection.sendall(content[-1:])
        assert connection.recv(200).startswith(b"HTTP/1.1 401 ")


def test_who_cannot_be_looked_up_now_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Exception | None] = [UnavailableError("busy"), None, UnauthenticatedError("no")]

    def identify() -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    monkeypatch.setattr(standing, "SECONDS_BETWEEN_LOOKS", 0.0)
    asked = Standing(identify)
    assert [asked.is_good(), asked.is_good(), asked.is_good()] == [True, True, False]
