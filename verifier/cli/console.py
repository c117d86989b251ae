# SPDX-License-Identifier: Apache-2.0
"""Where words go: the answer to standard output, all else to standard error.

With ``--format json`` standard output gets exactly one object, also when a command fails. A live
progress line appears only where a person sees it: on a terminal, and not with ``--quiet``. With
``--progress json`` a program gets lines instead (``progress_lines``), quiet or not.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from verifier.cli.progress_lines import ProgressLines
    from verifier.engine.limits import Progress, ProgressFn

REDRAW_SECONDS = 0.1


@dataclass(frozen=True)
class Console:
    """How a command answers.

    Attributes:
        is_json: Whether standard output gets an object instead of text.
        is_quiet: Whether notes and the live line are left out.
        has_progress_lines: Whether progress is for a program to read.
    """

    is_json: bool
    is_quiet: bool
    has_progress_lines: bool = False

    @classmethod
    def for_words(cls, words: Sequence[str]) -> Console:
        """Return the console that a command line asks for, even if the rest of it is wrong."""
        pairs = set(pairwise(words))

        def is_json(option: str) -> bool:
            return (option, "json") in pairs or f"{option}=json" in words

        return cls(is_json("--format"), "--quiet" in words, is_json("--progress"))

    def answer(self, document: Mapping[str, Any], text: str) -> None:
        """Print the answer in the form that was asked for."""
        sys.stdout.write(json.dumps(document, allow_nan=False) if self.is_json else text)
        sys.stdout.write("\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Tell a person something on the way."""
        if not self.is_quiet:
            sys.stderr.write(f"mucg4: {text}\n")

    def fail(self, message: str, kind: str, status: int) -> None:
        """Say why there is no answer."""
        sys.stderr.write(f"mucg4: {message}\n")
        if self.is_json:
            error = {"kind": kind, "message": message}
            sys.stdout.write(json.dumps({"error": error, "exit_status": status}) + "\n")

    @contextmanager
    def progress(self, title: str) -> Iterator[ProgressFn]:
        """Yield what the engine tells its progress to."""
        if self.has_progress_lines:
            with self._lines(title) as lines:
                yield lines.tell
            return
        with self.status(title) as show:

            def report(progress: Progress) -> None:
                counts = f"{progress.done} done, {progress.open} open"
                show(f"{title}: {progress.step}: {counts}")

            yield report

    @contextmanager
    def status(self, title: str) -> Iterator[Callable[[str], None]]:
        """Yield a function that changes the live line, where there is one."""
        if self.has_progress_lines:
            with self._lines(title) as lines:
                yield lines.say
            return
        if self.is_quiet or not sys.stderr.isatty():
            yield _ignore
            return
        # Imported here: without a terminal, nobody waits for it.
        from rich.console import Console as Terminal

        drawn = time.monotonic()
        with Terminal(stderr=True).status(title) as line:

            def show(text: str) -> None:
                nonlocal drawn
                if time.monotonic() - drawn >= REDRAW_SECONDS:
                    drawn = time.monotonic()
                    line.update(text)

            yield show

    @contextmanager
    def _lines(self, title: str) -> Iterator[ProgressLines]:
        from verifier.cli.progress_lines import lines_on

        lines = lines_on(sys.stderr, title)
        try:
            yield lines
        finally:
            lines.close()


def _ignore(text: str) -> None:
    """Show nothing."""
    del text
