# SPDX-License-Identifier: Apache-2.0
"""The live table of ``mucg4 batch`` and ``mucg4 check``: what is done, what is left, how long."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from verifier.batch.results import VERDICTS, Result
from verifier.report import seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import RenderableType

    from verifier.batch.job import Job
    from verifier.batch.task import Outcome

REDRAW_SECONDS = 0.25
NOTE_SECONDS = 30.0


class BatchProgress:
    """Counts what happens and shows it.

    Args:
        show: Takes this object whenever there is something new to see.
    """

    def __init__(self, show: Callable[[BatchProgress], None]) -> None:
        self._show = show
        self._started = time.monotonic()
        self.total = 0
        self.questions = 0
        self.verdicts: Counter[str] = Counter()
        self.busy: dict[str, float] = {}
        self.finished = 0
        self.stored = 0

    def asked(self, jobs: Sequence[Job]) -> None:
        """Hear of jobs that will be done."""
        self.total += len(jobs)
        self.questions += sum(job.question is not None for job in jobs)

    def begun(self, job: Job) -> None:
        """Hear that somebody works on a job."""
        self.busy[job.name] = time.monotonic()
        self._show(self)

    def done(self, job: Job, outcome: Outcome, *, is_stored: bool) -> None:
        """Hear of an outcome, and whether it was there already."""
        self.busy.pop(job.name, None)
        self.finished += 1
        self.stored += is_stored
        if job.question is not None:
            self.verdicts[Result.of(job.question, outcome).verdict] += 1
        self._show(self)

    def look(self) -> None:
        """Hear that time goes on."""
        self._show(self)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._started

    @property
    def seconds_left(self) -> float | None:
        """Time until the end if the rest takes as long as what was done now; None before that."""
        worked = self.finished - self.stored
        return None if not worked else self.seconds / worked * (self.total - self.finished)

    def line(self) -> str:
        """Return how it goes, in one line."""
        verdicts = [f"{self.verdicts[word]} {word}" for word in VERDICTS if self.verdicts[word]]
        left = self.seconds_left
        parts = [f"{sum(self.verdicts.values())} of {self.questions}", *verdicts]
        parts += [f"about {seconds_text(left)} left"] if left is not None else []
        return ", ".join(parts)


@contextmanager
def shown(command: str, *, is_quiet: bool) -> Iterator[BatchProgress]:
    """Yield what shows a run: a live table on a terminal, a line now and then elsewhere."""
    if is_quiet:
        yield BatchProgress(_ignore)
    elif sys.stderr.isatty():
        from rich.console import Console as Terminal
        from rich.live import Live

        with Live(console=Terminal(stderr=True), refresh_per_second=1 / REDRAW_SECONDS) as live:
            often = _Seldom(REDRAW_SECONDS, lambda progress: live.update(_table(progress)))
            progress = BatchProgress(often)
            yield progress
            live.update(_table(progress))
    else:
        note = _Seldom(NOTE_SECONDS, lambda p: sys.stderr.write(f"mucg4: {command}: {p.line()}\n"))
        yield BatchProgress(note)


def _ignore(progress: BatchProgress) -> None:
    del progress


class _Seldom:
    """Calls a function at most so often."""

    def __init__(self, pause_seconds: float, function: Callable[[BatchProgress], Any]) -> None:
        self._pause = pause_seconds
        self._function = function
        self._last = time.monotonic()

    def __call__(self, progress: BatchProgress) -> None:
        if time.monotonic() - self._last >= self._pause:
            self._last = time.monotonic()
            self._function(progress)


def _table(progress: BatchProgress) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    table.add_row("answered", f"{sum(progress.verdicts.values())} of {progress.questions}")
    for word in VERDICTS:
        if progress.verdicts[word]:
            table.add_row(str(progress.verdicts[word]), word)
    now = time.monotonic()
    for name, since in progress.busy.items():
        table.add_row(seconds_text(now - since), name)
    left = progress.seconds_left
    if left is not None and progress.finished < progress.total:
        table.add_row("left", f"about {seconds_text(left)}")
    return table
