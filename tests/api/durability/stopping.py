# SPDX-License-Identifier: Apache-2.0
"""Programs that end, without a chance to do anything, at a station that is named.

``python -m tests.api.durability.stopping worker STATION`` with settings on standard input is a
worker; ``... upload STATION FILE`` keeps a file as the server does.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from api.access.caller import Caller
from api.blobs import Blobs
from api.database.connection import Database
from api.files import Upload, keep_upload
from api.jobs.worker import main as work
from api.schemas import FileKind, Scope
from api.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable


def upload(settings: Settings, station: str, source: Path) -> None:
    """Keep a file, or end on the way."""
    caller = Caller("one", "0123456789ab", frozenset(Scope))
    blobs = Blobs(settings.blob_dir, stop_at(station))
    with blobs.writing() as writing:
        writing.write(source.read_bytes())
        stop_at(station)("written")
        keep_upload(
            Database(settings.url),
            Upload(caller, FileKind.MODEL, source.name),
            writing,
            {"fingerprint": "f"},
        )
    stop_at(station)("kept")


def stop_at(wanted: str) -> Callable[[str], None]:
    """Return what ends this process at a station."""

    def at(station: str) -> None:
        if station == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    return at


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        work(stop_at(sys.argv[2]))
    else:
        upload(Settings.from_json(sys.stdin.readline()), sys.argv[2], Path(sys.argv[3]))
