# SPDX-License-Identifier: Apache-2.0
"""A folder that a stranger's program writes into: how much it takes up, and how to be rid of it.

The kernel limits the size of each file, not of a folder, so the supervisor looks. What is counted
belongs to a program that may try to hide it: files that were deleted and are still open are found
through the processes that hold them, and a folder that cannot be looked into is an error.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BLOCK_BYTES = 512
"""The unit of ``st_blocks``, whatever the file system's own is."""

ENTRY_BYTES = 4096
"""What an empty file is counted as: it takes a name and an inode."""


def used_bytes(folder: Path, processes: Iterable[int]) -> int:
    """Return what lies in a folder, and what some processes hold open though it is deleted.

    Raises:
        OSError: A part of the folder cannot be looked into.
    """
    total, folders = 0, [str(folder)]
    while folders:
        with suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                total += _size(entry)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return total + sum(_deleted_bytes(process) for process in processes)


def _size(entry: os.DirEntry[str]) -> int:
    with suppress(FileNotFoundError):
        return max(entry.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES, ENTRY_BYTES)
    return 0


def _deleted_bytes(process: int) -> int:
    """Return the size of the open files of a process that have no name any more."""
    total = 0
    # The process may end, and close files, at any time.
    with suppress(FileNotFoundError, ProcessLookupError):
        for number in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):
                status = number.stat()
                total += 0 if status.st_nlink else status.st_blocks * BLOCK_BYTES
    return total


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, once its program has ended.

    ``shutil.rmtree`` fails on folders in folders, a thousand deep, and on folders that allow
    nothing to their owner. Here each folder is first moved to the top, so that no path gets long.

    Raises:
        OSError: The file system refuses.
    """
    top = str(folder)
    waiting = _emptied(top, top)
    while waiting:
        place = waiting.pop()
        waiting += _emptied(place, top)
        Path(place).rmdir()
    folder.rmdir()


def _emptied(place: str, top: str) -> list[str]:
    """Delete a folder's files and move its folders to the top; return where they are now."""
    Path(place).chmod(0o700)
    moved = []
    with os.scandir(place) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            # A folder can only change its parent if it may be written itself.
            Path(entry.path).chmod(0o700)
            moved.append(f"{top}/{token_hex(16)}")
            Path(entry.path).rename(moved[-1])
        else:
            Path(entry.path).unlink()
    return moved
