# SPDX-License-Identifier: Apache-2.0
"""API keys: ``mucg4_<prefix>.<secret>``.

The prefix is public and finds the row. The secret is 256 random bits and only its SHA-256 is kept:
nobody can search 2^256 secrets, so a slow hash would add nothing but a way to keep the server busy.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from api.access.caller import Caller
from api.database.connection import now
from api.database.tables import api_keys, sessions
from api.errors import NotFoundError, TooManyError, UnauthenticatedError
from api.schemas import Key, NewKey, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection, Row

MARK = "mucg4_"
TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
SESSION_SECONDS = 12 * 3600.0
MOST_KEYS = 200
RETRY_SECONDS = 3600.0
_FORM = re.compile(r"mucg4_([0-9a-f]{12})\.([A-Za-z0-9_-]{43})")
_WRONG = "the API key is not valid: unknown, revoked or expired"


@dataclass(frozen=True)
class KeyTerms:
    """What a key is to be.

    Attributes:
        tenant: Whose files and jobs it opens.
        name: What it is for, for people.
        scopes: What it may do.
        expires_at: Until when, in seconds since 1970; None for no end.
    """

    tenant: str
    name: str
    scopes: Sequence[Scope]
    expires_at: float | None = None


def create_key(connection: Connection, terms: KeyTerms) -> NewKey:
    """Make a key and return it with its secret, which is not kept."""
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    row = {
        "prefix": prefix,
        "tenant": terms.tenant,
        "name": terms.name,
        "secret_sha256": _digest(secret),
        "scopes": " ".join(sorted(set(terms.scopes))),
        "created_at": now(),
        "expires_at": terms.expires_at,
    }
    made = connection.execute(insert(api_keys).values(row).returning(*api_keys.c)).one()
    return NewKey(**key_of(made).model_dump(), key=f"{MARK}{prefix}.{secret}")


def check_room(connection: Connection, tenant: str) -> None:
    """Check that a tenant may have one more key: each may make as many requests as any other.

    Raises:
        TooManyError: It may not.
    """
    valid = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now())
    query = select(func.count()).where(
        api_keys.c.tenant == tenant, api_keys.c.revoked_at.is_(None), valid
    )
    if connection.execute(query).scalar_one() >= MOST_KEYS:
        detail = f"a tenant may have {MOST_KEYS} keys; revoke those that are not used"
        raise TooManyError(detail, RETRY_SECONDS)


def list_keys(connection: Connection, tenant: str | None = None) -> list[tuple[str, Key]]:
    """Return tenants and their keys, oldest first; of one tenant if it is named."""
    query = select(api_keys).order_by(api_keys.c.tenant, api_keys.c.created_at)
    if tenant is not None:
        query = query.where(api_keys.c.tenant == tenant)
    return [(row.tenant, key_of(row)) for row in connection.execute(query)]


def revoke_key(connection: Connection, prefix: str, tenant: str | None = None) -> None:
    """End a key at once, and all sessions that were begun with it.

    Raises:
        NotFoundError: There is no such key, or it is another tenant's.
    """
    query = update(api_keys).where(api_keys.c.prefix == prefix).values(revoked_at=now())
    if tenant is not None:
        query = query.where(api_keys.c.tenant == tenant)
    if not connection.execute(query).rowcount:
        detail = f"there is no key {prefix!r}"
        raise NotFoundError(detail)
    connection.execute(delete(sessions).where(sessions.c.prefix == prefix))


def identify(connection: Connection, key: str, address: str) -> Caller:
    """Return whose key it is.

    Raises:
        UnauthenticatedError: It is not one, or not valid any more.
    """
    match = _FORM.fullmatch(key)
    row = None
    if match is not None:
        query = select(api_keys).where(api_keys.c.prefix == match[1])
        row = connection.execute(query).first()
    # Compared even where there is no such key, so that time does not tell.
    expected = row.secret_sha256 if row is not None else _digest("")
    is_right = hmac.compare_digest(_digest(match[2] if match else ""), expected)
    if row is None or not is_right or not _is_valid(row):
        raise UnauthenticatedError(_WRONG)
    return _caller(row, address)


def begin_session(connection: Connection, caller: Caller) -> str:
    """Return a token that stands for a key in a browser, for some hours."""
    token = secrets.token_urlsafe(32)
    connection.execute(delete(sessions).where(sessions.c.expires_at < now()))
    row = {
        "token_sha256": _digest(token),
        "prefix": caller.actor,
        "expires_at": now() + SESSION_SECONDS,
    }
    connection.execute(insert(sessions).values(row))
    return token


def identify_session(connection: Connection, token: str, address: str) -> Caller:
    """Return whose session it is.

    Raises:
        UnauthenticatedError: It has ended, or its key has.
    """
    query = (
        select(api_keys)
        .join(sessions, sessions.c.prefix == api_keys.c.prefix)
        .where(sessions.c.token_sha256 == _digest(token), sessions.c.expires_at > now())
    )
    row = connection.execute(query).first()
    if row is None or not _is_valid(row):
        detail = "the session has ended; sign in again"
        raise UnauthenticatedError(detail)
    return _caller(row, address)


def end_session(connection: Connection, token: str) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.token_sha256 == _digest(token)))


def key_of(row: Row[Any]) -> Key:
    """Return a row of the table as a key."""
    return Key(
        prefix=row.prefix,
        name=row.name,
        scopes=[Scope(scope) for scope in row.scopes.split()],
        created_at=when(row.created_at),
        expires_at=None if row.expires_at is None else when(row.expires_at),
        revoked_at=None if row.revoked_at is None else when(row.revoked_at),
    )


def when(seconds: float) -> datetime:
    """Return a time for people."""
    return datetime.fromtimestamp(seconds, UTC)


def _is_valid(row: Row[Any]) -> bool:
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now())


def _caller(row: Row[Any], address: str) -> Caller:
    scopes = frozenset(Scope(scope) for scope in row.scopes.split())
    return Caller(row.tenant, row.prefix, scopes, address)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
