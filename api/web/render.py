# SPDX-License-Identifier: Apache-2.0
"""Pages from templates. Whatever goes into one is escaped; nothing is marked safe but charts.

A page gets no script and no style but those under ``/static``: the security policy would not have
them, and a test looks that no template tries.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from api.schemas import Scope

if TYPE_CHECKING:
    from starlette.requests import Request

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
MINUTE, HOUR, DAY = 60, 3600, 86400

SYMBOLS = {
    "holds": "✓",
    "violated": "✗",
    "unknown": "?",
    "queued": "·",
    "running": "▸",
    "succeeded": "✓",
    "failed": "!",
    "cancelled": "–",  # noqa: RUF001
    "timed_out": "⧖",
    "accepted": "✓",
    "rejected": "✗",
}


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page.

    Args:
        request: What it answers; says who is signed in, and where they are.
        template: Its template.
        status: The status of the answer.
        values: What the template shows.
    """
    caller = getattr(request.state, "caller", None)
    given = {
        "caller": caller,
        "may_write": caller is not None and Scope.WRITE in caller.scopes,
        "may_administer": caller is not None and Scope.ADMIN in caller.scopes,
        "path": request.url.path,
    }
    return HTMLResponse(_environment().get_template(template).render(given | values), status)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("api.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ago": ago,
        "amount": amount,
        "exactly": exactly,
        "json": json.dumps,
        "number": number,
        "percent": percent,
        "seconds": seconds,
        "symbol": lambda status: SYMBOLS.get(str(status), "·"),
        "words": words,
    }
    return environment


def ago(moment: datetime, present: datetime | None = None) -> str:
    """Return how long ago something was, as exact as people want to know it."""
    passed = ((present or datetime.now(UTC)) - moment).total_seconds()
    if passed < 5:
        return "just now"
    if passed < MINUTE:
        return f"{passed:.0f} s ago"
    if passed < HOUR:
        return f"{passed // MINUTE:.0f} min ago"
    if passed < DAY:
        return f"{passed // HOUR:.0f} h ago"
    return f"{passed // DAY:.0f} d ago"


def exactly(moment: datetime) -> str:
    """Return a moment to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def amount(size: float) -> str:
    """Return a number of bytes with its unit."""
    for unit in UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {UNITS[-1]}"


def seconds(value: float | None) -> str:
    """Return a duration."""
    if value is None:
        return ""
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    if value < 10:
        return f"{value:.2f} s"
    if value < 100:
        return f"{value:.1f} s"
    if value < 2 * HOUR:
        return f"{value / MINUTE:.0f} min"
    return f"{value / HOUR:.1f} h"


def number(value: float | None) -> str:
    """Return a number with up to five digits that count, and a real minus sign."""
    return "" if value is None else f"{value:.5g}".replace("-", "−")  # noqa: RUF001


def words(name: str) -> str:
    """Return a name of the program as people read it."""
    # A job that has succeeded has an answer, which may be that a property is violated.
    return "done" if name == "succeeded" else str(name).replace("_", " ")


def percent(share: float) -> str:
    """Return a share in hundredths."""
    return f"{share * 100:.0f} %"
