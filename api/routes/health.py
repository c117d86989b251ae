# SPDX-License-Identifier: Apache-2.0
"""Whether the server lives, and whether it can take work. No key is needed."""

from fastapi import APIRouter, Response
from sqlalchemy import func, select

from api.database.connection import StorageFullError, UnavailableError, now
from api.database.tables import workers
from api.routes.asking import TheServer
from api.schemas import Readiness

router = APIRouter(tags=["health"])

ALIVE_SECONDS = 20.0


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the server lives, however busy it is."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not now"}})
def readyz(server: TheServer, response: Response) -> Readiness:
    """Say whether the server can take work, and how well jobs are confined."""
    database, storage, alive = "ok", "ok", 0
    try:
        alive = server.database.read(
            lambda c: c.execute(
                select(func.count()).where(workers.c.seen_at > now() - ALIVE_SECONDS)
            ).scalar_one()
        )
    except UnavailableError as error:
        database = str(error)
    try:
        server.blobs.check()
    except (StorageFullError, UnavailableError) as error:
        storage = str(error)
    ready = database == storage == "ok" and alive > 0
    response.status_code = 200 if ready else 503
    return Readiness(
        ready=ready,
        database=database,
        storage=storage,
        workers=alive,
        isolation=server.level.json(),
    )
