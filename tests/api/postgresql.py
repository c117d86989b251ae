# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server for tests: a cluster in a temporary folder, on a free port of loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60.0
USERS = ("postgres", "nobody")


@dataclass
class Cluster:
    """A running server.

    Attributes:
        port: Where it listens.
        folder: Its data.
        programs: The folder of its programs.
        process: The server; None while it is stopped.
    """

    port: int
    folder: Path
    programs: Path
    process: subprocess.Popen[bytes] | None = None
    _databases: int = 0

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql+psycopg://mucg4@127.0.0.1:{self.port}/{name}"

    def create_database(self) -> str:
        """Make an empty database and return its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "max_connections": "300",
        }
        words = [str(self.programs / "postgres"), "-D", str(self.folder)]
        words += [f"--{name}={value}" for name, value in settings.items()]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(words, stderr=log, stdout=log, **_as_user())
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._connect().close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop the server, cutting connections off."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(START_SECONDS)
            self.process = None

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="mucg4", dbname="postgres", autocommit=True
        )


def find_programs() -> Path | None:
    """Return the folder of the newest server that is installed."""
    folders = [Path(p).parent for p in [shutil.which("postgres")] if p]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Yield a server that is gone afterwards."""
    programs = find_programs()
    assert programs is not None, "ask find_programs first"
    folder = Path(tempfile.mkdtemp(prefix="mucg4-postgresql-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, _user().pw_uid, _user().pw_gid)
        words = [str(programs / "initdb"), "-D", str(folder), "-U", "mucg4", "--auth=trust"]
        words += ["--encoding=UTF8", "--no-sync", "--locale=C.UTF-8"]
        subprocess.run(words, check=True, capture_output=True, **_as_user())
        cluster = Cluster(_free_port(), folder, programs)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_user() -> dict[str, Any]:
    """Return what makes a program run as an ordinary user: the server refuses to be root."""
    if os.geteuid() != 0:
        return {}
    return {"user": _user().pw_uid, "group": _user().pw_gid, "extra_groups": [], "cwd": "/"}


def _user() -> pwd.struct_passwd:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam(next(name for name in USERS if name in names))


def _version(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
