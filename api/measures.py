# SPDX-License-Identifier: Apache-2.0
"""Measures requests: how many there were, of which kind, and how long they took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0, 60.0)


class Measures:
    """What is counted of requests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mucg4_requests", "Requests", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "mucg4_request_seconds",
            "Seconds until the answer began",
            ["route"],
            buckets=BUCKETS,
            registry=self.registry,
        )


class Measured:
    """Measures the requests of an application.

    Args:
        app: What answers them.
        measures: Where they are counted.
    """

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and measure it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def measuring(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = _route(scope)
                status = str(message["status"])
                # Strangers may make up methods; each label is kept in memory.
                method = scope["method"] if scope["method"] in METHODS else "other"
                self._measures.requests.labels(method, route, status).inc()
                self._measures.seconds.labels(route).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, measuring)


def _route(scope: Scope) -> str:
    """Return the path of a request with names in place of what is different each time."""
    if "route" not in scope:
        return "none"  # Strangers may ask for anything; each label is kept in memory.
    names = {value: f"{{{name}}}" for name, value in scope.get("path_params", {}).items()}
    return "/".join(names.get(part, part) for part in scope["path"].split("/"))
