# SPDX-License-Identifier: Apache-2.0
"""A room on a node of a cluster: what runs there, in a Ray worker process of its own.

The process may be killed at any time: by Ray, when the node is short of memory or when the server's
worker is gone, or with its node. The command dies with it (``api.sandbox``). Its folder, whose lock
nobody holds any more, is removed by the next room on the node.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from api.jobs.room import MOST_FILE_BYTES, FolderRoom, Look
from api.sandbox.folder import remove

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK_SECONDS = 0.25


class Cell(FolderRoom):
    """A room on the node that this process runs on.

    Args:
        memory_bytes: Address space of a command.
    """

    def __init__(self, memory_bytes: int) -> None:
        base = _own_folder()
        with _locked(base):
            for left in base.iterdir():
                _remove_if_left_behind(left)
            folder = Path(tempfile.mkdtemp(dir=base))
            # Held until this process ends.
            self._lock = _lock(folder)
        self._home = folder
        given = os.environ.get("NUMBA_CACHE_DIR")
        super().__init__(folder, memory_bytes, MOST_FILE_BYTES, Path(given) if given else None)

    def look(self, seconds: float = LOOK_SECONDS) -> Look:
        """Wait a little for the end of the command; longer than here, as asking costs more."""
        return super().look(seconds)

    def close(self) -> None:
        """End the command, and remove the folder."""
        self.end()
        remove(self._home)


def _own_folder() -> Path:
    """Return this user's folder for rooms.

    Raises:
        PermissionError: Somebody else has made it.
    """
    base = Path(tempfile.gettempdir()) / f"mucg4-rooms-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    if base.is_symlink() or base.stat().st_uid != os.getuid():
        msg = f"{base} belongs to somebody else"
        raise PermissionError(msg)
    return base


def _remove_if_left_behind(folder: Path) -> None:
    """Remove the folder of a room whose process is gone."""
    try:
        lock = _lock(folder, fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return  # In use, or just removed by its own room.
    with suppress(OSError):
        remove(folder)
    os.close(lock)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = _lock(folder)
    try:
        yield
    finally:
        os.close(lock)


def _lock(folder: Path, more: int = 0) -> int:
    """Return an open folder that nobody else has locked; closing it gives the lock up."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | more)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle
