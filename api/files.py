# SPDX-License-Identifier: Apache-2.0
"""Files of tenants: uploaded, looked at in a sandbox, kept, listed, removed.

A file counts as there when a row names it. The row is written last, after the file was found to be
what it is said to be and lies in the blob folder for good.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from anyio import to_thread
from sqlalchemy import select

from api.access import audit
from api.access.keys import when
from api.blobs import storage_errors
from api.database.paging import fitting, size_of
from api.database.tables import artifacts, files, jobs, proofs
from api.errors import BusyError, ConflictError, InvalidError, NotFoundError
from api.file_register import FileRecord, register
from api.jobs.attempt import InspectionError, describe
from api.jobs.room import LocalRooms
from api.jobs.states import UNFINISHED
from api.schemas import FileKind, FilePage, StoredFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from sqlalchemy.engine import Connection, Row

    from api.access.caller import Caller
    from api.blobs import Writing
    from api.database.connection import Database
    from api.settings import Settings

INSPECTIONS_AT_ONCE = 3
INSPECTIONS_OF_A_TENANT = 2
INSPECTION_WAIT_SECONDS = 60.0
NAMES = {
    FileKind.MODEL: "model.onnx",
    FileKind.PROPERTY: "property.vnnlib",
    FileKind.PROOF: "original.proof",
    FileKind.CERTIFICATE: "certificate.json.gz",
    FileKind.NEURON_MAP: "neuron_map.json",
}


@dataclass(frozen=True)
class Upload:
    """A file that came in.

    Attributes:
        caller: Who sent it.
        kind: What it is said to be.
        name: What the sender calls it.
    """

    caller: Caller
    kind: FileKind
    name: str


class Inspector:
    """Has files looked at, in a sandbox, a few at a time.

    Looking may take minutes, so no tenant gets all the places.

    Args:
        settings: Where to work, and how much memory it may take.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = asyncio.Semaphore(INSPECTIONS_AT_ONCE)
        # Kept as long as one of the tenant's uploads holds it.
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def inspect(self, writing: Writing, upload: Upload) -> Mapping[str, Any]:
        """Return what a file is that has come in.

        Raises:
            InvalidError: It is not what it is said to be, or uses what is not supported.
            BusyError: Too many files wait to be looked at.
        """
        async with self._place(upload.caller.tenant):
            return await to_thread.run_sync(self._inspect, writing, upload.kind)

    @asynccontextmanager
    async def _place(self, tenant: str) -> AsyncIterator[None]:
        own = self._own.setdefault(tenant, asyncio.Semaphore(INSPECTIONS_OF_A_TENANT))
        async with AsyncExitStack() as held:
            try:
                # Whoever waits here holds no thread: other requests go on.
                async with asyncio.timeout(INSPECTION_WAIT_SECONDS):
                    await held.enter_async_context(own)
                    await held.enter_async_context(self._places)
            except TimeoutError as error:
                detail = "too many files wait to be looked at"
                raise BusyError(detail, INSPECTION_WAIT_SECONDS) from error
            yield

    def _inspect(self, writing: Writing, kind: FileKind) -> Mapping[str, Any]:
        rooms, name = LocalRooms(self._settings, self._settings.upload_bytes), NAMES[kind]
        with ExitStack() as stack:
            with storage_errors():
                room = stack.enter_context(rooms.open_aside("inspect"))
                room.copy(writing.path, name)
            try:
                return describe(room, (kind, name, writing.sha256))
            except InspectionError as error:
                raise InvalidError(str(error)) from error


def find_file(connection: Connection, tenant: str, kind: FileKind, sha256: str) -> StoredFile:
    """Return a tenant's file.

    Raises:
        NotFoundError: There is none, or it is another tenant's.
    """
    query = select(files).where(
        files.c.tenant == tenant, files.c.kind == kind, files.c.sha256 == sha256
    )
    row = connection.execute(query).first()
    if row is None:
        detail = f"there is no {kind} {sha256}"
        raise NotFoundError(detail)
    return _stored(row)


def file_page(
    connection: Connection, tenant: str, kind: FileKind, cursor: str | None, most: int
) -> FilePage:
    """Return a tenant's files of a kind in pages, by their hash."""
    own = (files.c.tenant == tenant, files.c.kind == kind)
    query = select(files.c.sha256, size_of(files.c.summary)).where(*own)
    if cursor is not None:
        query = query.where(files.c.sha256 > cursor)
    rows = connection.execute(query.order_by(files.c.sha256).limit(most + 1)).all()
    hashes, following = fitting(rows, most)
    found = select(files).where(*own, files.c.sha256.in_(hashes)).order_by(files.c.sha256)
    items = [_stored(row) for row in connection.execute(found)]
    return FilePage(items=items, next_cursor=following)


def keep_upload(
    database: Database, upload: Upload, writing: Writing, summary: Mapping[str, Any]
) -> StoredFile:
    """Keep a file that was looked at, and return it."""
    size = writing.bytes
    record = FileRecord(upload.kind, writing.keep(), size, upload.name, summary)

    def work(connection: Connection) -> StoredFile:
        register(connection, upload.caller.tenant, record)
        target = f"{record.kind}/{record.sha256}"
        audit.note(connection, upload.caller, "upload", target, bytes=size, name=record.name)
        return find_file(connection, upload.caller.tenant, record.kind, record.sha256)

    return database.write(work)


def remove_file(connection: Connection, caller: Caller, kind: FileKind, sha256: str) -> None:
    """Forget a file, and that jobs made it; its bytes are swept later.

    Raises:
        NotFoundError: There is none, or it is another tenant's.
        ConflictError: An unfinished job works with files like this.
    """
    find_file(connection, caller.tenant, kind, sha256)
    unfinished = select(jobs.c.id, jobs.c.request, jobs.c.model).where(
        jobs.c.tenant == caller.tenant, jobs.c.state.in_(UNFINISHED)
    )
    own = select(jobs.c.id).where(jobs.c.tenant == caller.tenant)
    made = (artifacts.c.sha256 == sha256, artifacts.c.job_id.in_(own))
    makers = connection.execute(select(artifacts.c.job_id).where(*made)).scalars().all()
    for row in connection.execute(unfinished):
        if sha256 == row.model or any(name in str(row.request) for name in (sha256, *makers)):
            detail = f"job {row.id} is not finished and works with {kind} {sha256}"
            raise ConflictError(detail)
    connection.execute(
        files.delete().where(
            files.c.tenant == caller.tenant, files.c.kind == kind, files.c.sha256 == sha256
        )
    )
    connection.execute(
        proofs.delete().where(proofs.c.tenant == caller.tenant, proofs.c.sha256 == sha256)
    )
    connection.execute(artifacts.delete().where(*made))
    audit.note(connection, caller, "remove", f"{kind}/{sha256}")


def named_files(connection: Connection, hashes: Collection[str]) -> set[str]:
    """Return those of some hashes that a file or an artifact has."""
    chosen = list(hashes)
    rows = connection.execute(
        select(files.c.sha256)
        .where(files.c.sha256.in_(chosen))
        .union(select(artifacts.c.sha256).where(artifacts.c.sha256.in_(chosen)))
    )
    return set(rows.scalars())


def _stored(row: Row[Any]) -> StoredFile:
    return StoredFile(
        kind=row.kind,
        sha256=row.sha256,
        bytes=row.bytes,
        name=row.name,
        summary=row.summary,
        created_at=when(row.created_at),
    )
