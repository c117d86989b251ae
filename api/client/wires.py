# SPDX-License-Identifier: Apache-2.0
"""How the steps of a conversation are performed: once by a thread that waits, once by a task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anyio
import httpx
from anyio import to_thread

from api.client.conversation import Give, Open, Pause, Read, Send, Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from api.client.conversation import Call, Step

CHUNK_BYTES = 1 << 20


class Wire:
    """Performs the steps of one conversation; what was opened last is what is read."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def outcome(self, step: Step | Give[Any]) -> Any:
        """Return what comes of a step, be it an error."""
        try:
            return self._perform(step)
        except (httpx.RequestError, OSError) as error:
            return error

    def _perform(self, step: Step | Give[Any]) -> Any:
        match step:
            case Send(call):
                return self._http.send(self._request(call))
            case Open(call):
                self.close()
                self._response = self._http.send(self._request(call), stream=True)
                if not self._response.is_success:
                    self._response.read()
                self._pieces = self._response.iter_bytes()
                return self._response
            case Read():
                return next(self._pieces, None)
            case Pause(seconds):
                time.sleep(seconds)
            case Work(function):
                return function()
            case Give():
                pass
        return None

    def _request(self, call: Call) -> httpx.Request:
        content = None if call.file is None else _chunks(call.file)
        return _request(self._http, call, content)

    def close(self) -> None:
        """Read no further."""
        if self._response is not None:
            self._response.close()


class AsyncWire:
    """Performs the steps of one conversation; what was opened last is what is read."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def outcome(self, step: Step | Give[Any]) -> Any:
        """Return what comes of a step, be it an error."""
        try:
            return await self._perform(step)
        except (httpx.RequestError, OSError) as error:
            return error

    async def _perform(self, step: Step | Give[Any]) -> Any:
        match step:
            case Send(call):
                return await self._http.send(self._request(call))
            case Open(call):
                await self.close()
                self._response = await self._http.send(self._request(call), stream=True)
                if not self._response.is_success:
                    await self._response.aread()
                self._pieces = self._response.aiter_bytes()
                return self._response
            case Read():
                return None if self._pieces is None else await anext(self._pieces, None)
            case Pause(seconds):
                await anyio.sleep(seconds)
            case Work(function):
                return await to_thread.run_sync(function)
            case Give():
                pass
        return None

    def _request(self, call: Call) -> httpx.Request:
        content = None if call.file is None else _async_chunks(call.file)
        return _request(self._http, call, content)

    async def close(self) -> None:
        """Read no further."""
        if self._response is not None:
            await self._response.aclose()


def _request(http: httpx.Client | httpx.AsyncClient, call: Call, content: Any) -> httpx.Request:
    headers = dict(call.headers)
    if call.document is not None:
        content = call.document.model_dump_json()
        headers["Content-Type"] = "application/json"
    if call.file is not None:
        headers["Content-Type"] = "application/octet-stream"
        headers["Content-Length"] = str(call.file.stat().st_size)
    query = {name: value for name, value in call.query.items() if value is not None}
    return http.build_request(
        call.method, call.path, params=query, content=content, headers=headers
    )


def _chunks(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


async def _async_chunks(source: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(source, "rb") as file:
        while chunk := await file.read(CHUNK_BYTES):
            yield chunk
