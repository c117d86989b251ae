# SPDX-License-Identifier: Apache-2.0
"""Errors as problem documents (RFC 9457), one form for all of them."""

from __future__ import annotations

import logging
import reprlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from api.database.connection import StorageFullError, UnavailableError
from api.errors import ServiceError
from api.schemas import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "5"
MOST_SHOWN = 200
MOST_ERRORS = 8

_log = logging.getLogger(__name__)

STATUSES = {
    400: "The request cannot be read",
    401: "No valid key",
    403: "The key does not have the scope",
    404: "Not there, or not yours",
    405: "Not with this method",
    408: "A body that does not come",
    409: "It contradicts what is there",
    411: "An upload without Content-Length",
    413: "Too large",
    422: "It makes no sense",
    429: "Over a quota or a rate",
    500: "A defect of the server",
    503: "Busy, or the database does not answer",
    507: "No room left",
}
"""What errors a request may end with, and what each stands for."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how the OpenAPI document describes answers that are problem documents."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": STATUSES[status], "content": content} for status in statuses}


def add_problems(app: FastAPI, respond: Callable[[Request, Exception], Response]) -> None:
    """Have an application answer every error.

    Args:
        app: The application.
        respond: Returns the answer to an error.
    """
    for kind in (
        ServiceError,
        StorageFullError,
        UnavailableError,
        RequestValidationError,
        HTTPException,
        Exception,
    ):
        app.add_exception_handler(kind, respond)


def problem_response(request: Request, error: Exception) -> JSONResponse:
    """Return the problem document of an error."""
    problem, headers = describe(request, error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # Of a defect all is told; a disk or a database in trouble would fill the log.
        is_defect = problem.status == HTTPStatus.INTERNAL_SERVER_ERROR
        trace = error if is_defect else None
        # What a stranger asked for is quoted: a line of the log is to be a line.
        place = quote(request.url.path)
        _log.error("%s %s: %s", request.method, place, problem.detail, exc_info=trace)
    document = problem.model_dump(mode="json")
    return JSONResponse(document, problem.status, headers=headers, media_type=MEDIA_TYPE)


def describe(request: Request, error: Exception) -> tuple[Problem, dict[str, str]]:
    """Return what an error means to whoever asked, and the headers that tell of it."""
    status, title, detail, headers = _described(error)
    detail = _encodable(detail)
    problem = Problem(title=title, status=status, detail=detail, instance=request.url.path)
    return problem, dict(headers)


def _described(error: Exception) -> tuple[int, str, str, Mapping[str, str]]:
    match error:
        case ServiceError():
            return error.status, error.title, error.detail, error.headers
        case StorageFullError():
            return 507, "No room left", str(error), {"Retry-After": RETRY_SECONDS}
        case UnavailableError():
            return 503, "Not available", str(error), {"Retry-After": RETRY_SECONDS}
        case RequestValidationError():
            return 422, "Not valid", _validation_text(error), {}
        case HTTPException():
            title = HTTPStatus(error.status_code).phrase
            return error.status_code, title, str(error.detail), error.headers or {}
        case _:
            detail = "an internal error, which the server has written down; this is a bug"
            return 500, "Internal error", detail, {}


def _validation_text(error: RequestValidationError) -> str:
    """Return what is wrong, with place and value."""
    texts, errors = [], error.errors()
    for item in errors[:MOST_ERRORS]:
        place = ".".join(str(part) for part in item["loc"])
        shown = _shown(item.get("input"))
        texts.append(f"{place}: {item['msg']} (given: {shown})"[: 4 * MOST_SHOWN])
    if len(errors) > MOST_ERRORS:
        texts.append(f"and {len(errors) - MOST_ERRORS} more")
    return "; ".join(texts)


def _shown(value: object) -> str:
    """Return the beginning of what was given, without writing down all of it."""
    text = repr(value) if isinstance(value, str | int | float | None) else reprlib.repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _encodable(text: str) -> str:
    """Return a text as UTF-8 can hold it: JSON lets half of a character through."""
    return text.encode("utf-8", "backslashreplace").decode()
