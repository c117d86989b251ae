# SPDX-License-Identifier: Apache-2.0
"""Try each protection, and print which worked: ``python -m api.sandbox.trial``.

Each is tried in a process of its own, because none can be taken off again, and is taken as working
only where it is seen to deny what it is there for.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from api.sandbox import kernel, landlock, system_call_filter
from api.sandbox.plan import UNCONFINED, Level

if TYPE_CHECKING:
    from collections.abc import Callable


def works(act: Callable[[], bool]) -> bool:
    """Tell whether an act, done in a process of its own, succeeds and is seen to."""
    process = os.fork()
    if process == 0:
        try:
            os._exit(0 if act() else 1)
        except OSError:
            os._exit(1)
    return os.waitpid(process, 0)[1] == 0


def has_no_new_privileges() -> bool:
    """Try to give up privileges."""
    kernel.gain_no_privileges()
    kernel.drop_capabilities()
    return True


def has_landlock() -> bool:
    """Try to give up all files."""
    kernel.gain_no_privileges()
    landlock.restrict(landlock.version(), [])
    try:
        list(Path("/").iterdir())
    except PermissionError:
        return True
    return False


def has_system_call_filter() -> bool:
    """Try to give up sockets."""
    if not system_call_filter.is_written_for_this_machine():
        return False
    kernel.gain_no_privileges()
    system_call_filter.install(system_call_filter.program(platform.machine(), os.getpid()))
    try:
        socket.socket(socket.AF_UNIX).close()
    except PermissionError:
        return True
    return False


def enters(flags: int) -> Callable[[], bool]:
    """Return the act of entering namespaces."""

    def act() -> bool:
        kernel.enter_namespaces(flags)
        return not flags & kernel.NEW_PROCESSES or works(lambda: os.getpid() == 1)

    return act


def adopts_orphans() -> bool:
    """Try to become the parent of orphans, and to find them."""
    kernel.adopt_orphans()
    return Path("/proc/self/stat").exists()


def level() -> Level:
    """Return what works here."""
    if not kernel.ON_LINUX:
        return UNCONFINED
    user = kernel.NEW_USER if works(enters(kernel.NEW_USER)) else 0
    network, ipc, process = (
        works(enters(user | flag))
        for flag in (kernel.NEW_NETWORK, kernel.NEW_IPC, kernel.NEW_PROCESSES)
    )
    return Level(
        landlock=landlock.version() if landlock.version() and works(has_landlock) else 0,
        system_call_filter=works(has_system_call_filter),
        no_new_privileges=works(has_no_new_privileges),
        user_namespace=bool(user) and (network or ipc or process),
        network_namespace=network,
        ipc_namespace=ipc,
        process_namespace=process,
        adopts_orphans=works(adopts_orphans),
    )


if __name__ == "__main__":
    json.dump(asdict(level()), sys.stdout)
