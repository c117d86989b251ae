# SPDX-License-Identifier: Apache-2.0
"""Files by their content: the SHA-256 of a file is its name.

A file is written to a temporary name, synchronised to disk and then renamed, so under its final
name it is always whole. Writing what is there already changes nothing. Which tenant may read a
file is not known here but in the table ``files``; a file that no table names is swept some time
after it was last written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

from api.database.connection import StorageFullError, UnavailableError
from verifier.errors import VerifierError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path
    from types import TracebackType

CHUNK_BYTES = 1 << 20
GRACE_SECONDS = 24 * 3600.0
NAMED_AT_ONCE = 500


def pass_by(station: str) -> None:
    """Go on: where tests stop a process, everything else passes by."""
    del station


class DamagedError(VerifierError):
    """The content of a file is not what its name says."""


class Writing:
    """A file on its way into the folder. Used in a ``with`` statement."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._hash = hashlib.sha256()
        self._path = blobs.folder / "incoming" / secrets.token_hex(16)
        self._file: IO[bytes] | None = None
        self.bytes = 0

    def __enter__(self) -> Self:
        with storage_errors():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("xb")
        return self

    def write(self, chunk: bytes) -> None:
        """Add a part.

        Raises:
            StorageFullError: There is no room left.
        """
        assert self._file is not None  # noqa: S101 - within the with statement
        with storage_errors():
            self._file.write(chunk)
        self._hash.update(chunk)
        self.bytes += len(chunk)

    def sync(self) -> None:
        """Bring what was written to disk.

        Raises:
            StorageFullError: There is no room left.
        """
        assert self._file is not None  # noqa: S101 - within the with statement
        with storage_errors():
            self._file.flush()
            os.fsync(self._file.fileno())

    @property
    def path(self) -> Path:
        """Where the file lies for now, with all that was written."""
        assert self._file is not None  # noqa: S101 - within the with statement
        with storage_errors():
            self._file.flush()
        return self._path

    @property
    def sha256(self) -> str:
        """SHA-256 of what was written so far, in hexadecimal."""
        return self._hash.hexdigest()

    def keep(self) -> str:
        """Give the file its final name, and return it, the SHA-256 of its content."""
        assert self._file is not None  # noqa: S101 - within the with statement
        self.sync()
        with storage_errors():
            name = self.sha256
            place = self._blobs.path(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            self._blobs.at("before rename")
            self._path.replace(place)
            self._blobs.at("after rename")
            _sync_folder(place.parent)
        return name

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        place: TracebackType | None,
    ) -> None:
        # What was kept is on disk already; what was not is of no use, written or not.
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Blobs:
    """A folder of files by their content.

    Attributes:
        folder: Where they lie.
        at: Told each station on the way of a file, so that tests can stop there.
    """

    folder: Path
    at: Callable[[str], None] = pass_by

    def path(self, sha256: str) -> Path:
        """Return where a file lies."""
        return self.folder / sha256[:2] / sha256

    def there(self, sha256: str) -> Path:
        """Return where a file lies that a row names.

        Raises:
            UnavailableError: It is not there: the folder was not restored, or is not mounted.
        """
        place = self.path(sha256)
        if not place.is_file():
            msg = f"the folder of files lacks {sha256}"
            raise UnavailableError(msg)
        return place

    def writing(self) -> Writing:
        """Begin a new file."""
        return Writing(self)

    def parts(self, sha256: str) -> Iterator[bytes]:
        """Yield the content of a file in parts, of which none counts if it ends in an error.

        Raises:
            DamagedError: What would be said of it would be said of another file.
            UnavailableError: It cannot be read now, or is not there.
        """
        digest = hashlib.sha256()
        with storage_errors(), self.there(sha256).open("rb") as file:
            while part := file.read(CHUNK_BYTES):
                digest.update(part)
                yield part
        if digest.hexdigest() != sha256:
            msg = f"the folder of files: {sha256} is damaged"
            raise DamagedError(msg)

    def check(self) -> None:
        """Check that files can be written.

        Raises:
            StorageFullError: There is no room left.
            UnavailableError: The folder cannot be written to.
        """
        with self.writing() as target:
            target.write(b"ready?")
            target.sync()

    def damaged(self) -> Iterator[str]:
        """Yield the names of files whose content is not what their name says."""
        for place in self._all():
            with place.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != place.name:
                    yield place.name

    def sweep(self, is_named: Callable[[Collection[str]], Collection[str]]) -> int:
        """Remove files that nobody names, and return how many.

        Args:
            is_named: Returns those of some hashes that are named somewhere.
        """
        before = time.time() - GRACE_SECONDS
        old = [place for place in self._all() if place.stat().st_mtime < before]
        swept: list[Path] = []
        for first in range(0, len(old), NAMED_AT_ONCE):
            part = old[first : first + NAMED_AT_ONCE]
            kept = set(is_named([place.name for place in part]))
            swept += [place for place in part if place.name not in kept]
        incoming = [p for p in (self.folder / "incoming").glob("*") if p.stat().st_mtime < before]
        for place in (*swept, *incoming):
            place.unlink(missing_ok=True)
        return len(swept)

    def _all(self) -> Iterator[Path]:
        return (place for place in self.folder.glob("??/*") if place.is_file())


class storage_errors:  # noqa: N801 - used like a function, in a with statement
    """Turns the operating system's errors into ours."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, place: object) -> None:
        if not isinstance(error, OSError):
            return
        msg = f"the folder of files: {error.strerror or error}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFullError(msg) from error
        raise UnavailableError(msg) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename outlast a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
