# SPDX-License-Identifier: Apache-2.0
"""What routes take from a request: the server, who asks, and what they may do.

They wait for nothing, and are coroutines for that reason: FastAPI hands every other function to a
thread, and the way there and back would cost more than all they do.
"""

# Annotations are read at run time here, so they are not postponed.
from typing import Annotated, cast

from fastapi import Depends, Query, Request

from api.access.caller import Caller
from api.schemas import Scope
from api.server import Server

MOST_ITEMS = 200


async def _server(request: Request) -> Server:
    return cast("Server", request.app.state.server)


async def _caller(request: Request) -> Caller:
    return cast("Caller", request.state.caller)


def _with_scope(scope: Scope):  # type: ignore[no-untyped-def]  # noqa: ANN202 - FastAPI's own type
    async def check(request: Request) -> Caller:
        caller = await _caller(request)
        caller.check(scope)
        return caller

    return Depends(check)


TheServer = Annotated[Server, Depends(_server)]
Anyone = Annotated[Caller, Depends(_caller)]
Reader = Annotated[Caller, _with_scope(Scope.READ)]
Writer = Annotated[Caller, _with_scope(Scope.WRITE)]
Admin = Annotated[Caller, _with_scope(Scope.ADMIN)]
Monitor = Annotated[Caller, _with_scope(Scope.METRICS)]

Cursor = Annotated[
    str | None, Query(pattern="^[0-9a-f]{1,64}$", description="`next_cursor` of a page")
]
Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="how many items")]
