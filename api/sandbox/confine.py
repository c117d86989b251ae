# SPDX-License-Identifier: Apache-2.0
"""The last steps of a process before it becomes the confined program.

Their order matters: each step takes away what an earlier one needed. The address space is limited
late, the filter comes last, because it denies some of the calls made here. A rule about paths says
nothing of a file that is open already; but ``launch`` passes on the three standard files only, and
what is opened since is closed when the program takes over.
"""

from __future__ import annotations

import os
import platform
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from api.sandbox import landlock, system_call_filter
from api.sandbox.confinement import CONFINEMENT_FAILED
from api.sandbox.kernel import ON_LINUX, drop_capabilities, gain_no_privileges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.sandbox.confinement import Limits
    from api.sandbox.plan import Plan

# Between the signal that asks a program to end for its CPU time and the one that ends it.
SECONDS_TO_END = 1

# More threads than any machine has cores. Only a user namespace counts one job's alone.
MOST_THREADS = 1024

FIRST_TO_GO = "1000"
"""When memory runs out, the kernel first ends a job, rather than the server."""

NICENESS = 10
"""A job takes the time that the server leaves, or answers would wait for jobs."""


def become(plan: Plan) -> NoReturn:
    """Turn this process into the plan's program, or end it with the reason on standard error."""
    try:
        _leave_everything(plan)
        _confine(plan)
        os.execve(plan.command[0], plan.command, plan.environment)  # noqa: S606 - no shell is meant
    except (OSError, ValueError) as error:
        fail(f"{plan.command[0]}: {error}")


def fail(reason: str) -> NoReturn:
    """End this process as one that has not become its program."""
    sys.stderr.write(f"cannot start confined: {reason}\n")
    sys.stderr.flush()
    os._exit(CONFINEMENT_FAILED)


def _leave_everything(plan: Plan) -> None:
    os.setsid()
    os.chdir(plan.confinement.folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        # Python ignores some, and what started the server may have ignored others.
        signal.signal(number, signal.SIG_DFL)
    os.nice(NICENESS)
    if ON_LINUX:
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")
        # Libraries read about their own process. The rule that lets them is tied to what this
        # opens, which the kernel could forget, and make anew without the rule, if nobody held it.
        os.set_inheritable(os.open("/proc/self", os.O_PATH), True)


def _confine(plan: Plan) -> None:
    level = plan.level
    if level.no_new_privileges:
        gain_no_privileges()
    if level.landlock:
        landlock.restrict(level.landlock, _rules(plan))
    if level.no_new_privileges:
        drop_capabilities()
    if level.user_namespace:
        _limit(resource.RLIMIT_NPROC, MOST_THREADS)
    _apply(plan.confinement.limits)
    if level.system_call_filter:
        system_call_filter.install(system_call_filter.program(platform.machine(), os.getpid()))


def _rules(plan: Plan) -> Iterator[tuple[Path, int]]:
    yield from ((path, landlock.READ_AND_EXECUTE) for path in plan.code)
    yield from ((path, landlock.LIST) for path in plan.listed)
    yield from ((path, landlock.READ) for path in plan.confinement.readable)
    yield Path("/proc/self"), landlock.READ
    yield Path(os.devnull), landlock.USE_DEVICE
    yield plan.confinement.folder, landlock.OWN


def _apply(limits: Limits) -> None:
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + SECONDS_TO_END)
    _limit(resource.RLIMIT_AS, limits.address_space_bytes)


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    """Lower a limit; one that is lower already, stays."""
    _, most = resource.getrlimit(what)
    wanted = soft if hard is None else hard
    ceiling = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(what, (min(soft, ceiling), ceiling))
