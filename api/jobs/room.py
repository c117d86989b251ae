# SPDX-License-Identifier: Apache-2.0
"""Rooms: where the commands of a job run, here or on another machine.

A room is an empty folder that files are put into, in which one confined command after the other
runs, and out of which files are taken. Whoever runs a job asks it for everything in small steps and
never waits long for an answer: in between it renews its claim, and looks whether the job is to end.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from api.sandbox.child import start
from api.sandbox.confinement import Confinement, Limits
from api.sandbox.folder import remove
from api.sandbox.level import measure_level
from verifier.version import version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from api.sandbox.child import Child
    from api.settings import Settings

PROGRAM = (sys.executable, "-P", "-m", "verifier.cli.main")
COMPILED = "compiled"
"""The folder, in a room, of compiled loops."""

POLL_SECONDS = 0.05
MOST_ANSWER_BYTES = 8 << 20
MOST_FILE_BYTES = 4 << 30
MOST_READ_BYTES = 1 << 20
PART_BYTES = 4 << 20
TAIL_BYTES = 4000


@dataclass(frozen=True)
class Facts:
    """What there is to know about a room.

    Attributes:
        isolation: How well commands are confined in it, in words; recorded in certificates.
        folder: Where it is, on its machine.
        version: Of the ``mucg4`` that runs in it.
    """

    isolation: str
    folder: str
    version: str


@dataclass(frozen=True)
class Look:
    """How a command is getting on.

    Attributes:
        status: Its exit status, negative for a signal; None while it runs.
        log: What it wrote to standard error since the last look.
    """

    status: int | None
    log: bytes


@dataclass(frozen=True)
class Said:
    """What a command said.

    Attributes:
        answer: Its standard output; None if it is longer than any answer may be.
        tail: The end of its standard error.
    """

    answer: bytes | None
    tail: bytes


class RoomLostError(Exception):
    """A room is gone, with all in it, or cannot be used; the message says why."""


class Room(Protocol):
    """A room; any call may raise ``RoomLostError``. ``facts`` comes first."""

    def facts(self) -> Facts | None:
        """Return what it is like; None as long as no machine has a place for it."""

    def append(self, file_name: str, part: bytes) -> None:
        """Add to a file."""

    def start(self, words: Sequence[str], seconds: float) -> None:
        """Start a command, and allow it so much processor time."""

    def look(self) -> Look:
        """Wait a little for the end of the command."""

    def end(self) -> None:
        """End the command and all that it started; they are gone when this returns."""

    def said(self) -> Said:
        """Return what the command said."""

    def part(self, file_name: str, offset: int) -> bytes | None:
        """Return some of a file, nothing at its end; None if there is no such plain file."""


class Rooms(Protocol):
    """Makes rooms: what an executor is."""

    def open(self, name: str) -> AbstractContextManager[Room]:
        """Return a room that is gone, and its command with it, when the context ends."""


class FolderRoom:
    """A room on this machine.

    Args:
        folder: Where; it exists.
        memory_bytes: Address space of a command.
        file_bytes: The longest file that a command may write.
        compiled: A folder of loops that are compiled already, if there is one.
    """

    def __init__(
        self, folder: Path, memory_bytes: int, file_bytes: int, compiled: Path | None = None
    ) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._file_bytes = file_bytes
        self._answer, self._log = folder / ".answer", folder / ".log"
        self._child: Child | None = None
        self._read_bytes = 0
        if compiled is not None and compiled.is_dir():
            # What is replaced meanwhile is missed, and compiled again.
            with suppress(OSError, shutil.Error):
                shutil.copytree(compiled, folder / COMPILED)

    def facts(self) -> Facts:
        """Return what the room is like."""
        return Facts(measure_level().summary, str(self._folder), version())

    def append(self, file_name: str, part: bytes) -> None:
        """Add to a file."""
        with (self._folder / file_name).open("ab") as file:
            file.write(part)

    def start(self, words: Sequence[str], seconds: float) -> None:
        """Start a command, and allow it so much processor time."""
        limits = Limits(self._memory_bytes, int(seconds) + 1, self._file_bytes)
        self._read_bytes = 0
        with self._answer.open("wb") as answer, self._log.open("wb") as log:
            self._child = start(
                [*PROGRAM, *words],
                Confinement(self._folder, (), limits),
                stdout=answer,
                stderr=log,
                environment={"NUMBA_CACHE_DIR": str(self._folder / COMPILED)},
            )

    def look(self, seconds: float = POLL_SECONDS) -> Look:
        """Wait a little for the end of the command."""
        assert self._child is not None  # noqa: S101 - started before
        status = self._child.wait(seconds)
        with self._log.open("rb") as file:
            file.seek(self._read_bytes)
            new = file.read(MOST_READ_BYTES)
        self._read_bytes += len(new)
        return Look(status, new)

    def end(self) -> None:
        """End the command and all that it started; they are gone when this returns."""
        if self._child is not None:
            self._child.kill()

    def said(self) -> Said:
        """Return what the command said."""
        with self._answer.open("rb") as file:
            answer = file.read(MOST_ANSWER_BYTES + 1)
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - TAIL_BYTES))
            tail = file.read()
        return Said(answer if len(answer) <= MOST_ANSWER_BYTES else None, tail)

    def part(self, file_name: str, offset: int) -> bytes | None:
        """Return some of a file, nothing at its end; None if there is no such plain file."""
        path = self._folder / file_name
        if not _is_plain(path, self._folder):
            return None
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(PART_BYTES)


@dataclass(frozen=True)
class LocalRooms:
    """Makes rooms on this machine, in the server's own folder.

    Attributes:
        settings: Where, and how much a job may use.
    """

    settings: Settings

    @contextmanager
    def open(self, name: str) -> Iterator[Room]:
        """Return a room that is gone, and its command with it, when the context ends."""
        folder = self.settings.job_dir / name
        folder.mkdir(parents=True)
        try:
            memory_bytes, compiled = self.settings.job_memory_bytes, self.settings.compiled_dir
            room = FolderRoom(folder, memory_bytes, MOST_FILE_BYTES, compiled)
            try:
                yield room
            finally:
                room.end()
        finally:
            remove(folder)


def _is_plain(path: Path, folder: Path) -> bool:
    """Say whether a path is a file in the folder itself: a job may have left links."""
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return False
    return path.resolve().is_relative_to(folder.resolve())
