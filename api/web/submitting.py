# SPDX-License-Identifier: Apache-2.0
"""Where jobs are begun: a new verification, and a comparison of two networks."""

# Annotations are read at run time here, so they are not postponed.
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from sqlalchemy.engine import Connection
from starlette.responses import HTMLResponse, Response

from api.database.tables import jobs
from api.files import file_page
from api.jobs.reading import job_detail
from api.routes.asking import Reader, TheServer, Writer
from api.schemas import FileKind, JobDetail, Sha256, StoredFile
from api.web.comparison import show_comparison
from api.web.job_view import is_unfinished
from api.web.labels import Labels, find_labels
from api.web.render import page

router = APIRouter(include_in_schema=False)

MOST_FILES = 1000
LATEST_COMPARISONS = 200


@dataclass(frozen=True)
class Pair:
    """What is to be compared.

    Attributes:
        original: SHA-256 of the one network.
        model: SHA-256 of the other.
        property: SHA-256 of a property, for whose inputs bounds are compared.
    """

    original: str | None
    model: str | None
    property: str | None


@router.get("/new", response_class=HTMLResponse)
def new_verification(request: Request, server: TheServer, caller: Writer) -> Response:
    """Show where to submit a verification."""

    def work(connection: Connection) -> dict[str, Any]:
        return _known_files(connection, caller.tenant)

    shown = server.database.read(work)
    settings = server.settings
    return page(
        request,
        "new.html",
        **shown,
        methods=server.methods.known(),
        most_bytes=settings.upload_bytes,
        most_seconds=settings.job_seconds,
    )


@router.get("/compare", response_class=HTMLResponse)
def compare(
    request: Request,
    server: TheServer,
    caller: Reader,
    original: Sha256 | None = None,
    model: Sha256 | None = None,
    prop: Annotated[str, Query(alias="property", pattern="^([0-9a-f]{64})?$")] = "",
) -> Response:
    """Show what compression changed, layer by layer."""
    pair = Pair(original, model, prop or None)

    def work(connection: Connection) -> dict[str, Any]:
        chosen = (pair.original, pair.model, pair.property)
        shown = _known_files(connection, caller.tenant, chosen)
        job = _latest(connection, caller.tenant, pair)
        return {**shown, "job": job}

    shown = server.database.read(work)
    job = shown["job"]
    origin = shown["labels"].origins.get(pair.model or "")
    return page(
        request,
        "compare.html",
        **shown,
        pair=pair,
        neuron_map=origin.neuron_map if origin and origin.original == pair.original else None,
        comparison=None if job is None else show_comparison(job.result),
        is_unfinished=job is not None and is_unfinished(job),
    )


def _known_files(
    connection: Connection, tenant: str, more: tuple[str | None, ...] = ()
) -> dict[str, Any]:
    found: dict[FileKind, list[StoredFile]] = {}
    for kind in (FileKind.MODEL, FileKind.PROPERTY):
        listed = file_page(connection, tenant, kind, None, MOST_FILES).items
        found[kind] = sorted(listed, key=lambda file: file.created_at, reverse=True)
    models, properties = found[FileKind.MODEL], found[FileKind.PROPERTY]
    hashes = [file.sha256 for file in (*models, *properties)]
    labels: Labels = find_labels(connection, tenant, (), [*hashes, *more])
    return {"models": models, "properties": properties, "labels": labels}


def _latest(connection: Connection, tenant: str, pair: Pair) -> JobDetail | None:
    """Return the latest comparison of two networks that did not fail, or is under way."""
    if pair.original is None or pair.model is None:
        return None
    query = (
        select(jobs.c.id, jobs.c.request)
        .where(
            jobs.c.tenant == tenant,
            jobs.c.kind == "classify",
            jobs.c.model == pair.model,
            jobs.c.property == pair.property,
        )
        .order_by(jobs.c.id.desc())
        .limit(LATEST_COMPARISONS)
    )
    for row in connection.execute(query):
        if row.request["original"] == pair.original:
            return job_detail(connection, tenant, row.id)
    return None
