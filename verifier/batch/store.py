# SPDX-License-Identifier: Apache-2.0
"""Outcomes on disk, by the digest of the task: what has one is not done again.

An outcome is there as a whole or not at all, whenever the process or the machine ends (SQLite, one
transaction, synchronous). An outcome with an error is not kept: its cause may have gone.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from verifier.batch.task import Outcome
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "outcomes.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS outcomes (digest TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS files (
    digest TEXT NOT NULL REFERENCES outcomes, name TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (digest, name)
) STRICT;
"""


class Store:
    """Outcomes in a folder. Use ``opened``; for one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, digest: str) -> Outcome | None:
        """Return the outcome of a task, if there is one.

        Raises:
            UsageError: It cannot be read.
        """
        query = "SELECT document FROM outcomes WHERE digest = ?"
        row = self._connection.execute(query, (digest,)).fetchone()
        if row is None:
            return None
        files = self._connection.execute(
            "SELECT name, content FROM files WHERE digest = ?", (digest,)
        )
        return Outcome(_document(row[0]), dict(files.fetchall()))

    def put(self, digest: str, outcome: Outcome) -> None:
        """Keep an outcome in place of an earlier one; it is on disk when this returns."""
        document = json.dumps(dict(outcome.document), sort_keys=True)
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?)", (digest, document)
            )
            # An earlier outcome may have made files that this one has not.
            self._connection.execute("DELETE FROM files WHERE digest = ?", (digest,))
            self._connection.executemany(
                "INSERT INTO files VALUES (?, ?, ?)",
                [(digest, name, content) for name, content in outcome.files.items()],
            )


def _document(text: object) -> dict[str, Any]:
    """Return the document of an outcome as it was kept."""
    try:
        document = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        msg = f"{FILE} has an outcome that cannot be read; remove it and what lies beside it"
        raise UsageError(msg)
    return document


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """Yield the outcomes in a folder, which nobody else has open meanwhile.

    Raises:
        UsageError: The folder cannot be used, somebody uses it, or it has something else in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("wb")
    except OSError as error:
        msg = f"{folder}: cannot be used: {error.strerror}"
        raise UsageError(msg) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = f"{folder}: another run works in it"
            raise UsageError(msg) from error
        with suppress(OSError):
            # What is kept for the next run is no part of anybody's repository.
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        try:
            with closing(_connected(folder / FILE)) as connection:
                yield Store(connection)
        except sqlite3.Error as error:
            msg = f"{folder / FILE}: {error}"
            raise UsageError(msg) from error


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(_TABLES)
    return connection
