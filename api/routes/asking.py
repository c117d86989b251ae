# SPDX-License-Identifier: Apache-2.0
"""What routes take from a request: the server, who asks, and what they may do.

They wait for nothing, and are coroutines for that reason: FastAPI hands every other function to a
thread, and the way there and back would cost more than all they do.
"""

# Annotations are read at run time here, so they are not postponed.
from typing import Annotated, cast

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant

from api.access.caller import Caller
from api.access.standing import Standing
from api.errors import InvalidError
from api.schemas import Scope
from api.server import Server

MOST_ITEMS = 200
MOST_SHOWN = 80


async def _server(request: Request) -> Server:
    return cast("Server", request.app.state.server)


async def _caller(request: Request) -> Caller:
    return cast("Caller", request.state.caller)


async def _standing(request: Request) -> Standing:
    return cast("Standing", request.state.standing)


def _with_scope(scope: Scope):  # type: ignore[no-untyped-def]  # noqa: ANN202 - FastAPI's own type
    async def check(request: Request) -> Caller:
        caller = await _caller(request)
        caller.check(scope)
        return caller

    return Depends(check)


async def only_known_parameters(request: Request) -> None:
    """Refuse parameters that nobody reads: a misspelt filter would let everything through.

    Raises:
        InvalidError: The query has one.
    """
    known = _query_names(request.scope["route"].dependant)
    for name in request.query_params:
        if name not in known:
            there_are = f"there are: {', '.join(sorted(known))}" if known else "there is none"
            detail = f"query: {name[:MOST_SHOWN]!r} is no parameter here; {there_are}"
            raise InvalidError(detail)


def _query_names(dependant: Dependant) -> set[str]:
    own = {field.alias for field in dependant.query_params}
    return own.union(*map(_query_names, dependant.dependencies))


TheServer = Annotated[Server, Depends(_server)]
Anyone = Annotated[Caller, Depends(_caller)]
TheStanding = Annotated[Standing, Depends(_standing)]
Reader = Annotated[Caller, _with_scope(Scope.READ)]
Writer = Annotated[Caller, _with_scope(Scope.WRITE)]
Admin = Annotated[Caller, _with_scope(Scope.ADMIN)]
Monitor = Annotated[Caller, _with_scope(Scope.METRICS)]

Cursor = Annotated[
    str | None, Query(pattern="^[0-9a-f]{1,64}$", description="`next_cursor` of a page")
]
Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="how many items")]
