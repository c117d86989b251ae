# SPDX-License-Identifier: Apache-2.0
"""Jobs: submit, look, wait for events, fetch what they made, cancel."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.engine import Connection

from api.access import audit
from api.access.standing import Standing
from api.database.connection import Database, UnavailableError
from api.jobs.cancelling import cancel
from api.jobs.reading import (
    Filter,
    artifact_of,
    check_owner,
    event_page,
    job_detail,
    job_page,
)
from api.jobs.states import State
from api.jobs.submit import Submission, submit
from api.problems import problems
from api.routes.asking import Cursor, Limit, Reader, TheServer, TheStanding, Writer
from api.routes.files import BYTES, blob_response
from api.schemas import EventPage, JobDetail, JobId, JobPage, JobRequest, Sha256

router = APIRouter(prefix="/jobs", tags=["jobs"])

EVENTS_AT_ONCE = 20
LONGEST_WAIT_SECONDS = 3.0
TROUBLE_SECONDS = 1.0

_log = logging.getLogger(__name__)

Key = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="asking again under the same key gives the same job",
    ),
]


def _own(server: TheServer, caller: Reader, job_id: JobId) -> str:
    server.database.read(lambda connection: check_owner(connection, caller.tenant, job_id))
    return job_id


OwnJob = Annotated[str, Depends(_own)]
ArtifactName = Annotated[str, Path(pattern="^[a-z_]{1,64}$")]
EventNumber = Annotated[int, Header(ge=0, le=2**31, alias="Last-Event-ID")]


@router.post("", status_code=202, responses=problems(409, 507))
def submit_job(
    response: Response,
    server: TheServer,
    caller: Writer,
    request: JobRequest,
    idempotency_key: Key = None,
) -> JobDetail:
    """Submit a job; the answer tells where to look."""
    submission = Submission(caller, request, idempotency_key)
    job_id = submit(server.database, server.settings, submission)
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return server.database.read(lambda c: job_detail(c, caller.tenant, job_id))


@router.get("")
def list_jobs(  # noqa: PLR0913 - each is a part of the query
    server: TheServer,
    caller: Reader,
    *,
    state: State | None = None,
    kind: Annotated[str | None, Query(pattern="^[a-z]{1,20}$")] = None,
    parent: JobId | None = None,
    model: Sha256 | None = None,
    property: Sha256 | None = None,  # noqa: A002 - the name in the query
    cursor: Cursor = None,
    limit: Limit = 50,
) -> JobPage:
    """List jobs, newest first."""
    chosen = Filter(state, kind, parent, model, property)
    return server.database.read(lambda c: job_page(c, caller.tenant, chosen, cursor, limit))


@router.get("/{job_id}")
def get_job(server: TheServer, caller: Reader, job_id: JobId) -> JobDetail:
    """Tell all that is known of a job."""
    return server.database.read(lambda c: job_detail(c, caller.tenant, job_id))


@router.delete("/{job_id}", status_code=202, responses=problems(507))
def cancel_job(server: TheServer, caller: Writer, job_id: JobId) -> JobDetail:
    """Cancel a job, or all jobs of a batch; one that has ended stays as it is."""

    def work(connection: Connection) -> JobDetail:
        if cancel(connection, caller.tenant, job_id):
            audit.note(connection, caller, "cancel", f"job/{job_id}")
        return job_detail(connection, caller.tenant, job_id)

    return server.database.write(work)


@router.get("/{job_id}/artifacts/{name}", response_class=FileResponse, responses=BYTES)
def fetch_artifact(
    server: TheServer, caller: Reader, job_id: JobId, name: ArtifactName
) -> FileResponse:
    """Fetch a file that a job made: proof, certificate, model, neuron_map, ..."""
    made = server.database.read(lambda c: artifact_of(c, caller.tenant, job_id, name))
    return blob_response(server, made.sha256, made.file_name, made.media_type)


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def stream_events(
    request: Request,
    server: TheServer,
    standing: TheStanding,
    job_id: OwnJob,
    last_event_id: EventNumber = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Stream what happens to a job, from its beginning or after `Last-Event-ID`, to its end.

    The stream ends early, without `end`, when the key does.
    """
    number = last_event_id
    while not await request.is_disconnected():
        try:
            page = await to_thread.run_sync(_events, server.database, standing, job_id, number)
        except UnavailableError as error:
            # The answer has begun, so it cannot become another one; the reader just waits.
            _log.warning("job %s: no events: %s", job_id, error)
            await asyncio.sleep(TROUBLE_SECONDS)
            continue
        if page is None:
            return
        for event in page.items:
            number = event.number
            yield ServerSentEvent(
                data=event.model_dump(mode="json"), event=event.type, id=str(number)
            )
        if page.is_finished:
            yield ServerSentEvent(data={"number": number}, event="end")
            return
        if len(page.items) < EVENTS_AT_ONCE:
            await server.announcements.wait(job_id, number, LONGEST_WAIT_SECONDS)


def _events(database: Database, standing: Standing, job_id: str, number: int) -> EventPage | None:
    """Return the next events; None for who may not see them any more."""
    if not standing.is_good():
        return None
    return database.read(lambda c: event_page(c, job_id, number, EVENTS_AT_ONCE))


@router.get("/{job_id}/event-pages")
def page_events(
    server: TheServer,
    job_id: OwnJob,
    after: Annotated[int, Query(ge=0, le=2**31)] = 0,
    limit: Limit = 100,
) -> EventPage:
    """Give what happened to a job as a page, for those who cannot read a stream."""
    return server.database.read(lambda c: event_page(c, job_id, after, limit))
