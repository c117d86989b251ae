# SPDX-License-Identifier: Apache-2.0
"""Start a supervisor, which starts the program.

The supervisor's standard input is a pipe: the plan goes in first, and then it stays open as a
lifeline. When it closes, because this process asks for it or because it is gone, the supervisor
ends the program. Unlike the kernel's parent-death signal this has no moment at which it can be
missed, and does not depend on which thread has started the program.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from api.sandbox.installation import ROOT

if TYPE_CHECKING:
    from api.sandbox.plan import Plan

PATIENCE_SECONDS = 60.0
"""Longer than a trial takes on any machine that works."""


class SandboxError(Exception):
    """Programs cannot be confined as this machine promised: the message has the reason."""


@dataclass(frozen=True)
class Launched:
    """A supervisor that has its plan."""

    supervisor: subprocess.Popen[bytes]
    lifeline: IO[bytes]

    def let_go(self) -> None:
        """Close the lifeline; the supervisor then ends the program, if it still runs."""
        # A supervisor that ended early has not read all of its plan.
        with suppress(BrokenPipeError):
            self.lifeline.close()


def launcher(module: str) -> list[str]:
    """Return the command for one of this package's programs: the standard library only."""
    return [sys.executable, "-P", "-S", "-m", module]


def launch(plan: Plan, *, stdout: IO[bytes] | int, stderr: IO[bytes] | int) -> Launched:
    """Start what the plan says."""
    reading, writing = os.pipe()
    lifeline = open(writing, "wb")  # noqa: PTH123, SIM115 - a pipe, which outlives this function
    try:
        supervisor = subprocess.Popen(  # noqa: S603 - this package's own program
            launcher("api.sandbox.supervisor"),
            env={"PYTHONPATH": str(ROOT)},
            cwd="/",
            stdin=reading,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except OSError:
        lifeline.close()
        raise
    finally:
        os.close(reading)
    # Should it have ended already, its exit status and standard error say why.
    with suppress(BrokenPipeError):
        lifeline.write(plan.text().encode())
        lifeline.flush()
    return Launched(supervisor, lifeline)
