# SPDX-License-Identifier: Apache-2.0
"""A seccomp filter: a program in the kernel that judges every system call of the process.

What it denies stands in ``system_calls``; most calls are denied by number, with EPERM. Some are
judged by their arguments, which the filter sees as plain numbers (it cannot follow pointers):

  * ``clone`` may start threads, no processes. ``clone3`` has its flags behind a pointer, so it does
    not exist; the C library then takes ``clone``.
  * ``open`` may not empty a file that it opens for reading, which early versions of Landlock let
    pass. ``openat2`` has its flags behind a pointer, so it does not exist.
  * Signals and limits are for the process itself. As it can start no other, its own id is known
    when the filter is built.

Calls of another architecture (32-bit calls on a 64-bit kernel) would have other numbers: they end
the process. A list of what is allowed would be tighter, but would be one of every library inside;
the kernel's files and network have a second wall in Landlock and the namespaces.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import TYPE_CHECKING

from api.sandbox.kernel import ON_LINUX, control_process
from api.sandbox.system_calls import ARGUMENTS, DENIED, MACHINES, NEWEST

if TYPE_CHECKING:
    from collections.abc import Sequence

SET_SECCOMP = 22
FILTER_MODE = 2
AUDIT_ARCHITECTURES = (0xC000003E, 0xC00000B7)

# Instructions of the kernel's packet filter, all on 32-bit words.
LOAD, AND, RETURN = 0x20, 0x54, 0x06
JUMP_EQUAL, JUMP_GREATER, JUMP_ANY_BIT = 0x15, 0x25, 0x45

# Where a call lies in what the filter reads: number, architecture, then arguments of 64 bits.
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16

ALLOW, KILL = 0x7FFF0000, 0x80000000
DENY = 0x00050000 | errno.EPERM
ABSENT = 0x00050000 | errno.ENOSYS

CLONE_THREAD = 0x00010000

Instruction = tuple[int, int, int, int]
"""Operation, how many instructions to skip if true and if false, operand."""


def is_written_for_this_machine() -> bool:
    """Tell whether the numbers of this machine's system calls are known."""
    return ON_LINUX and platform.machine() in MACHINES and ctypes.sizeof(ctypes.c_void_p) == 8


def program(machine: str, own_process: int) -> list[Instruction]:
    """Return the filter for a machine and a process that may signal only itself."""
    column = MACHINES.index(machine)
    found = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCHITECTURES[column]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (JUMP_GREATER, 0, 1, NEWEST),
        (RETURN, 0, 0, ABSENT),
    ]
    for numbers in DENIED.values():
        found += _on(numbers[column], [(RETURN, 0, 0, DENY)])
    for name, judgement in _judgements(own_process).items():
        found += _on(ARGUMENTS[name][column], judgement)
    return [*found, (RETURN, 0, 0, ALLOW)]


def _on(number: int | None, judgement: Sequence[Instruction]) -> list[Instruction]:
    if number is None:
        return []
    return [(JUMP_EQUAL, 0, len(judgement), number), *judgement]


def _judgements(own_process: int) -> dict[str, list[Instruction]]:
    only_itself = _only(own_process)
    return {
        "clone": [
            (LOAD, 0, 0, FIRST_ARGUMENT),
            (JUMP_ANY_BIT, 1, 0, CLONE_THREAD),
            (RETURN, 0, 0, DENY),
            (RETURN, 0, 0, ALLOW),
        ],
        "clone3": [(RETURN, 0, 0, ABSENT)],
        "open": _no_emptying(flags=1),
        "openat": _no_emptying(flags=2),
        "openat2": [(RETURN, 0, 0, ABSENT)],
        "kill": only_itself,
        "tgkill": only_itself,
        "prlimit64": _only(0, own_process),
    }


def _only(*processes: int) -> list[Instruction]:
    """Allow a call whose first argument is one of some processes, and deny it otherwise."""
    tests = [(JUMP_EQUAL, len(processes) - i, 0, p) for i, p in enumerate(processes)]
    return [(LOAD, 0, 0, FIRST_ARGUMENT), *tests, (RETURN, 0, 0, DENY), (RETURN, 0, 0, ALLOW)]


def _no_emptying(flags: int) -> list[Instruction]:
    """Deny flags that open for reading only and yet empty the file."""
    return [
        (LOAD, 0, 0, FIRST_ARGUMENT + 8 * flags),
        (AND, 0, 0, os.O_TRUNC | os.O_ACCMODE),
        (JUMP_EQUAL, 0, 1, os.O_TRUNC | os.O_RDONLY),
        (RETURN, 0, 0, DENY),
        (RETURN, 0, 0, ALLOW),
    ]


def install(instructions: Sequence[Instruction]) -> None:
    """Put this process, and every program that it becomes, under a filter for good.

    Raises:
        OSError: The kernel refuses.
    """
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *i) for i in instructions))
    described = struct.pack("@HxxxxxxP", len(instructions), ctypes.addressof(code))
    where = ctypes.create_string_buffer(described, len(described))
    pointer = ctypes.cast(where, ctypes.c_void_p)
    control_process("system-call filter", SET_SECCOMP, FILTER_MODE, pointer)
