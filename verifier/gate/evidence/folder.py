# SPDX-License-Identifier: Apache-2.0
"""Reads a folder that somebody else has made: no links, nothing special, nothing without end."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from verifier.errors import CorruptFileError, UsageError
from verifier.gate.evidence.index import Listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

MOST_FILES = 200_000
MOST_DEPTH = 8
_PIECE = 1 << 20


def files_in(folder: Path) -> set[str]:
    """Return the paths of all files, relative to a folder, and of folders that are empty.

    Raises:
        UsageError: The folder cannot be read.
        CorruptFileError: There is a link in it, something special, or too much.
    """
    found: set[str] = set()
    for path in _walk(folder, "", 0):
        found.add(path)
        if len(found) > MOST_FILES:
            msg = f"more than {MOST_FILES} files"
            raise CorruptFileError(msg)
    return found


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[str]:
    if depth > MOST_DEPTH:
        msg = f"{prefix!r}: folders in folders, more than {MOST_DEPTH}"
        raise CorruptFileError(msg)
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        msg = f"{folder}: cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    if prefix and not found:
        yield prefix
    for entry in found:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name, f"{path}/", depth + 1)
        elif entry.is_file(follow_symlinks=False):
            yield path
        else:
            msg = f"{path!r}: a link, or no plain file"
            raise CorruptFileError(msg)


def read_file(folder: Path, path: str, most_bytes: int) -> bytes:
    """Return the content of a file.

    Raises:
        CorruptFileError: It is missing, no plain file, or too long.
    """
    with _opened(folder, path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        msg = f"{path!r}: longer than {most_bytes} bytes"
        raise CorruptFileError(msg)
    return content


def read_listed(folder: Path, path: str, listed: Listed) -> bytes:
    """Return the content of a file, which has to be the one that is listed.

    Raises:
        CorruptFileError: It is not.
    """
    content = read_file(folder, path, listed.size)
    if Listed.of(content) != listed:
        raise _changed(path)
    return content


def check_listed(folder: Path, path: str, listed: Listed) -> None:
    """Check that a file is the one that is listed, piece by piece.

    Raises:
        CorruptFileError: It is not.
    """
    digest, size = hashlib.sha256(), 0
    with _opened(folder, path) as file:
        while size <= listed.size and (piece := file.read(_PIECE)):
            digest.update(piece)
            size += len(piece)
    if Listed(digest.hexdigest(), size) != listed:
        raise _changed(path)


def _changed(path: str) -> CorruptFileError:
    return CorruptFileError(f"{path!r}: is not the file that was signed")


def _opened(folder: Path, path: str) -> BinaryIO:
    """Open a plain file; a link or a pipe that has taken its place since is not followed."""
    try:
        number = os.open(folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        if stat.S_ISREG(os.fstat(number).st_mode):
            return os.fdopen(number, "rb")
        os.close(number)
    except OSError as error:
        msg = f"{path!r}: cannot be read: {error.strerror}"
        raise CorruptFileError(msg) from error
    msg = f"{path!r}: no plain file"
    raise CorruptFileError(msg)
