# SPDX-License-Identifier: Apache-2.0
"""An application without workers, and two tenants who each have one of everything."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from fastapi.routing import iter_route_contexts
from sqlalchemy import insert

from api.access.keys import KeyTerms, create_key, identify, revoke_key
from api.app import make_app
from api.blobs import Blobs
from api.database import migrate
from api.database.connection import now
from api.database.tables import artifacts
from api.file_register import FileRecord, register
from api.jobs.cancelling import cancel
from api.sandbox.level import measure_level
from api.schemas import FOLDERS, FileKind, NewKey, Scope
from api.server import make_server
from api.settings import Settings
from tests.api.jobs.ledger import Ledger, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fastapi import FastAPI

    from api.access.caller import Caller
    from api.access.oidc import TokenReader
    from api.server import Server

ALL = tuple(Scope)


@dataclass(frozen=True)
class Owned:
    """What a tenant has.

    Attributes:
        tenant: The tenant.
        key: A key with all scopes.
        prefix: Of another key of the tenant.
        files: The hash of a file of each kind.
        job_id: A job, which was cancelled.
    """

    tenant: str
    key: str
    prefix: str
    files: dict[FileKind, str]
    job_id: str

    def path(self, template: str) -> str:
        """Return a route's path with what this tenant has in place of the names."""
        kind = FOLDERS.get(template.split("/")[2] if template.startswith("/v1/") else "")
        names = {"job_id": self.job_id, "prefix": self.prefix, "name": "report", "path": "x"}
        if kind is not None:
            names["sha256"] = self.files[kind]
        return template.format(**names)


NOBODY = Owned(
    "nobody", "", "0123456789ab", {kind: sha256(f"no {kind}") for kind in FileKind}, "0" * 32
)
"""Names of things that are not there."""


@dataclass(frozen=True)
class World:
    """An application with two tenants.

    Attributes:
        server: Its parts.
        app: The application; nothing runs in the background.
        runner: Where it runs.
        one: A tenant.
        two: Another.
    """

    server: Server
    app: FastAPI
    runner: asyncio.Runner
    one: Owned
    two: Owned

    def ask(self, key: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        """Return the answer to a request with a key, or without any."""

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                if key is not None:
                    client.headers["Authorization"] = f"Bearer {key}"
                return await client.request(method, path, **more)

        return self.runner.run(go())

    def new_key(
        self,
        tenant: str = "one",
        scopes: Sequence[Scope] = ALL,
        expires_at: float | None = None,
        *,
        is_revoked: bool = False,
    ) -> NewKey:
        """Make a key."""
        terms = KeyTerms(tenant, "made by a test", scopes, expires_at)
        key = self.server.database.write(lambda c: create_key(c, terms))
        if is_revoked:
            self.server.database.write(lambda c: revoke_key(c, key.prefix))
        return key

    def caller(self, key: str) -> Caller:
        """Return who asks with a key."""
        return self.server.database.read(lambda c: identify(c, key, "127.0.0.1"))

    def routes(self) -> list[tuple[str, str]]:
        """Return method and path of every route of the application."""
        return sorted(
            (method, str(route.path))
            for route in iter_route_contexts(self.app.routes)
            if getattr(route, "methods", None)
            for method in route.methods or ()
        )


@contextmanager
def world(
    folder: Path, url: str = "", tokens: TokenReader | None = None, **settings: object
) -> Iterator[World]:
    """Yield an application on a database of its own, or one that has its tables."""
    chosen = Settings(folder, url, **{"requests_per_minute": 1_000_000, **settings})  # type: ignore[arg-type]
    server = make_server(chosen, measure_level())
    migrate.upgrade(server.database)
    app = make_app(server, tokens, "test")
    try:
        with asyncio.Runner() as runner:
            yield World(server, app, runner, _owned(server, "one"), _owned(server, "two"))
    finally:
        server.database.close()


def _owned(server: Server, tenant: str) -> Owned:
    ledger = Ledger(server.database, tenant, server.settings)
    kept = {kind: _file(server, tenant, kind) for kind in FileKind}
    model, properties = kept[FileKind.MODEL], [kept[FileKind.PROPERTY]]
    job_id = ledger.submit(kind="prove", model=model, properties=properties)
    report = Blobs(server.settings.blob_dir)
    with report.writing() as writing:
        writing.write(tenant.encode())
        row = {"job_id": job_id, "name": "report", "sha256": writing.keep(), "bytes": 3}
    row |= {"media_type": "application/json", "file_name": "report.json"}
    server.database.write(lambda c: c.execute(insert(artifacts).values(row)))
    server.database.write(lambda c: cancel(c, tenant, job_id))
    terms = KeyTerms(tenant, "all", ALL)
    key = server.database.write(lambda c: create_key(c, terms)).key
    other = server.database.write(lambda c: create_key(c, terms)).prefix
    return Owned(tenant, key, other, kept, job_id)


def _file(server: Server, tenant: str, kind: FileKind) -> str:
    content = f"{kind} of {tenant}, {now()}".encode()
    with server.blobs.writing() as writing:
        writing.write(content)
        digest = writing.keep()
    summary = {"fingerprint": digest, "network": digest, "property": digest}
    record = FileRecord(kind, digest, len(content), kind, summary)
    server.database.write(lambda c: register(c, tenant, record))
    return digest
