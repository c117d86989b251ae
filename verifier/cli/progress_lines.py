# SPDX-License-Identifier: Apache-2.0
"""Progress for programs: one JSON object a line on standard error.

    {"progress": {"title": "prove", "step": "search", "done": 3, "open": 17, "bound": -0.12,
                  "valid": null, "repaired": null, "dropped": null, "seconds": 1.2}}

``bound`` is the worst lower bound over open regions: each region is refuted once its own is above
0, so this tells how far from it the search is. What is not known is null. The first report of each
step is written, and then a few a second, so that whoever reads them is not kept busy; the last one
is always written. A report that is not written costs a look at the clock.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier.engine.limits import Progress

SECONDS_BETWEEN = 0.2
COUNTS = ("done", "open", "bound", "valid", "repaired", "dropped")


class ProgressLines:
    """The lines of one command."""

    def __init__(
        self, title: str, write: Callable[[str], object], clock: Callable[[], float]
    ) -> None:
        """Start with a line that says so.

        Args:
            title: What the command does.
            write: Takes each line, with its end.
            clock: Returns seconds since any fixed moment.
        """
        self._title, self._write, self._clock = title, write, clock
        self._started = self._written = clock()
        self._step = "start"
        self._waiting: Progress | None = None
        self._line(self._started, {})

    def tell(self, progress: Progress) -> None:
        """Write a report, or keep it for the case that it is the last one."""
        now = self._clock()
        if progress.step == self._step and now - self._written < SECONDS_BETWEEN:
            self._waiting = progress
            return
        self._report(now, progress)

    def say(self, step: str) -> None:
        """Write down a step of which nothing is counted."""
        if step != self._step:
            self._step = step
            self._line(self._clock(), {})

    def close(self) -> None:
        """Write down the last report, if it was not."""
        if self._waiting is not None:
            self._report(self._clock(), self._waiting)

    def _report(self, now: float, progress: Progress) -> None:
        self._step, self._waiting = progress.step, None
        self._line(now, {name: getattr(progress, name) for name in COUNTS})

    def _line(self, now: float, counts: dict[str, Any]) -> None:
        self._written = now
        fields = {"title": self._title, "step": self._step, **dict.fromkeys(COUNTS), **counts}
        fields["seconds"] = round(now - self._started, 3)
        self._write(json.dumps({"progress": fields}, allow_nan=False) + "\n")


def lines_on(stream: Any, title: str) -> ProgressLines:
    """Return lines that are written to a stream as they come."""

    def write(line: str) -> None:
        stream.write(line)
        stream.flush()

    return ProgressLines(title, write, time.monotonic)
