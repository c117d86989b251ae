# SPDX-License-Identifier: Apache-2.0
"""Rooms: where the commands of a job run, here or on another machine.

A room is an empty folder that files are put into, in which one confined command after the other
runs, and out of which files are taken. Whoever runs a job asks it for everything in small steps and
never waits long for an answer: in between it renews its claim, and looks whether the job is to end.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

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
        """Return what the command said, once it was ended."""

    def part(self, file_name: str, offset: int) -> bytes | None:
        """Return some of a file, nothing at its end; None if there is no such plain file."""


class Rooms(Protocol):
    """Makes rooms: what an executor is."""

    def open(self, name: str) -> AbstractContextManager[Room]:
        """Return a room that is gone, and its command with it, when the context ends."""


class FolderRoom:
    """A room on this machine, in ``folder``.

    Args:
        folder: Where; it exists.
        memory_bytes: Address space of a command.
        file_bytes: The longest file that a command may write.
        compiled: A folder of loops that are compiled already, if there is one.
    """

    def __init__(
        self, folder: Path, memory_bytes: int, file_bytes: int, compiled: Path | None = None
    ) -> None:
        self.folder = folder
        self._memory_bytes = memory_bytes
        self._file_bytes = file_bytes
        self._child: Child | None = None
        self._output: _Output | None = None
        self._said = Said(None, b"")
        if compiled is not None and compiled.is_dir():
            # What is replaced meanwhile is missed, and compiled again.
            with suppress(OSError, shutil.Error):
                shutil.copytree(compiled, folder / COMPILED)

    def facts(self) -> Facts:
        """Return what the room is like."""
        return Facts(measure_level().summary, str(self.folder), version())

    def copy(self, source: Path, file_name: str) -> None:
        """Copy a file of this machine into it."""
        shutil.copyfile(source, self.folder / file_name)

    def append(self, file_name: str, part: bytes) -> None:
        """Add to a file."""
        with (self.folder / file_name).open("ab") as file:
            file.write(part)

    def start(self, words: Sequence[str], seconds: float) -> None:
        """Start a command, and allow it so much processor time."""
        limits = Limits(self._memory_bytes, int(seconds) + 1, self._file_bytes)
        self.end()
        self._output = _Output(self.folder)
        self._child = start(
            [*PROGRAM, *words],
            Confinement(self.folder, (), limits),
            stdout=self._output.answer,
            stderr=self._output.log,
            environment={"NUMBA_CACHE_DIR": str(self.folder / COMPILED)},
        )

    def look(self, seconds: float = POLL_SECONDS) -> Look:
        """Wait a little for the end of the command."""
        assert self._child is not None  # noqa: S101 - started before
        assert self._output is not None  # noqa: S101 - and not ended
        status = self._child.wait(seconds)
        return Look(status, self._output.news())

    def end(self) -> None:
        """End the command and all that it started; they are gone when this returns."""
        if self._child is not None:
            self._child.kill()
        if self._output is not None:
            self._said = self._output.close()
            self._output = None

    def said(self) -> Said:
        """Return what the command said, once it was ended."""
        return self._said

    def part(self, file_name: str, offset: int) -> bytes | None:
        """Return some of a file, nothing at its end; None if there is no such plain file."""
        path = self.folder / file_name
        if not _is_plain(path, self.folder):
            return None
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(PART_BYTES)


class _Output:
    """What a command writes to standard output and standard error.

    The files lie in the command's folder, where they count as its own, but have no name there. A
    command may put a link in the place of any file that has one; whoever opened it then, outside
    of all confinement, would read or overwrite what the link names.
    """

    def __init__(self, folder: Path) -> None:
        # Closed by ``close``, when the command has ended.
        self.answer: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.log: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._read_bytes = 0

    def news(self) -> bytes:
        """Return what is new in the log."""
        new = _read(self.log, self._read_bytes, MOST_READ_BYTES)
        self._read_bytes += len(new)
        return new

    def close(self) -> Said:
        """Return what the command said; the files are gone then."""
        with self.answer, self.log:
            answer = _read(self.answer, 0, MOST_ANSWER_BYTES + 1)
            size = os.fstat(self.log.fileno()).st_size
            tail = _read(self.log, max(0, size - TAIL_BYTES), TAIL_BYTES)
        return Said(answer if len(answer) <= MOST_ANSWER_BYTES else None, tail)


def _read(file: IO[bytes], offset: int, most: int) -> bytes:
    """Read from a file whose position belongs to the command that writes it."""
    return os.pread(file.fileno(), most, offset)


@dataclass(frozen=True)
class LocalRooms:
    """Makes rooms on this machine, in the server's own folder.

    Attributes:
        settings: Where, and how much a job may use.
        file_bytes: The longest file that a command may write.
    """

    settings: Settings
    file_bytes: int = MOST_FILE_BYTES

    @contextmanager
    def open(self, name: str) -> Iterator[FolderRoom]:
        """Return a room that is gone, and its command with it, when the context ends."""
        folder = self.settings.job_dir / name
        folder.mkdir(parents=True)
        try:
            memory_bytes, compiled = self.settings.job_memory_bytes, self.settings.compiled_dir
            room = FolderRoom(folder, memory_bytes, self.file_bytes, compiled)
            try:
                yield room
            finally:
                room.end()
        finally:
            remove(folder)

    def open_aside(self, what_for: str) -> AbstractContextManager[FolderRoom]:
        """Return a room for a command that is no job's, beside those of jobs."""
        return self.open(f"{what_for}-{secrets.token_hex(8)}")


def _is_plain(path: Path, folder: Path) -> bool:
    """Say whether a path is a file in the folder itself: a job may have left links."""
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return False
    return path.resolve().is_relative_to(folder.resolve())
