# SPDX-License-Identifier: Apache-2.0
"""One attempt at a job: its command in a room, watched until it ends.

The command is the ``mucg4`` program itself, so a job means what the same words mean on the command
line. Its answer is one JSON object on standard output; on standard error it tells progress, a JSON
object a line. Neither is trusted to be short, whole or true: the job may be a stranger's file that
took the process over. What it says is data, and what it leaves is copied by name.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.blobs import pass_by
from api.jobs.answers import VERIFYING, is_answer
from api.jobs.commands import MissingInputError, command, inspection
from api.jobs.inputs import find_inputs, find_subject
from api.jobs.progress import Progress
from api.jobs.queue import Ending, MadeFile
from api.jobs.room import TAIL_BYTES
from api.jobs.said import read_said
from api.jobs.states import Outcome
from api.quota import stored_bytes
from api.schemas import FileKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.blobs import Blobs
    from api.database.connection import Database
    from api.jobs.commands import Output
    from api.jobs.queue import Lease
    from api.jobs.room import Room, Rooms, Said
    from api.settings import Settings

INSPECTION_SECONDS = 120.0
MOST_SUMMARY_BYTES = 1 << 17
REFUSED_STATUSES = (2, 3)

Watch = Callable[[], Outcome | None]
"""Called again and again while a command runs: how to end it, if it is to end."""

Tell = Callable[[Mapping[str, Any]], None]
"""Told the progress of a command."""


@dataclass(frozen=True)
class Workshop:
    """What every attempt works with.

    Attributes:
        settings: Limits.
        database: Where inputs are looked up.
        blobs: Where files come from and go to.
        rooms: Where commands run.
        at: Told each station on the way, so that tests can stop there.
    """

    settings: Settings
    database: Database
    blobs: Blobs
    rooms: Rooms
    at: Callable[[str], None] = pass_by

    def attempt(self, lease: Lease, watch: Watch, tell: Tell) -> Ending:
        """Run a job's command, and return how that ended. Its room is gone afterwards.

        Args:
            lease: The job.
            watch: Says whether to stop.
            tell: Told the progress.

        Raises:
            InspectionError: A file that it made is not what it should be.
            RoomLostError: Its machine is gone, or cannot run it.
        """
        with self.rooms.open(f"{lease.job_id}.{lease.token}") as room:
            try:
                return _Attempt(self, room, watch).run(lease, tell)
            except EndedError as ended:
                return Ending(ended.outcome, _WORDS[ended.outcome])
            except MissingInputError as missing:
                problem = {"title": "A file is not there any more", "detail": str(missing)}
                return Ending(Outcome.REFUSED, str(missing), problem=problem)


class EndedError(Exception):
    """A command was ended, or is not to be started any more.

    Attributes:
        outcome: Why.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(_WORDS[outcome])
        self.outcome = outcome


class InspectionError(Exception):
    """A file is not what it is said to be; the message says why."""


@dataclass(frozen=True)
class _Attempt:
    """An attempt in its room."""

    workshop: Workshop
    room: Room
    watch: Watch

    def run(self, lease: Lease, tell: Tell) -> Ending:
        """Run a job's command, and return how it ended by itself."""
        database, seconds = self.workshop.database, self.workshop.settings.job_seconds
        inputs = database.read(lambda connection: find_inputs(connection, lease))
        order = command(lease.kind, lease.request, inputs)
        if order.outputs and (full := self._why_full(lease.tenant)):
            return Ending(Outcome.REFUSED, full, problem={"title": "No room left", "detail": full})
        while (facts := self.room.facts()) is None:
            _go_on(self.watch)
        for name, sha256 in order.inputs.items():
            for part in self.workshop.blobs.parts(sha256):
                self.room.append(name, part)
                _go_on(self.watch)
        self.workshop.at("before start")
        words = order.words
        if lease.kind in VERIFYING:
            words += ("--isolation", facts.isolation)
        status = _run(self.room, words, seconds, self.watch, tell)
        self.workshop.at("after command")
        ending = _ending(words, status, self.room.said(), facts.folder)
        if ending.outcome != Outcome.ANSWERED:
            return ending
        subject = database.read(lambda c: find_subject(c, lease.tenant, inputs))
        # What the files are about is known, not read in them.
        known = {**subject, "verdict": ending.verdict}
        kept = [self._keep(output, known) for output in order.outputs]
        made = [file for file in kept if file is not None]
        self.workshop.at("after files")
        answer = dict(ending.result or {})
        if order.note:
            answer["note"] = order.note
        return Ending(Outcome.ANSWERED, "", status, answer, None, made)

    def _why_full(self, tenant: str) -> str:
        """Return why a tenant's jobs may leave nothing more; nothing if they may."""
        stored = self.workshop.database.read(lambda connection: stored_bytes(connection, tenant))
        most = self.workshop.settings.tenant_bytes
        return f"{stored} bytes are stored; a tenant may store {most}" if stored >= most else ""

    def _keep(self, output: Output, known: Mapping[str, Any]) -> MadeFile | None:
        """Keep a file that the command has left; None where it has not.

        Raises:
            InspectionError: It is not what it should be, or lacks where there is no answer
                without it.
        """
        if self.room.part(output.file_name, 0) is None:
            if output.is_certain:
                msg = f"there is no {output.file_name}"
                raise InspectionError(msg)
            return None
        summary = known
        with self.workshop.blobs.writing() as writing:
            while part := self.room.part(output.file_name, writing.bytes):
                writing.write(part)
                _go_on(self.watch)
            if output.kind == FileKind.MODEL:
                file = (output.kind, output.file_name, writing.sha256)
                summary = describe(self.room, file, self.watch)
            sha256, size = writing.keep(), writing.bytes
        name, media_type = output.file_name.rpartition("/")[2], output.media_type
        return MadeFile(output.name, name, sha256, size, media_type, output.kind, summary)


def describe(
    room: Room, file: tuple[FileKind, str, str], watch: Watch | None = None
) -> Mapping[str, Any]:
    """Have a file in a room looked at, and return what it is, if it can be told in short.

    Args:
        room: The room.
        file: What it is said to be, its name and its SHA-256.
        watch: Says whether to stop.

    Raises:
        InspectionError: The file was refused, or it is another one.
        EndedError: The watch asked for it.
    """
    kind, name, sha256 = file
    said = inspect(room, inspection(kind, name), watch)
    if said.get("sha256") != sha256:
        msg = f"{name} is not the file that was looked at"
        raise InspectionError(msg)
    summary = dict(said["summary"])
    needed = ("network", "property") if kind == FileKind.PROOF else ()
    if not all(isinstance(summary.get(part), str) for part in needed):
        msg = "what was said of the proof does not say what it is about"
        raise InspectionError(msg)
    # Lists tell it of many files at once.
    size = len(json.dumps(summary))
    if size > MOST_SUMMARY_BYTES:
        msg = f"a description of the file takes {size} bytes; at most {MOST_SUMMARY_BYTES} may"
        raise InspectionError(msg)
    return summary


def inspect(room: Room, words: Sequence[str], watch: Watch | None = None) -> Mapping[str, Any]:
    """Run a command that tells what a file is, and return what it says.

    Raises:
        InspectionError: The file was refused.
        EndedError: The watch asked for it.
    """
    try:
        status = _run(room, words, INSPECTION_SECONDS, watch or _never, _ignore)
    except EndedError as ended:
        if ended.outcome != Outcome.TIMED_OUT:
            raise
        msg = f"reading it took longer than {INSPECTION_SECONDS:g} s"
        raise InspectionError(msg) from ended
    facts = room.facts()
    ending = _ending(words, status, room.said(), "" if facts is None else facts.folder)
    if ending.result is None:
        raise InspectionError(ending.detail)
    return ending.result


def _run(room: Room, words: Sequence[str], seconds: float, watch: Watch, tell: Tell) -> int:
    """Run a command and return its exit status.

    Raises:
        EndedError: It was ended.
    """
    progress = Progress(tell)
    deadline = time.monotonic() + seconds
    room.start(words, seconds)
    try:
        while True:
            look = room.look()
            progress.read(look.log)
            if look.status is not None:
                return look.status
            if time.monotonic() > deadline:
                raise EndedError(Outcome.TIMED_OUT)
            _go_on(watch)
    finally:
        # Also after an orderly end: nothing that it started may outlive it.
        room.end()


def _go_on(watch: Watch) -> None:
    if (outcome := watch()) is not None:
        raise EndedError(outcome)


def _ending(words: Sequence[str], status: int, said: Said, folder: str) -> Ending:
    """Return how a command that ended by itself ended."""
    if status in _LIMITS:
        outcome, detail = _LIMITS[status]
        return Ending(outcome, detail, status, None, {"title": "Limit", "detail": detail})
    answer = None if said.answer is None else read_said(said.answer)
    if answer is not None and is_answer(words, status, answer):
        return Ending(Outcome.ANSWERED, "", status, answer)
    if status == 0:
        return Ending(Outcome.CRASHED, "the command gave no answer", status)
    error = (answer or {}).get("error")
    error = error if isinstance(error, dict) else {}
    message, kind = _text(error.get("message", "")), _text(error.get("kind", ""))
    message = message.replace(f"{folder}/", "")
    if status in REFUSED_STATUSES and message:
        problem = {"title": kind, "detail": message}
        return Ending(Outcome.REFUSED, message, status, None, problem)
    if kind == "MemoryError":
        detail = "the job needed more memory than allowed"
        problem = {"title": "Out of memory", "detail": detail}
        return Ending(Outcome.REFUSED, detail, status, None, problem)
    detail = message or f"the command ended with status {status}: {_last_words(said.tail)}"
    return Ending(Outcome.CRASHED, detail.strip(), status)


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


def _text(value: object) -> str:
    """Return what a job said as text that every database takes."""
    text = str(value).encode("utf-8", "replace").decode()
    return text.replace("\x00", "")[:TAIL_BYTES]


def _last_words(tail: bytes) -> str:
    lines = tail.decode("utf-8", "replace").splitlines()
    said = [line for line in lines if not line.startswith("{")]
    return _text(said[-1]) if said else "no message"


def _never() -> Outcome | None:
    return None


def _ignore(data: Mapping[str, Any]) -> None:
    del data
