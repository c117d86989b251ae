# SPDX-License-Identifier: Apache-2.0
"""Nothing is answered before it is known who asks.

This stands before the routes, so a route that was forgotten is closed rather than open: only the
paths listed here are answered to strangers. What a key may do is then checked by each route.

A browser's session is a cookie that is not sent from other sites (SameSite=Strict); requests that
change something must also come from a page of this server, by the header that browsers set.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse

from api.access.keys import identify, identify_session
from api.access.standing import Standing
from api.errors import ForbiddenError, UnauthenticatedError
from api.problems import problem_response

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from api.access.caller import Caller
    from api.access.oidc import TokenReader
    from api.server import Server

PUBLIC = ("/healthz", "/readyz", "/sign-in")
PUBLIC_FOLDERS = ("/static/",)
COOKIE = "mucg4_session"
_SAFE = ("GET", "HEAD", "OPTIONS")


class Gate:
    """Lets those in who are known.

    Args:
        app: What answers then.
        server: Where keys are.
        tokens: Reads tokens of an identity provider, if there is one.
    """

    def __init__(self, app: ASGIApp, server: Server, tokens: TokenReader | None) -> None:
        self._app = app
        self._server = server
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or turn it away."""
        if scope["type"] == "websocket":
            # There are none, and none gets past by not being a request.
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http" or is_public(scope["path"]):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            caller = await to_thread.run_sync(self._identify, request)
            self._server.rate.take(f"{caller.tenant}/{caller.actor}")
            self._server.crowd.enter(caller.tenant)
        except Exception as error:  # noqa: BLE001 - answered as errors behind the gate are
            await _turned_away(request, error)(scope, receive, send)
            return
        standing = Standing(partial(self._identify, request))
        scope.setdefault("state", {}).update(caller=caller, standing=standing)
        try:
            await self._app(scope, receive, send)
        finally:
            self._server.crowd.leave(caller.tenant)

    def _identify(self, request: Request) -> Caller:
        address = request.client.host if request.client else ""
        kind, _, credential = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._identify_bearer(credential.strip(), address)
        token = request.cookies.get(COOKIE)
        if token is None:
            detail = "send 'Authorization: Bearer <key>'; `mucg4 keys create` makes keys"
            raise UnauthenticatedError(detail)
        if request.method not in _SAFE and request.headers.get("sec-fetch-site") != "same-origin":
            detail = "a session is good for pages of this server only; others send a key"
            raise ForbiddenError(detail)
        return self._server.database.read(lambda c: identify_session(c, token, address))

    def _identify_bearer(self, credential: str, address: str) -> Caller:
        if self._tokens is not None and credential.count(".") == 2:
            return self._tokens.identify(credential, address)
        return self._server.database.read(lambda c: identify(c, credential, address))


def is_public(path: str) -> bool:
    """Say whether strangers get an answer under a path."""
    return path in PUBLIC or path.startswith(PUBLIC_FOLDERS)


def _turned_away(request: Request, error: Exception) -> Response:
    """Return the answer to a request that is not let in; a person is led to where to sign in."""
    is_page = not request.url.path.startswith("/v1/")
    is_person = is_page and "text/html" in request.headers.get("accept", "")
    if isinstance(error, UnauthenticatedError) and is_person:
        then = f"?then={quote(request.url.path)}" if request.method == "GET" else ""
        return RedirectResponse(f"/sign-in{then}", status_code=303)
    return problem_response(request, error)
