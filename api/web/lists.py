# SPDX-License-Identifier: Apache-2.0
"""The first page and the list of jobs: what there is, newest first."""

# Annotations are read at run time here, so they are not postponed.
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import func, select
from sqlalchemy.engine import Connection
from starlette.responses import HTMLResponse, Response

from api.database.tables import files, jobs
from api.jobs.reading import Filter, job_page
from api.jobs.states import UNFINISHED, State
from api.routes.asking import Cursor, Reader, TheServer
from api.schemas import FileKind, Job
from api.web.job_view import TITLES
from api.web.labels import Labels, find_labels
from api.web.matrix import VERDICTS
from api.web.render import page

router = APIRouter(include_in_schema=False)

BATCHES_SHOWN = 6
JOBS_SHOWN = 10
JOBS_ON_A_PAGE = 50


@dataclass(frozen=True)
class Line:
    """A job in a list.

    Attributes:
        job: The job.
        title: What it does.
        subject: What it is about, the property aside.
        about: The property that it is about, or how many.
        status: Its verdict if there is one, otherwise its state.
        counts: Of a batch: how many verifications there are of each verdict or state.
    """

    job: Job
    title: str
    subject: str
    about: str
    status: str
    counts: Mapping[str, int]

    @property
    def place(self) -> str:
        """Where its page is."""
        return f"/{'batches' if self.job.kind == 'batch' else 'jobs'}/{self.job.id}"


@router.get("/", response_class=HTMLResponse)
def overview(request: Request, server: TheServer, caller: Reader) -> Response:
    """Show what is going on."""

    def work(connection: Connection) -> dict[str, Any]:
        batches = Filter(kind="batch")
        lines = _lines(connection, caller.tenant, Filter(), None, JOBS_SHOWN + BATCHES_SHOWN)[0]
        return {
            "batches": _lines(connection, caller.tenant, batches, None, BATCHES_SHOWN)[0],
            "lines": [line for line in lines if line.job.kind != "batch"][:JOBS_SHOWN],
            "states": _count_states(connection, caller.tenant),
            "models": _count_models(connection, caller.tenant),
        }

    shown = server.database.read(work)
    return page(request, "overview.html", **shown)


@router.get("/jobs", response_class=HTMLResponse)
def list_of_jobs(
    request: Request,
    server: TheServer,
    caller: Reader,
    state: Annotated[str, Query(max_length=20)] = "",
    kind: Annotated[str, Query(max_length=20)] = "",
    cursor: Cursor = None,
) -> Response:
    """Show the jobs, those that are asked for."""
    chosen = Filter(
        State(state) if state in tuple(State) else None, kind if kind in TITLES else None
    )
    lines, following = server.database.read(
        lambda c: _lines(c, caller.tenant, chosen, cursor, JOBS_ON_A_PAGE)
    )
    return page(
        request,
        "jobs.html",
        lines=lines,
        following=following,
        cursor=cursor,
        chosen=chosen,
        states=list(State),
        kinds=TITLES,
    )


def _lines(
    connection: Connection, tenant: str, chosen: Filter, cursor: str | None, most: int
) -> tuple[Sequence[Line], str | None]:
    listed = job_page(connection, tenant, chosen, cursor, most)
    requests = [job.request for job in listed.items]
    labels = find_labels(connection, tenant, requests, [job.model for job in listed.items])
    batches = [job.id for job in listed.items if job.kind == "batch"]
    counts = _count_verifications(connection, tenant, batches)
    lines = [_line(job, labels, counts.get(job.id, {})) for job in listed.items]
    return lines, listed.next_cursor


def _line(job: Job, labels: Labels, counts: Mapping[str, int]) -> Line:
    status = job.verdict if job.verdict in VERDICTS else str(job.state)
    title = TITLES.get(job.kind, job.kind)
    if job.kind != "batch":
        subject = labels.subject(job.kind, job.request, job.model)
        return Line(job, title, subject, labels.property(job.property), status, {})
    properties = job.request.get("properties", ())
    prop = f"{len(properties)} properties"
    if len(properties) == 1:
        prop = labels.property(properties[0])
    return Line(job, title, batch_subject(job.request, labels), prop, status, counts)


def batch_subject(request: Mapping[str, Any], labels: Labels) -> str:
    """Return what a batch is about, its properties aside."""
    if request["kind"] == "prove":
        return labels.model(request["model"])
    if request["kind"] == "reverify":
        return labels.subject("reverify", request, None)
    networks = request["networks"]
    variants = sum(len(net["variants"]) + len(net["compressions"]) for net in networks)
    name = labels.model(networks[0]["original"])
    more = f" and {len(networks) - 1} more" if len(networks) > 1 else ""
    return f"{name}{more}, {variants} variant{'' if variants == 1 else 's'}"


def _count_verifications(
    connection: Connection, tenant: str, batches: Sequence[str]
) -> dict[str, Counter[str]]:
    """Return how many verifications of each batch have each verdict, or else state."""
    query = (
        select(jobs.c.parent_id, jobs.c.verdict, jobs.c.state, func.count().label("number"))
        .where(
            jobs.c.tenant == tenant,
            jobs.c.parent_id.in_(batches),
            jobs.c.kind.in_(("prove", "reverify")),
        )
        .group_by(jobs.c.parent_id, jobs.c.verdict, jobs.c.state)
    )
    counts: dict[str, Counter[str]] = {}
    for row in connection.execute(query):
        status = row.verdict if row.verdict in VERDICTS else str(row.state)
        counts.setdefault(row.parent_id, Counter())[status] += row.number
    return counts


def _count_states(connection: Connection, tenant: str) -> Mapping[str, int]:
    """Return how many jobs wait and run, batches aside."""
    query = (
        select(jobs.c.state, func.count().label("number"))
        .where(jobs.c.tenant == tenant, jobs.c.state.in_(UNFINISHED), jobs.c.kind != "batch")
        .group_by(jobs.c.state)
    )
    return {row.state: row.number for row in connection.execute(query)}


def _count_models(connection: Connection, tenant: str) -> int:
    query = select(func.count()).where(files.c.tenant == tenant, files.c.kind == FileKind.MODEL)
    return int(connection.execute(query).scalar_one())
