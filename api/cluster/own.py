# SPDX-License-Identifier: Apache-2.0
"""The server's own Ray cluster, of this machine alone: ``python -m api.cluster.own``.

Started by the server with the settings on standard input, which then stays open as a lifeline: the
cluster ends when it closes, whatever ends the server. It listens on loopback only, and only to who
knows its token, because whoever may connect to Ray may run programs as its user.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import tempfile

from api.cluster.connection import QUIET, Door
from api.settings import Settings

# What goes through Ray's store of objects is parts of files on their way, a few at a time.
STORE_BYTES = 256 << 20


def main() -> None:
    """Run a cluster until the server is gone, or asks for the end."""
    settings = Settings.from_json(sys.stdin.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    settings.ray_door.unlink(missing_ok=True)  # Of one that was killed.
    token = secrets.token_hex(32)
    os.environ.update({**QUIET, **Door("", token).environment})
    os.environ["NUMBA_CACHE_DIR"] = str(settings.compiled_dir)
    # Not in the data folder: the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="mucg4-ray-", ignore_cleanup_errors=True) as folder:
        import ray

        context = ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.WARNING,
            object_store_memory=STORE_BYTES,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        signal.signal(signal.SIGTERM, _leave)  # Ray has put its own in the place of it.
        try:
            Door(context.address_info["address"], token).write(settings.ray_door)
            sys.stdin.read()
        finally:
            settings.ray_door.unlink(missing_ok=True)
            ray.shutdown()


def _leave(number: int, frame: object) -> None:
    del number, frame
    sys.exit(0)


if __name__ == "__main__":
    main()
