# SPDX-License-Identifier: Apache-2.0
"""The application: routes behind the gate, and what starts and stops with it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import to_thread
from fastapi import Depends, FastAPI

from api.access.gate import Gate
from api.body_limit import BodyLimit
from api.defects import Defects
from api.jobs.warming import warm_up
from api.measures import Measured
from api.openapi import describe
from api.problems import add_problems, problems
from api.routes import files, health, jobs, keys, metrics
from api.routes.asking import only_known_parameters
from api.schemas import FOLDERS
from api.web.error_page import error_response
from api.web.pages import add_pages
from api.web.security import SecurityHeaders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.access.oidc import TokenReader
    from api.server import Server

DESCRIPTION = """Verify compressed neural networks by reusing the proofs of their originals.

Every route but health needs a key: `Authorization: Bearer mucg4_...`. Errors are problem documents
(RFC 9457). Upload models and properties, submit jobs that name them by their SHA-256, and follow
their events."""


def make_app(server: Server, tokens: TokenReader | None, version: str) -> FastAPI:
    """Return the application of a server.

    Args:
        server: Its parts; workers start and stop with the application.
        tokens: Reads tokens of an identity provider, if there is one.
        version: Of the program.
    """
    app = FastAPI(
        title="mucg4",
        version=version,
        description=DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redirect_slashes=False,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses=problems(400, 401, 403, 404, 405, 408, 413, 422, 429, 500, 503),
    )
    app.state.server = server
    _add_routes(app)
    add_problems(app, error_response)
    describe(app)
    # The outermost comes last.
    app.add_middleware(Defects, respond=error_response)
    app.add_middleware(BodyLimit)
    app.add_middleware(Gate, server=server, tokens=tokens)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Measured, measures=server.measures)
    return app


def _add_routes(app: FastAPI) -> None:
    strict = [Depends(only_known_parameters)]
    for folder in FOLDERS:
        app.include_router(files.router, prefix=f"/v1/{folder}", dependencies=strict)
    for router in (jobs.router, keys.router):
        app.include_router(router, prefix="/v1", dependencies=strict)
    for router in (health.router, metrics.router):
        app.include_router(router)
    add_pages(app)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start what runs beside the routes, and stop it."""
    server: Server = app.state.server
    server.supervisor.start()
    server.announcements.start()
    server.caretaker.start()
    warming = asyncio.create_task(to_thread.run_sync(warm_up, server.settings))
    try:
        yield
    finally:
        warming.cancel()
        await server.caretaker.stop()
        await server.announcements.stop()
        await server.supervisor.stop()
        server.database.close()
