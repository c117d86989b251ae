# SPDX-License-Identifier: Apache-2.0
"""Start a supervisor, which starts the program.

The supervisor's standard input is a pipe: the plan goes in first, and then it stays open as a
lifeline. When it closes, because this process asks for it or because it is gone, the supervisor ends
the program. Unlike the kernel's parent-death signal this has no moment at which it can be missed,
and does not depend on which thread has started the program.
"""

from __future__ import annotations

import subprocess
import sys
from typing import IO, TYPE_CHECKING

from api.sandbox.installation import ROOT

if TYPE_CHECKING:
    from api.sandbox.plan import Plan

PATIENCE_SECONDS = 60.0
"""Longer than a trial takes on any machine that works."""


class SandboxError(Exception):
    """Programs cannot be confined as this machine promised: the message has the reason."""


def launcher(module: str) -> list[str]:
    """Return the command for one of this package's programs: the standard library only."""
    return [sys.executable, "-P", "-S", "-m", module]


def launch(
    plan: Plan, *, stdout: IO[bytes] | int, stderr: IO[bytes] | int
) -> subprocess.Popen[bytes]:
    """Start what the plan says; the caller holds the lifeline, ``stdin``."""
    started = subprocess.Popen(
        launcher("api.sandbox.supervisor"),
        env={"PYTHONPATH": str(ROOT)},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    assert started.stdin is not None
    try:
        started.stdin.write(plan.text().encode())
        started.stdin.flush()
    except BrokenPipeError:
        pass  # The supervisor has ended already: its exit status and standard error say why.
    return started
