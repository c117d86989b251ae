# SPDX-License-Identifier: Apache-2.0
"""The process between a worker and a confined program: ``python -m api.sandbox.supervisor``.

    worker ──lifeline──► supervisor ──► [first process of a namespace] ──► program ──► ...

It reads a plan, enters namespaces, starts the program and waits for the first of two things: the
program ends, or the lifeline closes (``launch``). Either way it ends whatever the program has left
behind, and then ends as the program did: with its exit status, or by its signal.

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
from api.sandbox.family import end_descendants
from api.sandbox.plan import Plan

if TYPE_CHECKING:
    from api.sandbox.plan import Level

LIFELINE = 0
KILLED = int(signal.SIGKILL)
"""A wait status: ended by SIGKILL."""


@dataclass(frozen=True)
class Program:
    """What was started: its first process, and the pipe that brings its status from a namespace."""

    process: int
    report: int | None


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
    status = _wait(program)
    _end_family(program, plan.level, runs=status is None)
    _end_as(KILLED if status is None else status)


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


def _wait(program: Program) -> int | None:
    """Return the program's wait status, or None as soon as the lifeline is closed."""
    wake, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ended, status = os.waitpid(program.process, os.WNOHANG)
        if ended:
            report = os.read(program.report, 16) if program.report is not None else b""
            return int(report) if report else status
        ready, _, _ = select.select([LIFELINE, wake], [], [])
        if LIFELINE in ready:
            return None
        os.read(wake, 64)


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
