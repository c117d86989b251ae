# SPDX-License-Identifier: Apache-2.0
"""Models, properties, proofs, certificates and neuron maps: upload, list, fetch, remove.

The routes are the same for all kinds; the folder in the path says which kind is meant.
"""

import asyncio
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect

from api.blobs import Writing
from api.errors import (
    InvalidError,
    LengthRequiredError,
    NotFoundError,
    StalledError,
    TooLargeError,
    UnauthenticatedError,
)
from api.files import Upload, file_page, find_file, keep_upload, remove_file
from api.problems import problems
from api.routes.asking import Cursor, Limit, Reader, TheServer, Writer
from api.schemas import FOLDERS, FileKind, FilePage, Sha256, StoredFile
from api.server import Server

router = APIRouter(tags=["files"])

STALL_SECONDS = 60.0


async def _kind(request: Request) -> FileKind:
    return FOLDERS[request.url.path.split("/")[2]]


Kind = Annotated[FileKind, Depends(_kind)]
Name = Annotated[
    str,
    Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]*$", description="what to call the file"),
]
BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file",
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in ("application/octet-stream", "application/gzip", "application/json")
        },
    }
}
_UPLOAD = problems(411, 507)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, openapi_extra=_BODY, responses=_UPLOAD)
async def upload_file(
    request: Request,
    response: Response,
    server: TheServer,
    caller: Writer,
    kind: Kind,
    name: Name = "",
) -> StoredFile:
    """Upload a file as the body of the request; its hash becomes its name."""
    upload = Upload(caller, kind, name)
    stored = await _receive(request, server, upload, None)
    response.headers["Location"] = f"{request.url.path}/{stored.sha256}"
    return stored


@router.put("/{sha256}", openapi_extra=_BODY, responses=_UPLOAD)
async def put_file(
    request: Request,
    server: TheServer,
    caller: Writer,
    kind: Kind,
    sha256: Sha256,
    name: Name = "",
) -> StoredFile:
    """Upload a file whose hash is known; one that is there already is not sent again."""
    try:
        return await to_thread.run_sync(
            server.database.read, lambda c: find_file(c, caller.tenant, kind, sha256)
        )
    except NotFoundError:
        return await _receive(request, server, Upload(caller, kind, name), sha256)


async def _receive(
    request: Request, server: Server, upload: Upload, expected: str | None
) -> StoredFile:
    length = _length(request, server.settings.upload_bytes)
    with server.quota.reserved(upload.caller.tenant, length), server.blobs.writing() as writing:
        await to_thread.run_sync(server.quota.check, upload.caller.tenant)
        await _write(request, writing, length)
        if expected is not None and writing.sha256 != expected:
            detail = f"the body has the SHA-256 {writing.sha256}, not {expected}"
            raise InvalidError(detail)
        if not await to_thread.run_sync(request.state.standing.is_good):
            detail = "the key has ended while the file came in"
            raise UnauthenticatedError(detail)
        summary = await server.inspector.inspect(writing, upload)
        return await to_thread.run_sync(keep_upload, server.database, upload, writing, summary)


async def _write(request: Request, writing: Writing, length: int) -> None:
    """Write a body to disk as it comes."""
    clock = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(STALL_SECONDS) as patience:
            async for chunk in request.stream():
                _check_length(writing.bytes + len(chunk), length)
                await to_thread.run_sync(writing.write, chunk)
                patience.reschedule(clock() + STALL_SECONDS)
    except TimeoutError as error:
        detail = f"nothing came for {STALL_SECONDS:g} s after {writing.bytes} bytes"
        raise StalledError(detail) from error
    except ClientDisconnect as error:
        detail = f"the connection ended after {writing.bytes} of {length} bytes"
        raise InvalidError(detail) from error
    if writing.bytes < length:
        detail = f"the body has {writing.bytes} bytes, Content-Length says {length}"
        raise InvalidError(detail)


def _check_length(come: int, length: int) -> None:
    """Check that no more comes than was said: a body in chunks has no end of its own."""
    if come > length:
        detail = f"the body has more than the {length} bytes that Content-Length says"
        raise InvalidError(detail)


def _length(request: Request, most: int) -> int:
    text = request.headers.get("content-length", "")
    if not text.isascii() or not text.isdigit():
        detail = "say how many bytes will come, in the header Content-Length"
        raise LengthRequiredError(detail)
    if len(text) > 18 or int(text) > most:
        detail = f"{text[:40]} bytes; a file may have {most}"
        raise TooLargeError(detail)
    return int(text)


@router.get("")
def list_files(
    server: TheServer, caller: Reader, kind: Kind, cursor: Cursor = None, limit: Limit = 50
) -> FilePage:
    """List files of one kind."""
    return server.database.read(lambda c: file_page(c, caller.tenant, kind, cursor, limit))


@router.get("/{sha256}")
def describe_file(server: TheServer, caller: Reader, kind: Kind, sha256: Sha256) -> StoredFile:
    """Tell what a file is."""
    return server.database.read(lambda c: find_file(c, caller.tenant, kind, sha256))


@router.get("/{sha256}/content", response_class=FileResponse, responses=BYTES)
def fetch_file(server: TheServer, caller: Reader, kind: Kind, sha256: Sha256) -> FileResponse:
    """Fetch a file."""
    stored = describe_file(server, caller, kind, sha256)
    return blob_response(server, stored.sha256, stored.name or sha256)


@router.delete("/{sha256}", status_code=204, responses=problems(409, 507))
def delete_file(server: TheServer, caller: Writer, kind: Kind, sha256: Sha256) -> None:
    """Remove a file; unfinished jobs keep theirs."""
    server.database.write(lambda c: remove_file(c, caller, kind, sha256))


def blob_response(
    server: Server, sha256: str, name: str, media_type: str = "application/octet-stream"
) -> FileResponse:
    """Return a file as a download: browsers are told not to open it."""
    return FileResponse(
        server.blobs.there(sha256),
        media_type=media_type,
        filename=name,
        headers={"ETag": f'"{sha256}"', "X-Content-Type-Options": "nosniff"},
    )
