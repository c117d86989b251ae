# SPDX-License-Identifier: Apache-2.0
"""A tenant's keys and its audit log, and who is asking."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy import select
from sqlalchemy.engine import Connection

from api.access import audit as log
from api.access.keys import KeyTerms, check_room, create_key, list_keys, revoke_key, when
from api.database.tables import audit
from api.errors import ForbiddenError, InvalidError
from api.routes.asking import Admin, Anyone, Limit, TheServer
from api.schemas import AuditEntry, AuditPage, Key, KeyRequest, NewKey, Whoami

router = APIRouter(tags=["access"])

Prefix = Annotated[str, Path(pattern="^[0-9a-f]{12}$")]
Number = Annotated[int | None, Query(ge=0, lt=2**63, description="`next_cursor` of a page")]


@router.get("/whoami")
def whoami(caller: Anyone) -> Whoami:
    """Tell whose key this is, and what it may do."""
    return Whoami(tenant=caller.tenant, actor=caller.actor, scopes=sorted(caller.scopes))


@router.post("/keys", status_code=201)
def make_key(server: TheServer, caller: Admin, request: KeyRequest) -> NewKey:
    """Make a key for the same tenant; its secret is shown this once."""
    beyond = set(request.scopes) - caller.scopes
    if beyond:
        detail = f"a key cannot give what it does not have: {', '.join(sorted(beyond))}"
        raise ForbiddenError(detail)
    if request.expires_at is not None and request.expires_at <= datetime.now(UTC):
        detail = f"expires_at is {request.expires_at.isoformat()}, which is over already"
        raise InvalidError(detail)
    expires_at = None if request.expires_at is None else request.expires_at.timestamp()
    terms = KeyTerms(caller.tenant, request.name, request.scopes, expires_at)

    def work(connection: Connection) -> NewKey:
        check_room(connection, caller.tenant)
        key = create_key(connection, terms)
        log.note(connection, caller, "create key", f"key/{key.prefix}", scopes=list(key.scopes))
        return key

    return server.database.write(work)


@router.get("/keys")
def keys(server: TheServer, caller: Admin) -> list[Key]:
    """List the tenant's keys, without their secrets."""
    return [key for _, key in server.database.read(lambda c: list_keys(c, caller.tenant))]


@router.delete("/keys/{prefix}", status_code=204)
def end_key(server: TheServer, caller: Admin, prefix: Prefix) -> None:
    """End a key at once."""

    def work(connection: Connection) -> None:
        revoke_key(connection, prefix, caller.tenant)
        log.note(connection, caller, "revoke key", f"key/{prefix}")

    server.database.write(work)


@router.get("/audit")
def audit_log(
    server: TheServer, caller: Admin, cursor: Number = None, limit: Limit = 50
) -> AuditPage:
    """List who did what, newest first."""
    query = select(audit).where(audit.c.tenant == caller.tenant)
    if cursor is not None:
        query = query.where(audit.c.id < cursor)
    query = query.order_by(audit.c.id.desc()).limit(limit + 1)
    rows = server.database.read(lambda c: c.execute(query).all())
    items = [
        AuditEntry(
            id=row.id,
            at=when(row.at),
            actor=row.actor,
            action=row.action,
            target=row.target,
            address=row.address,
            detail=row.detail,
        )
        for row in rows[:limit]
    ]
    return AuditPage(items=items, next_cursor=str(items[-1].id) if len(rows) > limit else None)
