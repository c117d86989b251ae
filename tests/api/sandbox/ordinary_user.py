# SPDX-License-Identifier: Apache-2.0
"""Run the acts as a user who is not root, also where the tests are run by root.

Root's Python may lie where nobody else can look. Then it is mounted once more, in a mount namespace
of this process, below a folder that is open to all: the paths stay the same.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from api.sandbox.installation import ROOT
from api.sandbox.kernel import check, libc

NOBODY = 65534
NEW_MOUNTS = 0x00020000
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
PATIENCE_SECONDS = 120.0


def acts_as_ordinary_user(folder: Path) -> dict[str, Any]:
    """Return what ``acts`` says when an ordinary user runs it."""
    program = [sys.executable, "-P", "-m", "tests.api.sandbox.acts"]
    if os.geteuid() != 0:
        return _answer([*program, str(folder)])
    # pytest's own folder belongs to root alone.
    place = Path(tempfile.mkdtemp(prefix="mucg4-user-"))
    try:
        os.chown(place, NOBODY, NOBODY)
        this = [sys.executable, "-P", "-m", "tests.api.sandbox.ordinary_user"]
        return _answer([*this, *program, str(place)])
    finally:
        shutil.rmtree(place)


def _answer(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def open_to_all(target: Path) -> None:
    """Make a folder reachable for every user, in this process and its children only."""
    closed = [p for p in reversed(target.parents) if not p.stat().st_mode & stat.S_IXOTH]
    if not closed:
        return
    check("mount namespace", libc().unshare(NEW_MOUNTS))
    _mount(None, Path("/"), None, RECURSIVE | PRIVATE)
    opened = os.open(target, os.O_PATH)
    _mount(b"tmpfs", closed[0], b"tmpfs", 0)
    closed[0].chmod(0o755)
    target.mkdir(parents=True)
    _mount(f"/proc/self/fd/{opened}".encode(), target, None, BIND)


def _mount(source: bytes | None, target: Path, kind: bytes | None, flags: int) -> None:
    wide = ctypes.c_ulong(flags)
    check(f"mount {target}", libc().mount(source, bytes(target), kind, wide, None))


if __name__ == "__main__":
    open_to_all(Path(sys.base_prefix))
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - no shell is meant
