# SPDX-License-Identifier: Apache-2.0
"""Errors, for programs as problem documents and for people as pages."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from api.problems import describe, problem_response
from api.web.render import page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_log = logging.getLogger(__name__)


def error_response(request: Request, error: Exception) -> Response:
    """Return the answer to a request that failed, in the form that whoever asks can read."""
    is_page = not request.url.path.startswith("/v1/")
    if not (is_page and "text/html" in request.headers.get("accept", "")):
        return problem_response(request, error)
    problem, headers = describe(request, error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s: %s", quote(request.url.path), problem.detail, exc_info=error)
    shown = page(request, "error.html", problem.status, problem=problem)
    shown.headers.update(headers)
    return shown
