# SPDX-License-Identifier: Apache-2.0
"""Whether the server lives, and whether it can take work. No key is needed."""

from fastapi import APIRouter, Response

from api.routes.asking import TheServer
from api.schemas import Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the server lives, however busy it is."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not now"}})
async def readyz(server: TheServer, response: Response) -> Readiness:
    """Say whether the server can take work, and how well jobs are confined.

    It looks once a second at most, however often it is asked.
    """
    readiness = await server.lookout.readiness()
    response.status_code = 200 if readiness.ready else 503
    return readiness
