# SPDX-License-Identifier: Apache-2.0
"""Compiles ahead, once, what every job would otherwise compile for itself for some seconds.

A job may write to its own folder only, and starts with a copy of what is compiled here. It is a job
like any other that compiles it: confined, on no stranger's input.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from api.jobs.attempt import InspectionError, inspect
from api.jobs.room import COMPILED, LocalRooms

if TYPE_CHECKING:
    from pathlib import Path

    from api.settings import Settings

MOST_FILE_BYTES = 1 << 28
WORDS = ("warm-up", "--format", "json")

_log = logging.getLogger(__name__)


def warm_up(settings: Settings) -> bool:
    """Compile what is not compiled yet, or not for this version and machine.

    Returns:
        Whether jobs start with compiled loops now; without, they are slower and nothing else.
    """
    rooms = LocalRooms(settings, MOST_FILE_BYTES)
    try:
        with rooms.open_aside("warm-up") as room:
            said = inspect(room, WORDS)
            if said["compiled"]:
                _replace(room.folder / COMPILED, settings.compiled_dir)
    except (InspectionError, OSError) as error:
        _log.warning("jobs start without compiled loops: %s", error)
        return False
    _log.info("compiled %s loops in %s s", said["compiled"], said["seconds"])
    return True


def _replace(new: Path, old: Path) -> None:
    """Put a folder in another's place; a job that copies meanwhile compiles what it misses."""
    aside = new.with_name("before")
    if old.is_dir():
        old.rename(aside)
    new.rename(old)
