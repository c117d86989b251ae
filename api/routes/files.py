# SPDX-License-Identifier: Apache-2.0
"""Models, properties, proofs, certificates and neuron maps: upload, list, fetch, remove.

The routes are the same for all kinds; the folder in the path says which kind is meant.
"""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse

from api.blobs import Writing
from api.errors import InvalidError, LengthRequiredError, NotFoundError, TooLargeError
from api.files import Upload, check_quota, file_page, find_file, keep_upload, remove_file
from api.routes.asking import Cursor, Limit, Reader, TheServer, Writer
from api.schemas import FOLDERS, FileKind, FilePage, Sha256, StoredFile
from api.server import Server

router = APIRouter(tags=["files"])


def _kind(request: Request) -> FileKind:
    return FOLDERS[request.url.path.split("/")[2]]


Kind = Annotated[FileKind, Depends(_kind)]
Name = Annotated[
    str,
    Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]*$", description="what to call the file"),
]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("", status_code=201, openapi_extra=_BODY)
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


@router.put("/{sha256}", openapi_extra=_BODY)
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
    tenant = upload.caller.tenant
    await to_thread.run_sync(
        server.database.read, lambda c: check_quota(c, server.settings, tenant, length)
    )
    with server.blobs.writing() as writing:
        async for chunk in request.stream():
            if writing.bytes + len(chunk) > length:
                break  # More than was said: the server below would not have it either.
            await to_thread.run_sync(writing.write, chunk)
        if writing.bytes != length:
            detail = f"the body has {writing.bytes} bytes, Content-Length says {length}"
            raise InvalidError(detail)
        if expected is not None and writing.sha256 != expected:
            detail = f"the body has the SHA-256 {writing.sha256}, not {expected}"
            raise InvalidError(detail)
        return await to_thread.run_sync(_look_and_keep, server, upload, writing)


def _look_and_keep(server: Server, upload: Upload, writing: Writing) -> StoredFile:
    summary = server.inspector.inspect(writing.path, upload.kind)
    return keep_upload(server.database, upload, writing, summary)


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


@router.get(
    "/{sha256}/content",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def fetch_file(server: TheServer, caller: Reader, kind: Kind, sha256: Sha256) -> FileResponse:
    """Fetch a file."""
    stored = describe_file(server, caller, kind, sha256)
    return blob_response(server, stored.sha256, stored.name or sha256)


@router.delete("/{sha256}", status_code=204)
def delete_file(server: TheServer, caller: Writer, kind: Kind, sha256: Sha256) -> None:
    """Remove a file; unfinished jobs keep theirs."""
    server.database.write(lambda c: remove_file(c, caller, kind, sha256))


def blob_response(
    server: Server, sha256: str, name: str, media_type: str = "application/octet-stream"
) -> FileResponse:
    """Return a file as a download: browsers are told not to open it."""
    return FileResponse(
        server.blobs.path(sha256),
        media_type=media_type,
        filename=name,
        headers={"ETag": f'"{sha256}"', "X-Content-Type-Options": "nosniff"},
    )
