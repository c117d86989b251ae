# SPDX-License-Identifier: Apache-2.0
"""Silent connections, bodies that do not come, a tenant with hundreds of streams: others go on."""

from __future__ import annotations

import asyncio
import resource
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from api import body_limit, connections
from api.access import rate
from api.access.caller import Caller
from api.blobs import Blobs
from api.connections import Connection, allow_many_files
from api.files import INSPECTIONS_OF_A_TENANT, Inspector, Upload
from api.schemas import FileKind
from api.settings import Settings
from tests.api.http.world import world
from tests.api.jobs.ledger import sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from starlette.types import Receive, Scope, Send

    from api.blobs import Writing
    from tests.api.http.world import World

LONG_SECONDS = 0.2
PATIENCE_SECONDS = 10.0
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("shop")) as found:
        yield found


async def slow_answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer after longer than a head may take."""
    del scope, receive
    await asyncio.sleep(2 * LONG_SECONDS)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def connected() -> AsyncIterator[Ends]:
    """Yield a connection to a server whose answers take long."""
    config = uvicorn.Config(slow_answer, http=Connection, log_config=None, lifespan="off")
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()


async def is_closed(ends: Ends) -> bool:
    """Wait until the server closes a connection, without an answer."""
    try:
        return await asyncio.wait_for(ends[0].read(), PATIENCE_SECONDS) == b""
    except ConnectionResetError:
        return True


async def answer(ends: Ends, request: bytes) -> bytes:
    ends[1].write(request)
    return await asyncio.wait_for(ends[0].readuntil(b"ok"), PATIENCE_SECONDS)


async def say_nothing(ends: Ends) -> bool:
    return await is_closed(ends)


async def send_a_letter_at_a_time(ends: Ends) -> bool:
    async def letters() -> None:
        while True:
            ends[1].write(b"X")
            await asyncio.sleep(LONG_SECONDS / 10)

    writing = asyncio.create_task(letters())
    ends[1].write(HEAD)
    try:
        return await is_closed(ends)
    finally:
        writing.cancel()


async def ask_properly(ends: Ends) -> bool:
    answers = [await answer(ends, HEAD + b"\r\n") for _ in range(2)]
    return not all(each.startswith(b"HTTP/1.1 200 ") for each in answers)


async def ask_properly_and_then_by_halves(ends: Ends) -> bool:
    if await ask_properly(ends):
        return False
    ends[1].write(HEAD)
    return await is_closed(ends)


@pytest.mark.parametrize(
    ("conduct", "is_ended"),
    [
        (say_nothing, True),
        (send_a_letter_at_a_time, True),
        (ask_properly, False),
        (ask_properly_and_then_by_halves, True),
    ],
)
def test_a_connection_lasts_as_long_as_it_asks(
    monkeypatch: pytest.MonkeyPatch, conduct: Callable[[Ends], Awaitable[bool]], is_ended: bool
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", LONG_SECONDS)

    async def go() -> bool:
        async with connected() as ends:
            return await conduct(ends)

    assert asyncio.run(go()) == is_ended


def test_the_server_may_have_more_open_files_than_it_starts_with() -> None:
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, most))
    try:
        allow_many_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 512
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))


def test_a_body_that_does_not_come_is_not_waited_for(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limit, "MOST_SECONDS", 0.2)

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b" "
            await asyncio.sleep(0.01)

    told = {"Sec-Fetch-Site": "same-origin"}
    for key, place in ((shop.one.key, "/v1/jobs"), (None, "/sign-in")):
        refused = shop.ask(key, "POST", place, content=slow(), headers=told)
        assert refused.status_code == 408, refused.text


def test_a_tenant_with_too_much_under_way_waits_and_others_do_not(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "MOST_AT_ONCE", 2)
    crowd = shop.server.crowd
    for _ in range(2):
        crowd.enter(shop.one.tenant)
    refused = shop.ask(shop.one.key, "GET", "/v1/jobs")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    assert shop.ask(shop.two.key, "GET", "/v1/jobs").status_code == 200
    crowd.leave(shop.one.tenant)
    for _ in range(3):
        assert shop.ask(shop.one.key, "GET", "/v1/jobs").status_code == 200
        assert shop.ask(shop.one.key, "GET", "/v1/jobs/x").status_code == 422
    crowd.leave(shop.one.tenant)


class StuckInspector(Inspector):
    """Looks at the files of one tenant without end."""

    def __init__(self) -> None:
        super().__init__(Settings(Path("/nowhere")))
        self.go_on = threading.Event()
        self.begun = 0

    def _inspect(self, writing: Writing, kind: FileKind) -> Mapping[str, Any]:
        del kind
        if writing.sha256 == sha256("one"):
            self.begun += 1
            assert self.go_on.wait(PATIENCE_SECONDS)
        return {}


def test_files_that_take_long_to_look_at_leave_a_place_for_other_tenants(tmp_path: Path) -> None:
    async def go() -> None:
        inspector = StuckInspector()

        async def inspect(tenant: str) -> Any:
            upload = Upload(Caller(tenant, "key", frozenset()), FileKind.MODEL, "")
            with Blobs(tmp_path).writing() as writing:
                writing.write(tenant.encode())
                return await inspector.inspect(writing, upload)

        stuck = [asyncio.create_task(inspect("one")) for _ in range(10)]
        try:
            assert await asyncio.wait_for(inspect("two"), PATIENCE_SECONDS / 2) == {}
            assert inspector.begun == INSPECTIONS_OF_A_TENANT
        finally:
            inspector.go_on.set()
            await asyncio.gather(*stuck)
        assert inspector.begun == len(stuck)

    asyncio.run(go())
