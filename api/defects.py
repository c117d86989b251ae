# SPDX-License-Identifier: Apache-2.0
"""Answers requests that nobody expected to fail.

The framework would do so outside of everything else: such answers had no security headers, and were
counted nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Defects:
    """Turns errors into answers.

    Args:
        app: What answers otherwise.
        respond: Returns the answer to an error, and writes it down.
    """

    def __init__(self, app: ASGIApp, respond: Callable[[Request, Exception], Response]) -> None:
        self._app = app
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and answer it if that fails before an answer has begun."""
        has_begun = False

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            if scope["type"] != "http" or has_begun:
                raise
            await self._respond(Request(scope), error)(scope, receive, send)
