# SPDX-License-Identifier: Apache-2.0
"""The pages, and the files that they are made with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.staticfiles import StaticFiles

from api.web import admin_pages, file_pages, job_pages, lists, sign_in, submitting

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.responses import Response

STATIC = Path(__file__).parent / "static"


def add_pages(app: FastAPI) -> None:
    """Have an application answer with pages where people ask."""
    for module in (sign_in, lists, job_pages, submitting, file_pages, admin_pages):
        app.include_router(module.router)
    app.mount("/static", _Static(directory=STATIC))


class _Static(StaticFiles):
    """Files that browsers keep, and ask after whether they are still good."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "no-cache"
        return answer
