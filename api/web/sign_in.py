# SPDX-License-Identifier: Apache-2.0
"""Sign in with a key, and sign out.

The key itself is not kept in the browser: a session stands for it, which ends by itself and with
the key. Its cookie is out of reach of scripts and is not sent along by other sites.
"""

# Annotations are read at run time here, so they are not postponed.
import re
from urllib.parse import parse_qs

from anyio import to_thread
from fastapi import APIRouter, Request
from sqlalchemy.engine import Connection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.access import audit
from api.access.gate import COOKIE
from api.access.keys import SESSION_SECONDS, begin_session, end_session, identify
from api.errors import ForbiddenError, TooLargeError, UnauthenticatedError
from api.routes.asking import TheServer
from api.web.render import page

router = APIRouter(include_in_schema=False)

MOST_BYTES = 4096
# Pages of this server, without a query: there is no way to name another place.
OWN_PAGE = re.compile(r"/(?:[a-z-]{1,20}(?:/[0-9a-f]{32})?)?")


@router.get("/sign-in", response_class=HTMLResponse)
def ask_for_key(request: Request) -> Response:
    """Show where to enter a key."""
    return page(request, "sign_in.html", wrong="", then=_own_page(request.query_params.get("then")))


@router.post("/sign-in", response_class=HTMLResponse)
async def sign_in(request: Request, server: TheServer) -> Response:
    """Begin a session with a key."""
    if request.headers.get("sec-fetch-site") != "same-origin":
        detail = "sign in on the page of this server"
        raise ForbiddenError(detail)
    address = request.client.host if request.client else ""
    server.sign_ins.take(address)
    form = parse_qs((await _short_body(request)).decode("utf-8", "replace"))
    key, then = (form.get(name, [""])[0].strip() for name in ("key", "then"))

    def work(connection: Connection) -> str:
        caller = identify(connection, key, address)
        audit.note(connection, caller, "sign in", f"key/{caller.actor}")
        return begin_session(connection, caller)

    try:
        token = await to_thread.run_sync(server.database.write, work)
    except UnauthenticatedError as error:
        wrong = error.detail if key else "enter a key"
        return page(request, "sign_in.html", 401, wrong=wrong, then=_own_page(then))
    answer = RedirectResponse(_own_page(then), status_code=303)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_SECONDS),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


@router.post("/sign-out", response_class=HTMLResponse)
def sign_out(request: Request, server: TheServer) -> Response:
    """End the session."""
    token = request.cookies.get(COOKIE)
    if token is not None:
        server.database.write(lambda connection: end_session(connection, token))
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


async def _short_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            detail = f"a form of more than {MOST_BYTES} bytes"
            raise TooLargeError(detail)
    return body


def _own_page(place: str | None) -> str:
    """Return a place on this server: the one that is asked for, or else the first page."""
    return place if place is not None and OWN_PAGE.fullmatch(place) else "/"
