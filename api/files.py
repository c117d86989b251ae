# SPDX-License-Identifier: Apache-2.0
"""Files of tenants: uploaded, looked at in a sandbox, kept, listed, removed.

A file counts as there when a row names it. The row is written last, after the file was found to be
what it is said to be and lies in the blob folder for good.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from sqlalchemy import select

from api.access import audit
from api.access.keys import when
from api.blobs import storage_errors
from api.database.tables import artifacts, files, jobs, proofs
from api.errors import BusyError, ConflictError, InvalidError, NotFoundError
from api.file_register import FileRecord, register
from api.jobs.attempt import InspectionError, inspect
from api.jobs.commands import inspection
from api.jobs.room import FolderRoom
from api.jobs.states import UNFINISHED
from api.sandbox.folder import remove
from api.schemas import FileKind, FilePage, StoredFile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.engine import Connection, Row

    from api.access.caller import Caller
    from api.blobs import Writing
    from api.database.connection import Database
    from api.settings import Settings

INSPECTIONS_AT_ONCE = 2
INSPECTION_WAIT_SECONDS = 60.0
MOST_SUMMARY_BYTES = 1 << 17
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

    Args:
        settings: Where to work, and how much memory it may take.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = asyncio.Semaphore(INSPECTIONS_AT_ONCE)

    async def inspect(self, path: Path, kind: FileKind) -> Mapping[str, Any]:
        """Return what a file is.

        Raises:
            InvalidError: It is not what it is said to be, or uses what is not supported.
            BusyError: Too many files wait to be looked at.
        """
        try:
            # Whoever waits here holds no thread: other requests go on.
            async with asyncio.timeout(INSPECTION_WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError as error:
            detail = "too many files wait to be looked at"
            raise BusyError(detail, INSPECTION_WAIT_SECONDS) from error
        try:
            return await to_thread.run_sync(self._inspect, path, kind)
        finally:
            self._places.release()

    def _inspect(self, path: Path, kind: FileKind) -> Mapping[str, Any]:
        with storage_errors():
            self._settings.job_dir.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="inspect-", dir=self._settings.job_dir))
        try:
            with storage_errors():
                shutil.copyfile(path, folder / NAMES[kind])
            memory = self._settings.job_memory_bytes
            room = FolderRoom(folder, memory, self._settings.upload_bytes)
            report = inspect(room, inspection(kind, NAMES[kind]))
        except InspectionError as error:
            raise InvalidError(str(error)) from error
        finally:
            remove(folder)
        return _short(report["summary"])


def _short(summary: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a file is, if it can be told in short: lists tell it of many files at once."""
    size = len(json.dumps(summary))
    if size > MOST_SUMMARY_BYTES:
        detail = f"a description of the file takes {size} bytes; at most {MOST_SUMMARY_BYTES} may"
        raise InvalidError(detail)
    return summary


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
    query = select(files).where(files.c.tenant == tenant, files.c.kind == kind)
    if cursor is not None:
        query = query.where(files.c.sha256 > cursor)
    rows = connection.execute(query.order_by(files.c.sha256).limit(most + 1)).all()
    items = [_stored(row) for row in rows[:most]]
    return FilePage(items=items, next_cursor=items[-1].sha256 if len(rows) > most else None)


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
    """Forget a file; its bytes are swept later.

    Raises:
        NotFoundError: There is none, or it is another tenant's.
        ConflictError: An unfinished job works with files like this.
    """
    find_file(connection, caller.tenant, kind, sha256)
    unfinished = select(jobs.c.id, jobs.c.request).where(
        jobs.c.tenant == caller.tenant, jobs.c.state.in_(UNFINISHED)
    )
    for row in connection.execute(unfinished):
        if sha256 in str(row.request):
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
