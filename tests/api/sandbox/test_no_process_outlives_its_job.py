# SPDX-License-Identifier: Apache-2.0
"""Whatever a program has started is gone when it is killed, ends, or loses its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.sandbox.child import Child, start
from api.sandbox.confinement import Confinement
from api.sandbox.installation import ROOT
from api.sandbox.level import measure_level
from tests.api.sandbox.acts import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.sandbox.level import Level

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere only the process group is ended"
)

BAR_SECONDS = 2.0
PATIENCE_SECONDS = 30.0

READY = "import os, signal, sys, time\ndef ready(): open(f'ready-{os.getpid()}', 'w').close()\n"
PROGRAMS = {
    "spinning": "ready()\nwhile True: pass",
    "sleeping": "ready()\ntime.sleep(600)",
    "deaf": (
        "for number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)\nready()\ntime.sleep(600)"
    ),
}
FAMILIES = {
    "of children": "for _ in range(5):\n    if os.fork() == 0: break\nready()\ntime.sleep(600)",
    "that left its session": (
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    os.setsid()\n"
        "ready()\ntime.sleep(600)"
    ),
    "that keeps forking": (
        "import itertools\n"
        "for number in itertools.count():\n"
        "    if os.fork(): time.sleep(0.01 if number else 600); os._exit(0)\n"
        "    os.setsid()\n"
        "    if number == 5: ready()"
    ),
}


HOLDERS = ("process namespace", "adopted orphans")


def marked(mark: str) -> list[int]:
    """Return the processes that run and have a mark among their arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:  # It has ended since.
                continue
            if mark.encode() in arguments:
                found.append(int(entry.name))
    return found


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def begin(source: str, folder: Path, level: Level | None = None) -> Child:
    """Start a program marked by its folder, and wait until it is ready."""
    confinement = Confinement(folder=folder, readable=(), limits=SMALL)
    with (folder / "errors").open("wb") as errors:
        child = start(
            [sys.executable, "-P", "-S", "-c", READY + source, str(folder)],
            confinement,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            level=level,
        )
    wait_until(lambda: any(folder.glob("ready-*")) or child.poll() is not None)
    assert child.poll() is None, (folder / "errors").read_text(encoding="utf-8")
    assert marked(str(folder))
    return child


def family_level(held_by: str) -> Level:
    """Return a level under which a program can start others."""
    namespace = held_by == "process namespace" and measure_level().process_namespace
    return replace(measure_level(), system_call_filter=False, process_namespace=namespace)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_killed_program_is_gone(program: str, tmp_path: Path) -> None:
    child = begin(PROGRAMS[program], tmp_path)

    began = time.monotonic()
    child.kill()

    assert time.monotonic() - began < BAR_SECONDS
    assert marked(str(tmp_path)) == []
    assert child.poll() == -signal.SIGKILL


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("held_by", HOLDERS)
def test_a_killed_family_is_gone(family: str, held_by: str, tmp_path: Path) -> None:
    child = begin(FAMILIES[family], tmp_path, family_level(held_by))

    began = time.monotonic()
    child.kill()

    assert time.monotonic() - began < BAR_SECONDS
    assert marked(str(tmp_path)) == []


@pytest.mark.parametrize("held_by", HOLDERS)
def test_what_a_program_leaves_behind_ends_with_it(held_by: str, tmp_path: Path) -> None:
    source = FAMILIES["that left its session"].replace("time.sleep(600)", "pass", 1)
    leaves = (
        source + "\nif os.getsid(0) != os.getpid(): time.sleep(600)\ntime.sleep(0.5); sys.exit(5)"
    )
    child = begin(leaves, tmp_path, family_level(held_by))

    assert child.wait(PATIENCE_SECONDS) == 5

    assert marked(str(tmp_path)) == []


def test_killing_twice_or_after_the_end_does_nothing(tmp_path: Path) -> None:
    child = begin("ready()\ntime.sleep(0.3)\nsys.exit(3)", tmp_path)
    assert child.wait(PATIENCE_SECONDS) == 3

    child.kill()
    child.kill()

    assert child.poll() == 3


def test_waiting_for_a_running_program_gives_nothing(tmp_path: Path) -> None:
    child = begin(PROGRAMS["sleeping"], tmp_path)

    assert child.wait(0.05) is None
    child.kill()


OWNER = """
import subprocess, sys, threading, time
from pathlib import Path
from api.sandbox.child import start
from api.sandbox.confinement import Confinement, Limits
from dataclasses import replace
from api.sandbox.level import measure_level
level = replace(measure_level(), system_call_filter=False, process_namespace=sys.argv[3] == "True")
confinement = Confinement(Path(sys.argv[1]), (), Limits(1 << 30, 30, 1 << 20))
kept = []
def begin():
    command = [sys.executable, "-P", "-S", "-c", sys.argv[2], sys.argv[1] + "/"]
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    kept.append(start(command, confinement, **nowhere, level=level))
# A thread that ends must not take the program with it.
thread = threading.Thread(target=begin)
thread.start()
thread.join()
time.sleep(600)
"""


@pytest.mark.parametrize("process_namespace", [True, False])
@pytest.mark.parametrize("killed", ["owner", "supervisor"])
def test_a_program_does_not_outlive_those_above_it(
    killed: str, process_namespace: bool, tmp_path: Path
) -> None:
    program = READY + (
        FAMILIES["that left its session"] if killed == "owner" else PROGRAMS["spinning"]
    )
    mark = f"{tmp_path}/"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), program, str(process_namespace)],
        env={"PYTHONPATH": str(ROOT)},
    )
    try:
        wait_until(lambda: any(tmp_path.glob("ready-*")))
        # Its starting thread has ended, and yet it runs on.
        assert marked(mark)
        os.kill(owner.pid if killed == "owner" else _child_of(owner.pid), signal.SIGKILL)

        wait_until(lambda: not marked(mark), 3.0)
    finally:
        owner.kill()
        owner.wait()


def _child_of(process: int) -> int:
    (child,) = (
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
        and (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
        == str(process)
    )
    return child
