# SPDX-License-Identifier: Apache-2.0
"""The page of a job, and the page of a batch."""

# Annotations are read at run time here, so they are not postponed.
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.engine import Connection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.errors import NotFoundError
from api.jobs.reading import job_detail
from api.routes.asking import Reader, TheServer
from api.schemas import JobId
from api.web.job_view import is_unfinished, repeated, show_job
from api.web.labels import find_labels
from api.web.lists import batch_subject
from api.web.matrix import find_matrix
from api.web.render import page

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{job_id}", response_class=HTMLResponse)
def job(request: Request, server: TheServer, caller: Reader, job_id: JobId) -> Response:
    """Show a job."""

    def work(connection: Connection) -> dict[str, Any]:
        found = job_detail(connection, caller.tenant, job_id)
        labels = find_labels(connection, caller.tenant, [found.request], [found.model])
        return {"job": found, "labels": labels}

    shown = server.database.read(work)
    found = shown["job"]
    if found.kind == "batch":
        return RedirectResponse(f"/batches/{job_id}", status_code=303)
    view = show_job(found, shown["labels"])
    return page(request, "job.html", **shown, view=view, is_unfinished=is_unfinished(found))


@router.get("/batches/{job_id}", response_class=HTMLResponse)
def batch(request: Request, server: TheServer, caller: Reader, job_id: JobId) -> Response:
    """Show a batch."""

    def work(connection: Connection) -> dict[str, Any]:
        found = job_detail(connection, caller.tenant, job_id)
        if found.kind != "batch":
            detail = f"job {job_id} is not a batch"
            raise NotFoundError(detail)
        labels = find_labels(connection, caller.tenant, [found.request])
        return {
            "job": found,
            "subject": batch_subject(found.request, labels),
            "matrix": find_matrix(connection, caller.tenant, found),
        }

    shown = server.database.read(work)
    found = shown["job"]
    again = repeated(found)
    return page(request, "batch.html", **shown, again=again, is_unfinished=is_unfinished(found))
