# SPDX-License-Identifier: Apache-2.0
"""Ends requests whose body is longer than any that makes sense, or takes longer to come.

Uploads are not: they are written to disk as they come, and hold to limits of their own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from api.schemas import FOLDERS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1 << 20
MOST_SECONDS = 60.0


class BodyLimit:
    """Counts what comes in.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, as much of it as it may have."""
        if scope["type"] != "http" or _is_upload(scope["path"]):
            await self._app(scope, receive, send)
            return
        come, is_whole = 0, False
        deadline = asyncio.get_running_loop().time() + MOST_SECONDS

        async def counting() -> Message:
            nonlocal come, is_whole
            try:
                # After the body, what comes is the end of the connection, at any time.
                async with asyncio.timeout_at(None if is_whole else deadline):
                    message = await receive()
            except TimeoutError as error:
                detail = f"the body has not come within {MOST_SECONDS:g} s"
                raise HTTPException(408, detail) from error
            is_whole = not message.get("more_body", False)
            come += len(message.get("body", b""))
            if come > MOST_BYTES:
                # Of all errors, this kind alone passes through the reading of a body unchanged.
                raise HTTPException(413, f"the body is longer than {MOST_BYTES} bytes")
            return message

        await self._app(scope, counting, send)


def _is_upload(path: str) -> bool:
    parts = path.split("/")
    return len(parts) > 2 and parts[1] == "v1" and parts[2] in FOLDERS
