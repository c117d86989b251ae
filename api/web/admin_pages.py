# SPDX-License-Identifier: Apache-2.0
"""What administrators see: the tenant's keys, and who did what."""

# Annotations are read at run time here, so they are not postponed.
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from api.routes import keys as routes
from api.routes.asking import Admin, TheServer
from api.schemas import Scope
from api.web.render import page

router = APIRouter(include_in_schema=False)

ENTRIES_ON_A_PAGE = 100


@router.get("/keys", response_class=HTMLResponse)
def keys(request: Request, server: TheServer, caller: Admin) -> Response:
    """Show the keys."""
    listed = list(reversed(routes.keys(server, caller)))
    return page(request, "keys.html", keys=listed, scopes=[s for s in Scope if s in caller.scopes])


@router.get("/audit", response_class=HTMLResponse)
def audit(
    request: Request, server: TheServer, caller: Admin, cursor: routes.Number = None
) -> Response:
    """Show the audit log."""
    listed = routes.audit_log(server, caller, cursor, ENTRIES_ON_A_PAGE)
    return page(
        request, "audit.html", entries=listed.items, following=listed.next_cursor, cursor=cursor
    )
