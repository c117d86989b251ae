# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document: what FastAPI finds out, and what it cannot see.

That is the gate in front of all routes, and that errors are problem documents, whatever a route
answers otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.access.gate import is_public
from api.schemas import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI

_EVENTS = "text/event-stream"
_EVENTS_TEXT = (
    "`data` is an `Event` as JSON and `id` its number; after the last comes one named `end`"
)
_KEY = {"type": "http", "scheme": "bearer", "description": "`mucg4_...`, or a provider's token"}


def describe(app: FastAPI) -> None:
    """Have an application complete its document."""
    found = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(found())
        return found()

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to do this


def _complete(document: dict[str, Any]) -> None:
    parts = document["components"]
    parts["schemas"]["Problem"] = Problem.model_json_schema()
    parts["securitySchemes"] = {"key": _KEY}
    document["security"] = [{"key": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if is_public(path):
                operation["security"] = []
            stream = operation["responses"].get("200", {}).get("content", {}).get(_EVENTS)
            if stream is not None:
                # What is said of each item is the word of OpenAPI 3.2; 3.1 has but this one.
                stream["schema"] = {**stream.pop("itemSchema"), "description": _EVENTS_TEXT}
