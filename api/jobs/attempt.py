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
from api.jobs.commands import command, inspection
from api.jobs.inputs import find_inputs, find_subject
from api.jobs.progress import Progress
from api.jobs.queue import Ending, MadeFile
from api.jobs.room import TAIL_BYTES
from api.jobs.states import Outcome
from api.schemas import FileKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.blobs import Blobs
    from api.database.connection import Database
    from api.jobs.commands import Command, Output
    from api.jobs.queue import Lease
    from api.jobs.room import Room, Rooms, Said
    from api.settings import Settings

INSPECTION_SECONDS = 120.0
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
        while (facts := self.room.facts()) is None:
            _go_on(self.watch)
        for name, sha256 in order.inputs.items():
            for part in self.workshop.blobs.parts(sha256):
                self.room.append(name, part)
                _go_on(self.watch)
        self.workshop.at("before start")
        words = order.words
        if lease.kind in ("prove", "reverify"):
            words += ("--isolation", facts.isolation)
        status = _run(self.room, words, seconds, self.watch, tell)
        self.workshop.at("after command")
        ending = _ending(status, self.room.said(), order, facts.folder)
        if ending.outcome != Outcome.ANSWERED:
            return ending
        subject = database.read(lambda c: find_subject(c, lease.tenant, inputs))
        # What the files are about is known, not read in them.
        known = {**subject, "verdict": ending.verdict}
        kept = [self._keep(output, known) for output in order.outputs]
        made = [file for file in kept if file is not None]
        self.workshop.at("after files")
        return Ending(Outcome.ANSWERED, "", status, ending.result, None, made)

    def _keep(self, output: Output, known: Mapping[str, Any]) -> MadeFile | None:
        """Keep a file that the command has left; None where it has not."""
        if self.room.part(output.file_name, 0) is None:
            return None
        summary = known
        if output.kind == FileKind.MODEL:
            words = inspection(FileKind.MODEL, output.file_name)
            summary = dict(inspect(self.room, words, self.watch)["summary"])
        with self.workshop.blobs.writing() as writing:
            while part := self.room.part(output.file_name, writing.bytes):
                writing.write(part)
                _go_on(self.watch)
            sha256, size = writing.keep(), writing.bytes
        name, media_type = output.file_name.rpartition("/")[2], output.media_type
        return MadeFile(output.name, name, sha256, size, media_type, output.kind, summary)


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
    ending = _ending(status, room.said(), None, "" if facts is None else facts.folder)
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


def _ending(status: int, said: Said, order: Command | None, folder: str) -> Ending:
    """Return how a command that ended by itself ended."""
    if status in _LIMITS:
        outcome, detail = _LIMITS[status]
        return Ending(outcome, detail, status, None, {"title": "Limit", "detail": detail})
    answer = _read_json(said.answer)
    if status == 0 or (answer is not None and "accepted" in answer):
        if answer is None:
            return Ending(Outcome.CRASHED, "the command gave no answer", status)
        if order is not None and order.note:
            answer["note"] = order.note
        return Ending(Outcome.ANSWERED, "", status, answer)
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


def _read_json(text: bytes | None) -> dict[str, Any] | None:
    if text is None:
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


def _last_words(tail: bytes) -> str:
    lines = tail.decode("utf-8", "replace").splitlines()
    said = [line for line in lines if not line.startswith("{")]
    return _text(said[-1]) if said else "no message"


def _never() -> Outcome | None:
    return None


def _ignore(data: Mapping[str, Any]) -> None:
    del data
