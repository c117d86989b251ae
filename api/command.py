# SPDX-License-Identifier: Apache-2.0
"""What the commands ``serve`` and ``keys`` do."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING

import uvicorn

from api.access.keys import TENANT, KeyTerms, create_key, list_keys, revoke_key
from api.app import make_app
from api.cluster.connection import check_cluster
from api.connections import Connection, allow_many_files
from api.database import migrate
from api.database.connection import Database
from api.sandbox.level import measure_level
from api.schemas import Scope
from api.server import make_server
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from api.schemas import Key, NewKey
    from api.settings import Settings

ALL_SCOPES = tuple(Scope)
BACKLOG = 512
STOP_SECONDS = 5


def open_database(settings: Settings) -> Database:
    """Return the database with its tables as this version needs them.

    Raises:
        UsageError: The folder cannot be used, or the URL is not a database's.
        UnavailableError: The database does not answer.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        msg = f"{settings.data_dir}: cannot be made: {error.strerror}"
        raise UsageError(msg) from error
    database = Database(settings.url)
    migrate.upgrade(database)
    return database


def serve(settings: Settings, version: str, tell: Callable[[str, str | None], None]) -> None:
    """Run the server until it is told to stop.

    Args:
        settings: How.
        version: Of the program.
        tell: Told the address and, on the very first start, the first key.

    Raises:
        UsageError: The address cannot be listened on, a setting cannot be used, or the Ray cluster
            cannot be reached.
    """
    tokens = None
    if settings.oidc_issuer:
        from api.access.oidc import TokenReader

        tokens = TokenReader(settings)
    if settings.executor == "ray":
        check_cluster(settings)
    allow_many_files()
    database = open_database(settings)
    first = None if database.read(list_keys) else make_key(settings, "default", "first key")
    database.close()
    with _listening(settings) as listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        app = make_app(make_server(settings, measure_level()), tokens, version)
        tell(f"http://{shown}:{port}", None if first is None else first.key)
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
        config = uvicorn.Config(
            app,
            backlog=BACKLOG,
            http=Connection,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listener])


def make_key(
    settings: Settings,
    tenant: str,
    name: str,
    scopes: Sequence[Scope] = ALL_SCOPES,
    expires_at: float | None = None,
) -> NewKey:
    """Make a key, for any tenant.

    Raises:
        UsageError: The tenant's name is not one.
    """
    if not TENANT.fullmatch(tenant):
        msg = f"{tenant!r} is not the name of a tenant: lower-case letters, digits and hyphens"
        raise UsageError(msg)
    database = open_database(settings)
    try:
        return database.write(lambda c: create_key(c, KeyTerms(tenant, name, scopes, expires_at)))
    finally:
        database.close()


def all_keys(settings: Settings) -> list[tuple[str, Key]]:
    """Return all tenants' keys, each with its tenant."""
    database = open_database(settings)
    try:
        return database.read(list_keys)
    finally:
        database.close()


def end_key(settings: Settings, prefix: str) -> None:
    """End a key at once.

    Raises:
        NotFoundError: There is none.
    """
    database = open_database(settings)
    try:
        database.write(lambda c: revoke_key(c, prefix))
    finally:
        database.close()


def _listening(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named TCP, connections send at once (TCP_NODELAY): asyncio goes by the number, and answers
    # would else wait 40 ms for the other side's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # Whoever is told the address may connect at once, and waits until the server has started.
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        msg = f"cannot listen on {settings.host} port {settings.port}: {reason}"
        raise UsageError(msg) from error
    os.set_inheritable(listener.fileno(), False)
    return listener
