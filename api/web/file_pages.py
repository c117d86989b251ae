# SPDX-License-Identifier: Apache-2.0
"""The lists of files, one page for each kind."""

# Annotations are read at run time here, so they are not postponed.
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.engine import Connection
from starlette.responses import HTMLResponse, Response

from api.files import file_page
from api.routes.asking import Cursor, Reader, TheServer
from api.schemas import FOLDERS
from api.web.labels import find_labels
from api.web.render import page

router = APIRouter(include_in_schema=False)

FILES_ON_A_PAGE = 100


def list_of_files(
    request: Request, server: TheServer, caller: Reader, cursor: Cursor = None
) -> Response:
    """Show the files of a kind."""
    folder = request.url.path.strip("/")

    def work(connection: Connection) -> dict[str, Any]:
        listed = file_page(connection, caller.tenant, FOLDERS[folder], cursor, FILES_ON_A_PAGE)
        hashes = [file.sha256 for file in listed.items]
        labels = find_labels(connection, caller.tenant, (), hashes)
        return {"files": listed.items, "following": listed.next_cursor, "labels": labels}

    shown = server.database.read(work)
    return page(request, "files.html", **shown, folder=folder, folders=list(FOLDERS), cursor=cursor)


for _folder in FOLDERS:
    router.add_api_route(f"/{_folder}", list_of_files, response_class=HTMLResponse)
