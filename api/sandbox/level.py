# SPDX-License-Identifier: Apache-2.0
"""How well programs are confined on this machine, found out by trying.

What a kernel allows depends on its version, its settings, the container around it and the user,
and none of these says so reliably. So each protection is tried in a process that is thrown away,
and then all that worked are used together to start a program, exactly as a job is started.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from api.sandbox.confinement import Confinement, Limits
from api.sandbox.installation import ROOT, installation
from api.sandbox.launch import PATIENCE_SECONDS, SandboxError, launch, launcher
from api.sandbox.plan import Level, Plan

__all__ = ["Level", "measure_level"]

# Enough for an interpreter that does nothing.
SMALL = Limits(address_space_bytes=1 << 32, cpu_seconds=60, file_bytes=1 << 20)


@cache
def measure_level() -> Level:
    """Find out, once for each process, which protections work here.

    Raises:
        SandboxError: They could not be tried, or work one by one and not together.
    """
    tried = subprocess.run(  # noqa: S603 - this package's own program
        launcher("api.sandbox.trial"),
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if tried.returncode != 0:
        msg = f"protections could not be tried: {tried.stderr.strip()}"
        raise SandboxError(msg)
    level = Level(**json.loads(tried.stdout))
    _check_together(level)
    return level


def _check_together(level: Level) -> None:
    with tempfile.TemporaryDirectory(prefix="mucg4-level-") as name:
        plan = Plan(
            command=(sys.executable, "-P", "-S", "-c", "pass"),
            environment={},
            confinement=Confinement(folder=Path(name), readable=(), limits=SMALL),
            code=installation().readable,
            listed=(),
            level=level,
        )
        launched = launch(plan, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, complaint = launched.supervisor.communicate(timeout=PATIENCE_SECONDS)
        launched.let_go()
    status, reason = launched.supervisor.returncode, complaint.decode(errors="replace").strip()
    if status != 0:
        msg = f"{level.summary}: each works, but not together: {reason or status}"
        raise SandboxError(msg)
