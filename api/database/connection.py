# SPDX-License-Identifier: Apache-2.0
"""A database, SQLite or PostgreSQL, and how to read from it and write to it.

On SQLite a transaction that writes takes the write lock when it begins: one that begins as a
reader cannot wait for the lock later and would fail at once. On PostgreSQL rows are locked one by
one, so two transactions can wait for each other; the server ends one of them, which is then run
again.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import (
    TimeoutError as NoConnectionError,
)

from verifier.errors import UsageError, VerifierError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL, Connection, Engine

T = TypeVar("T")

BUSY_SECONDS = 5.0
# One for every thread that answers requests (anyio has 40), and some for others: readers must not
# wait for writers that wait for a lock.
MOST_CONNECTIONS = 45
# A file's are kept open; of a server's only these: others may need it, too.
KEPT_CONNECTIONS = 10
DEADLOCK_TRIES = 5
_DEADLOCKS = {"40P01", "40001"}
_WRITES = "mucg4_writes"


class UnavailableError(VerifierError):
    """The database cannot be reached or is locked; the same may work later."""


class StorageFullError(VerifierError):
    """There is no room left for what was to be written."""


class Database:
    """A database by its URL.

    Raises:
        UsageError: The URL is not one, or names a database that is not supported.
    """

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS) -> None:
        self.url = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url, busy_seconds) if self.is_sqlite else _postgresql(self.url)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what a function reads in a transaction.

        Raises:
            UnavailableError: The database cannot be reached or is locked.
        """
        with _translated(), self.engine.connect() as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a function in a transaction and return what it returns, once it is on disk.

        The function may be run several times and must have no effect but on the database.

        Raises:
            UnavailableError: The database cannot be reached or is locked.
            StorageFullError: There is no room left.
        """
        for tries_left in reversed(range(DEADLOCK_TRIES)):
            try:
                with _translated():
                    return self._write_once(work)
            except _DeadlockError:
                if not tries_left:
                    raise
        raise AssertionError

    def _write_once(self, work: Callable[[Connection], T]) -> T:
        engine = self.engine.execution_options(**{_WRITES: True})
        with engine.begin() as connection:
            return work(connection)

    def check(self) -> None:
        """Check that the database answers.

        Raises:
            UnavailableError: It does not.
        """
        self.read(lambda connection: connection.execute(text("SELECT 1")).all())

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


class _DeadlockError(UnavailableError):
    """Two transactions waited for each other, and this one was ended."""


class _translated:  # noqa: N801 - used like a function, in a with statement
    """Turns the driver's errors into ours."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, place: object) -> None:
        if isinstance(error, NoConnectionError):
            msg = "the database is busy: all connections are in use"
            raise UnavailableError(msg) from error
        if not isinstance(error, DBAPIError):
            return
        message = str(error.orig).strip().splitlines()[0] if str(error.orig) else str(error)
        state = getattr(error.orig, "sqlstate", None)
        name = getattr(error.orig, "sqlite_errorname", "")
        if state in _DEADLOCKS:
            raise _DeadlockError(message) from error
        if name == "SQLITE_FULL" or state == "53100":
            raise StorageFullError(message) from error
        if isinstance(error, OperationalError) or error.connection_invalidated:
            msg = f"the database does not answer: {message}"
            raise UnavailableError(msg) from error


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        msg = f"not a database URL: {error}"
        raise UsageError(msg) from error
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        msg = (
            f"database URL of kind {parsed.drivername!r} is not supported; "
            "supported: sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME"
        )
        raise UsageError(msg)
    return parsed


def _sqlite(url: URL, busy_seconds: float) -> Engine:
    if not url.database or url.database == ":memory:":
        msg = "a server's database is shared between processes: give sqlite:///FILE a file"
        raise UsageError(msg)
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        pool_size=MOST_CONNECTIONS,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        del record
        # The driver would begin transactions on its own, late and as a reader.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_size=KEPT_CONNECTIONS,
            max_overflow=MOST_CONNECTIONS - KEPT_CONNECTIONS,
            pool_timeout=BUSY_SECONDS,
            connect_args={
                "connect_timeout": int(BUSY_SECONDS),
                "options": f"-c lock_timeout={int(BUSY_SECONDS)}s",
            },
        )
    except (ImportError, NoSuchModuleError) as error:
        msg = f"PostgreSQL needs the extra 'postgresql': pip install 'mucg4[postgresql]' ({error})"
        raise UsageError(msg) from error


def now() -> float:
    """Return the time, in seconds since 1970."""
    return time.time()
