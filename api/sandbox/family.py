# SPDX-License-Identifier: Apache-2.0
"""End a process with all its descendants, where no process namespace does it.

The caller has made itself the parent of all orphans below it (``adopt_orphans``), so that a
descendant cannot leave: whoever calls ``setsid`` or loses its parent is still found below the
caller. Descendants may be faster in starting new ones than we are in looking; so all that are found
are stopped before any is ended, until a look finds none that runs.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

# A family that still grows then is left to the kernel, by the parent-death signal of its head.
PATIENCE_SECONDS = 1.0


def end_descendants() -> None:
    """Kill every process below this one and collect their exit statuses."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _has_children() and time.monotonic() < deadline:
        stopped: set[int] = set()
        while fresh := descendants() - stopped:
            _signal(fresh, signal.SIGSTOP)
            stopped |= fresh
        _signal(stopped, signal.SIGKILL)
        time.sleep(0.002)


def _has_children() -> bool:
    """Collect all that have ended, and tell whether others are left."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return False
    return True


def _signal(processes: set[int], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue


def descendants() -> set[int]:
    """Return all processes below this one that have not ended, from the system's process table."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)):
            children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    heads = [os.getpid()]
    while heads:
        below = children.get(heads.pop(), [])
        found.update(below)
        heads += below
    return found


def _parent(process: Path) -> int | None:
    """Return the parent of a process; None for one that has ended."""
    try:
        text = (process / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in parentheses and may itself hold any character.
    state, parent = text.rpartition(")")[2].split()[:2]
    return None if state in "ZX" else int(parent)
