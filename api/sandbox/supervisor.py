# SPDX-License-Identifier: Apache-2.0
"""The process between a worker and a confined program: ``python -m api.sandbox.supervisor``.

    worker ──lifeline──► supervisor ──► [first process of a namespace] ──► program ──► ...

It reads a plan, enters namespaces, starts the program and waits for the first of three things: the
program ends, the lifeline closes (``launch``), or the folder is full. In any case it ends whatever
the program has left behind, and then ends as the program did: with its exit status, or by its
signal.

A process namespace needs a first process, and the program must not be it: the kernel keeps signals,
such as the one for too much CPU time, from a first process. When the first process ends, the kernel
ends the whole namespace. Each process is killed when the one before it ends, so that killing any of
them ends the job.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from api.sandbox import kernel
from api.sandbox.confine import become, fail
from api.sandbox.family import descendants, end_descendants
from api.sandbox.folder import used_bytes
from api.sandbox.plan import Plan

if TYPE_CHECKING:
    from api.sandbox.confinement import Confinement
    from api.sandbox.plan import Level

LIFELINE = 0
SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class Program:
    """What was started: its first process, and the pipe that brings its status from a namespace."""

    process: int
    report: int | None


@dataclass(frozen=True)
class Ending:
    """Why the wait is over: the wait status to end with, and whether the program still runs."""

    status: int
    runs: bool


# The wait status of a process that was ended by a signal is the signal's number.
LET_GO = Ending(status=signal.SIGKILL, runs=True)
FULL = Ending(status=signal.SIGXFSZ, runs=True)


def main() -> NoReturn:
    """Do what the plan on standard input says."""
    plan = Plan.from_text(sys.stdin.buffer.readline().decode())
    try:
        if plan.level.adopts_orphans:
            kernel.adopt_orphans()
        if flags := _namespaces(plan.level):
            kernel.enter_namespaces(flags)
        program = _start_inside(plan) if plan.level.process_namespace else _start(plan)
    except OSError as error:
        fail(str(error))
    ending = _wait(program, plan)
    _end_family(program, plan.level, runs=ending.runs)
    _end_as(ending.status)


def _namespaces(level: Level) -> int:
    wanted = {
        kernel.NEW_USER: level.user_namespace,
        kernel.NEW_NETWORK: level.network_namespace,
        kernel.NEW_IPC: level.ipc_namespace,
        kernel.NEW_PROCESSES: level.process_namespace,
    }
    return sum(flag for flag, is_wanted in wanted.items() if is_wanted)


def _start(plan: Plan) -> Program:
    supervisor = os.getpid()
    process = os.fork()
    if process == 0:
        if kernel.ON_LINUX:
            kernel.die_with_parent(supervisor)
        become(plan)
    return Program(process, report=None)


def _start_inside(plan: Plan) -> Program:
    report, reporting = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(report)
        _be_first_process(plan, reporting)
    os.close(reporting)
    return Program(process, report)


def _be_first_process(plan: Plan, reporting: int) -> NoReturn:
    """Collect the exit status of whoever ends in the namespace, and report the program's."""
    kernel.die_with_reader(reporting)
    program = os.fork()
    if program == 0:
        become(plan)
    ended, status = os.wait()
    while ended != program:
        ended, status = os.wait()
    os.write(reporting, b"%d" % status)
    os._exit(0)


def _wait(program: Program, plan: Plan) -> Ending:
    """Wait until the program ends or is to be ended."""
    wake, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ended, status = os.waitpid(program.process, os.WNOHANG)
        if ended:
            report = os.read(program.report, 16) if program.report is not None else b""
            return Ending(int(report) if report else status, runs=False)
        ready, _, _ = select.select([LIFELINE, wake], [], [], SECONDS_BETWEEN_LOOKS)
        if LIFELINE in ready:
            return LET_GO
        if wake in ready:
            os.read(wake, 64)
        elif reason := _fullness(plan.confinement):
            sys.stderr.write(f"ended: {reason}\n")
            return FULL


def _fullness(confinement: Confinement) -> str:
    """Return why a program must be ended for what it has written; nothing if it may go on."""
    try:
        used = used_bytes(confinement.folder, descendants())
    except OSError as error:
        return f"the job's folder cannot be looked into: {error}"
    most = confinement.limits.folder_bytes
    return f"the job's folder takes {used} bytes of {most}" if used > most else ""


def _end_family(program: Program, level: Level, *, runs: bool) -> None:
    """End all that is left; the end of a namespace's first process is the end of all in it."""
    if runs:
        os.kill(program.process, signal.SIGKILL)
    if level.adopts_orphans:
        end_descendants()
    else:
        with suppress(ProcessLookupError):
            os.killpg(program.process, signal.SIGKILL)


def _end_as(status: int) -> NoReturn:
    """End this process in the way that a wait status tells."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
