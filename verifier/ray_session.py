# SPDX-License-Identifier: Apache-2.0
"""A Ray cluster of this machine alone, that nobody else can use.

Whoever may connect to a Ray cluster may run programs as its user. So one that is started here
listens on loopback only, and only to who knows its token. It reports to nobody.
"""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Set before Ray is loaded. The first keeps it from reporting to its maker. The second has it take a
# loopback address for what it is: it would use the machine's address on the network instead.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}

# What goes through Ray's store of objects is files on their way.
STORE_BYTES = 256 << 20

CONNECT_SECONDS = 30.0


def environment(token: str) -> dict[str, str]:
    """Return what Ray has to be told in the environment about a cluster with a token."""
    return {**QUIET, **LOOPBACK, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}


def start(folder: Path, token: str) -> str:
    """Start a cluster, connect to it, and return its address; ``ray.shutdown`` ends it.

    Args:
        folder: For its sockets and logs; its path has to be short.
        token: What everybody has to know who connects.
    """
    os.environ.update(environment(token))
    import ray

    context = ray.init(
        address="local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.WARNING,
        object_store_memory=STORE_BYTES,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(folder),
    )
    return str(context.address_info["address"])


def refusal(address: str) -> str:
    """Return why nothing listens at ``HOST:PORT``, nothing if something does.

    To be asked first: Ray itself waits many minutes for a cluster that is not there.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def connect(address: str) -> None:
    """Connect this process to a cluster.

    Raises:
        ConnectionError: It cannot be reached.
    """
    if reason := refusal(address):
        raise ConnectionError(reason)
    os.environ.update(QUIET)
    import ray

    ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
