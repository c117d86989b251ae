# SPDX-License-Identifier: Apache-2.0
"""The page of a job, and the page of a batch."""

# Annotations are read at run time here, so they are not postponed.
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.engine import Connection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.errors import NotFoundError
from api.jobs.reading import event_page, job_detail
from api.routes.asking import Reader, TheServer
from api.schemas import JobDetail, JobId
from api.web.job_view import is_unfinished, repeated, show_job
from api.web.labels import find_labels
from api.web.lists import batch_subject
from api.web.matrix import find_matrix
from api.web.render import page

router = APIRouter(include_in_schema=False)

EVENTS_READ = 1000
LEAST_COURSE = 3


@router.get("/jobs/{job_id}", response_class=HTMLResponse)
def job(request: Request, server: TheServer, caller: Reader, job_id: JobId) -> Response:
    """Show a job."""

    def work(connection: Connection) -> dict[str, Any]:
        found = job_detail(connection, caller.tenant, job_id)
        labels = find_labels(connection, caller.tenant, [found.request], [found.model])
        return {"job": found, "labels": labels, "has_course": _has_course(connection, found)}

    shown = server.database.read(work)
    found = shown["job"]
    if found.kind == "batch":
        return RedirectResponse(f"/batches/{job_id}", status_code=303)
    view = show_job(found, shown["labels"])
    return page(request, "job.html", **shown, view=view, is_unfinished=is_unfinished(found))


def _has_course(connection: Connection, found: JobDetail) -> bool:
    """Say whether there is, or may yet be, a course of a search to draw."""
    if found.kind not in ("prove", "reverify") or is_unfinished(found):
        return found.kind in ("prove", "reverify")
    events = event_page(connection, found.id, 0, EVENTS_READ).items
    told = [event for event in events if event.type == "progress" and event.data.get("open")]
    return len(told) >= LEAST_COURSE


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
