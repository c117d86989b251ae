# SPDX-License-Identifier: Apache-2.0
"""Start a program so confined that it can be trusted with a stranger's file.

    child = start([sys.executable, "-P", "-m", ...], confinement, stdout=..., stderr=...)
    status = child.wait(60.0)
    child.kill()

What confines it: ``supervisor`` for the order of things, ADR-0004 for the reasons.
"""

from __future__ import annotations

import shutil
import subprocess
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

from api.sandbox.installation import installation
from api.sandbox.launch import launch
from api.sandbox.level import measure_level
from api.sandbox.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from api.sandbox.confinement import Confinement
    from api.sandbox.launch import Launched
    from api.sandbox.level import Level

SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"

# The supervisor needs a few milliseconds to end a family; past this it is ended itself, and the
# kernel ends the rest. Together with it, ``kill`` returns within two seconds.
SECONDS_TO_END_A_FAMILY = 1.5


class Child:
    """A confined program that has been started. Use it from one thread at a time.

    Keep it as long as the program is to run: when nothing refers to it any more, the program ends.
    """

    def __init__(self, launched: Launched) -> None:
        self._launched = launched

    @property
    def pid(self) -> int:
        """The process to which the program's whole family belongs."""
        return self._launched.supervisor.pid

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while the program runs."""
        status = self._launched.supervisor.poll()
        if status is not None:
            self._launched.let_go()
        return status

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """Return the exit status as ``poll`` does; None if the program runs on after that time."""
        try:
            self._launched.supervisor.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None
        return self.poll()

    def kill(self) -> None:
        """End the program and all that it has started; all are gone when this returns."""
        self._launched.let_go()
        supervisor = self._launched.supervisor
        try:
            supervisor.wait(SECONDS_TO_END_A_FAMILY)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()


def start(
    command: Sequence[str],
    confinement: Confinement,
    *,
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    environment: Mapping[str, str] = MappingProxyType({}),
    level: Level | None = None,
) -> Child:
    """Start a program confined.

    Nothing of this process's environment is passed on; standard input is empty. The program ends
    with this process, at the latest. That it could not be confined, or not be started, is exit
    status ``CONFINEMENT_FAILED`` with the reason on ``stderr``.

    Args:
        command: The program and its arguments. Start Python with ``-P``: it must not look for
            modules in the folder that strangers' files are in.
        confinement: What it may touch and use.
        stdout: Where its output goes: an open file, or one of ``subprocess``'s constants but PIPE.
        stderr: The same for its errors.
        environment: Variables besides PATH, HOME, TMPDIR, LANG and what Python needs.
        level: The protections to apply. By default all that work on this machine.

    Raises:
        FileNotFoundError: The program, the folder or something readable does not exist.
        SandboxError: The level of this machine could not be measured.
    """
    program = shutil.which(command[0], path=SEARCH_PATH)
    if program is None:
        msg = f"there is no program {command[0]!r}"
        raise FileNotFoundError(msg)
    for path in (confinement.folder, *confinement.readable):
        path.stat()
    found = installation()
    plan = Plan(
        command=(program, *command[1:]),
        environment={**_environment(confinement.folder), **found.environment, **environment},
        confinement=confinement,
        code=found.readable,
        listed=found.listed,
        level=measure_level() if level is None else level,
    )
    return Child(launch(plan, stdout=stdout, stderr=stderr))


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": SEARCH_PATH,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        # Without it, each thread of linear algebra reserves address space and then only waits.
        "OPENBLAS_NUM_THREADS": "1",
        # onnxruntime would keep an identifier in HOME and look for a way to report to its maker.
        "ORT_DISABLE_TELEMETRY": "1",
    }
