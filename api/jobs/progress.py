# SPDX-License-Identifier: Apache-2.0
"""What a running command tells of its progress, read from what it writes.

A job may run for a day and tell five times a second. What is passed on is thinned so that about as
many events are kept of a long job as of a short one: the longer it has run, the longer the pause.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from api.jobs.said import read_said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LEAST_PAUSE_SECONDS = 0.3
MOST_EVENTS = 600
MOST_KEPT_BYTES = 1 << 20
MOST_LINE_BYTES = 4096


class Progress:
    """Lines of progress on their way from a command to whoever wants to know.

    Args:
        tell: Called with what a line says.
    """

    def __init__(self, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self._tell = tell
        self._rest = b""
        self._latest: Mapping[str, Any] | None = None
        self._started = self._told = time.monotonic()

    def read(self, new: bytes) -> None:
        """Read what is new, and pass the latest on, if it is time."""
        *lines, self._rest = (self._rest + new)[-MOST_KEPT_BYTES:].split(b"\n")
        for line in reversed(lines):
            data = _progress(line)
            if data is not None:
                self._latest = data
                break
        present = time.monotonic()
        pause = max(LEAST_PAUSE_SECONDS, (present - self._started) / MOST_EVENTS)
        if self._latest is not None and present - self._told >= pause:
            latest, self._latest, self._told = self._latest, None, present
            self._tell(latest)


def _progress(line: bytes) -> Mapping[str, Any] | None:
    """Return what a line tells: numbers and short texts only."""
    if not line.startswith(b'{"progress"') or len(line) > MOST_LINE_BYTES:
        return None
    said = read_said(line)
    data = None if said is None else said["progress"]
    if not isinstance(data, dict):
        return None
    return {
        key: value for key, value in data.items() if isinstance(value, str | int | float | None)
    }
