# SPDX-License-Identifier: Apache-2.0
"""The server's own Ray cluster, of this machine alone: ``python -m api.cluster.own``.

Started by the server with the settings on standard input, which then stays open as a lifeline: the
cluster ends when it closes, whatever ends the server. It listens on loopback only, and only to who
knows its token, because whoever may connect to Ray may run programs as its user.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from api.cluster.connection import Door
from api.settings import Settings
from verifier import ray_session


def main() -> None:
    """Run a cluster until the server is gone, or asks for the end."""
    settings = Settings.from_json(sys.stdin.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    settings.ray_door.unlink(missing_ok=True)  # Of one that was killed.
    token = secrets.token_hex(32)
    os.environ["NUMBA_CACHE_DIR"] = str(settings.compiled_dir)
    # Not in the data folder: the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="mucg4-ray-", ignore_cleanup_errors=True) as folder:
        address = ray_session.start(Path(folder), token)
        import ray

        signal.signal(signal.SIGTERM, _leave)  # Ray has put its own in the place of it.
        try:
            Door(address, token).write(settings.ray_door)
            sys.stdin.read()
        finally:
            settings.ray_door.unlink(missing_ok=True)
            ray.shutdown()


def _leave(number: int, frame: object) -> None:
    del number, frame
    sys.exit(0)


if __name__ == "__main__":
    main()
