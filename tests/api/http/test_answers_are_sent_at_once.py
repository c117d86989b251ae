# SPDX-License-Identifier: Apache-2.0
"""Answers do not wait for the other side to acknowledge what was sent before."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from api.command import _listening
from api.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


async def accepted_delays(listener: socket.socket) -> list[int]:
    """Return whether connections that asyncio accepts hold back what is short."""
    found: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        own = writer.get_extra_info("socket")
        found.append(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async with await asyncio.start_server(answer, sock=listener):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        await reader.read()
        writer.close()
    return found


def test_connections_send_at_once(tmp_path: Path) -> None:
    with _listening(Settings(tmp_path, port=0)) as listener:
        listener.setblocking(False)

        assert asyncio.run(accepted_delays(listener)) == [1]
