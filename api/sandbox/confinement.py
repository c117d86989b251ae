# SPDX-License-Identifier: Apache-2.0
"""What a confined program may touch, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CONFINEMENT_FAILED = 125
"""Exit status of a program that was never started: the reason stands on its standard error."""


@dataclass(frozen=True)
class Limits:
    """How much a program may use. All but the last are the kernel's limits of one process.

    ``address_space_bytes`` counts what is reserved, which is several times what is used: every
    thread reserves a stack and an arena, and solvers reserve ahead. ``file_bytes`` is for each
    file, ``folder_bytes`` for all that is in the job's folder, looked at every half second. At
    ``cpu_seconds`` the program is ended by SIGXCPU, at ``folder_bytes`` by SIGXFSZ.
    """

    address_space_bytes: int
    cpu_seconds: int
    file_bytes: int
    open_files: int = 256
    folder_bytes: int = 8 << 30


@dataclass(frozen=True)
class Confinement:
    """The world of one program.

    Attributes:
        folder: The only folder it may write; also its working folder, HOME and TMPDIR.
        readable: Files and folders it may read besides the Python installation and the system's
            libraries. Their names must not be under another job's control.
        limits: How much it may use.
    """

    folder: Path
    readable: tuple[Path, ...]
    limits: Limits
