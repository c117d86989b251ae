# SPDX-License-Identifier: Apache-2.0
"""One attempt at a job: its command in a sandbox, watched until it ends.

The command is the ``mucg4`` program itself, so a job means what the same words mean on the command
line. Its answer is one JSON object on standard output; on standard error it tells progress, a JSON
object a line. Neither is trusted to be short, whole or true: the job may be a stranger's file that
took the process over. What it says is data, and what it leaves is copied by name.
"""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.blobs import pass_by
from api.jobs.commands import PROGRAM, command, inspection
from api.jobs.inputs import find_inputs, find_subject
from api.jobs.progress import Progress
from api.jobs.queue import Ending, MadeFile
from api.jobs.states import Outcome
from api.sandbox.child import start
from api.sandbox.confinement import Confinement, Limits
from api.sandbox.folder import remove
from api.schemas import FileKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from api.blobs import Blobs
    from api.database.connection import Database
    from api.jobs.commands import Command, Output
    from api.jobs.queue import Lease
    from api.sandbox.child import Child
    from api.settings import Settings

POLL_SECONDS = 0.05
MOST_ANSWER_BYTES = 8 << 20
MOST_FILE_BYTES = 4 << 30
TAIL_BYTES = 4000
INSPECTION_SECONDS = 120.0
REFUSED_STATUSES = (2, 3)
COMPILED = "compiled"
"""The folder, in a job's own, of compiled loops."""

Watch = Callable[[], Outcome | None]
"""Called again and again while a command runs: how to end it, if it is to end."""


@dataclass(frozen=True)
class Workshop:
    """What every attempt works with.

    Attributes:
        settings: Limits, and where job folders lie.
        database: Where inputs are looked up.
        blobs: Where files come from and go to.
        isolation: How well jobs are confined, in words; recorded in certificates.
        at: Told each station on the way, so that tests can stop there.
    """

    settings: Settings
    database: Database
    blobs: Blobs
    isolation: str
    at: Callable[[str], None] = pass_by

    def attempt(
        self, lease: Lease, watch: Watch, tell: Callable[[Mapping[str, Any]], None]
    ) -> Ending:
        """Run a job's command, and return how that ended. Its folder is gone afterwards.

        Args:
            lease: The job.
            watch: Says whether to stop.
            tell: Told the progress.
        """
        folder = self.settings.job_dir / f"{lease.job_id}.{lease.token}"
        folder.mkdir(parents=True)
        try:
            return self._attempt(lease, folder, watch, tell)
        finally:
            remove(folder)

    def _attempt(
        self,
        lease: Lease,
        folder: Path,
        watch: Watch,
        tell: Callable[[Mapping[str, Any]], None],
    ) -> Ending:
        inputs = self.database.read(lambda connection: find_inputs(connection, lease))
        order = command(lease.kind, lease.request, inputs)
        for name, sha256 in order.inputs.items():
            self.blobs.copy(sha256, folder / name)
        if self.settings.compiled_dir.is_dir():
            # What is replaced meanwhile is missed, and compiled again.
            with suppress(OSError, shutil.Error):
                shutil.copytree(self.settings.compiled_dir, folder / COMPILED)
        self.at("before start")
        words = order.words
        if lease.kind in ("prove", "reverify"):
            words += ("--isolation", self.isolation)
        run = _Run(self._confinement(folder, self.settings.job_seconds), words, tell)
        ended = run.until_end(watch, self.settings.job_seconds)
        self.at("after command")
        if ended is not None:
            return Ending(ended, _WORDS[ended], run.status)
        ending = run.ending(order)
        if ending.outcome != Outcome.ANSWERED:
            return ending
        subject = self.database.read(lambda c: find_subject(c, lease.tenant, inputs))
        made = self._collect(order, folder, {**subject, "verdict": ending.verdict})
        self.at("after files")
        return Ending(Outcome.ANSWERED, "", run.status, ending.result, None, made)

    def _collect(
        self, order: Command, folder: Path, known: Mapping[str, Any]
    ) -> Sequence[MadeFile]:
        """Keep the files that a command left; what they are about is known, not read in them."""
        return [
            self._keep(output, folder, known)
            for output in order.outputs
            if _is_plain(folder / output.file_name, folder)
        ]

    def _keep(self, output: Output, folder: Path, known: Mapping[str, Any]) -> MadeFile:
        path = folder / output.file_name
        summary = self._inspect(output, folder) if output.kind == FileKind.MODEL else known
        sha256, size = self.blobs.add(path)
        name, media_type = output.name, output.media_type
        return MadeFile(name, path.name, sha256, size, media_type, output.kind, summary)

    def _inspect(self, output: Output, folder: Path) -> Mapping[str, Any]:
        words = inspection(FileKind.MODEL, output.file_name)
        summary = inspect(self._confinement(folder, INSPECTION_SECONDS), words)["summary"]
        return dict(summary)

    def _confinement(self, folder: Path, seconds: float) -> Confinement:
        limits = Limits(self.settings.job_memory_bytes, int(seconds) + 1, MOST_FILE_BYTES)
        return Confinement(folder, (), limits)


class InspectionError(Exception):
    """A file is not what it is said to be; the message says why."""


def inspect(confinement: Confinement, words: Sequence[str]) -> Mapping[str, Any]:
    """Run a command that tells what a file is, and return what it says.

    Raises:
        InspectionError: The file was refused.
    """
    run = _Run(confinement, words, _ignore)
    ended = run.until_end(_never, INSPECTION_SECONDS)
    if ended is not None:
        msg = f"reading it took longer than {INSPECTION_SECONDS:g} s"
        raise InspectionError(msg)
    ending = run.ending(None)
    if ending.result is None:
        raise InspectionError(ending.detail)
    return ending.result


class _Run:
    """A command that runs in a sandbox.

    Args:
        confinement: The folder that it may write to, and its limits.
        words: The command line, without the program.
        tell: Told its progress.
    """

    def __init__(
        self,
        confinement: Confinement,
        words: Sequence[str],
        tell: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.folder = confinement.folder
        self._answer, self._log = self.folder / ".answer", self.folder / ".log"
        with self._answer.open("wb") as answer, self._log.open("wb") as log:
            self.child: Child = start(
                [*PROGRAM, *words],
                confinement,
                stdout=answer,
                stderr=log,
                environment={"NUMBA_CACHE_DIR": str(self.folder / COMPILED)},
            )
        self._progress = Progress(self._log, tell)
        self.status: int | None = None

    def until_end(self, watch: Watch, most_seconds: float) -> Outcome | None:
        """Wait for the end; return why the command was ended, None if it ended by itself."""
        deadline = time.monotonic() + most_seconds
        try:
            while True:
                self.status = self.child.wait(POLL_SECONDS)
                self._progress.read()
                if self.status is not None:
                    return None
                why = Outcome.TIMED_OUT if time.monotonic() > deadline else watch()
                if why is not None:
                    return why
        finally:
            # Also after an orderly end: nothing that it started may outlive it.
            self.child.kill()

    def ending(self, order: Command | None) -> Ending:
        """Return how a command that ended by itself ended."""
        if self.status in _LIMITS:
            outcome, detail = _LIMITS[self.status]
            return Ending(outcome, detail, self.status, None, {"title": "Limit", "detail": detail})
        answer = _read_json(self._answer)
        if self.status == 0 or (answer is not None and "accepted" in answer):
            if answer is None:
                return Ending(Outcome.CRASHED, "the command gave no answer", self.status)
            if order is not None and order.note:
                answer["note"] = order.note
            return Ending(Outcome.ANSWERED, "", self.status, answer)
        error = (answer or {}).get("error")
        error = error if isinstance(error, dict) else {}
        message, kind = _text(error.get("message", "")), _text(error.get("kind", ""))
        message = message.replace(f"{self.folder}/", "")
        if self.status in REFUSED_STATUSES and message:
            problem = {"title": kind, "detail": message}
            return Ending(Outcome.REFUSED, message, self.status, None, problem)
        if kind == "MemoryError":
            problem = {
                "title": "Out of memory",
                "detail": "the job needed more memory than allowed",
            }
            return Ending(Outcome.REFUSED, problem["detail"], self.status, None, problem)
        detail = message or f"the command ended with status {self.status}: {_tail(self._log)}"
        return Ending(Outcome.CRASHED, detail.strip(), self.status)


_LIMITS = {
    -signal.SIGXCPU: (Outcome.TIMED_OUT, "it used more processor time than a job may"),
    -signal.SIGXFSZ: (Outcome.REFUSED, "it wrote more than a job may"),
}
_WORDS = {
    Outcome.CANCELLED: "somebody asked for its end",
    Outcome.TIMED_OUT: "it ran longer than a job may",
    Outcome.RELEASED: "the worker was told to stop",
    Outcome.LOST: "the lease was lost",
}


def _is_plain(path: Path, folder: Path) -> bool:
    """Say whether a path is a file in the folder itself: a job may have left links."""
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return False
    return path.resolve().is_relative_to(folder.resolve())


def _read_json(path: Path) -> dict[str, Any] | None:
    with path.open("rb") as file:
        text = file.read(MOST_ANSWER_BYTES + 1)
    if len(text) > MOST_ANSWER_BYTES:
        return None
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse(constant: str) -> None:
    """Refuse NaN and infinities, which are not JSON and no database takes."""
    msg = f"{constant} is not JSON"
    raise ValueError(msg)


def _text(value: object) -> str:
    """Return what a job said as text that every database takes."""
    text = str(value).encode("utf-8", "replace").decode()
    return text.replace("\x00", "")[:TAIL_BYTES]


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    said = [line for line in lines if not line.startswith("{")]
    return _text(said[-1]) if said else "no message"


def _never() -> Outcome | None:
    return None


def _ignore(data: Mapping[str, Any]) -> None:
    del data
