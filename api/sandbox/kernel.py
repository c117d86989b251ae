# SPDX-License-Identifier: Apache-2.0
"""The few calls to the Linux kernel for which Python has no function of its own."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path

SET_PARENT_DEATH_SIGNAL = 1
SET_SECURE_BITS = 28
SET_CHILD_SUBREAPER = 36
SET_NO_NEW_PRIVILEGES = 38

NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x08000000, 0x10000000, 0x20000000, 0x40000000

# No rights by being root, none kept over a change of user, and no way back: the kernel's
# SECBIT_NOROOT, SECBIT_NO_SETUID_FIXUP, SECBIT_NO_CAP_AMBIENT_RAISE, each with its lock.
NO_RIGHTS_BY_USER = 0b11001111
CAPABILITY_VERSION = 0x20080522

ON_LINUX = sys.platform.startswith("linux")


def libc() -> ctypes.CDLL:
    """Return the C library of this process."""
    return ctypes.CDLL(None, use_errno=True)


def check(what: str, result: int) -> int:
    """Return the result of a call of the C library.

    Raises:
        OSError: It is -1: the call failed.
    """
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def control_process(what: str, option: int, *values: int | ctypes.c_void_p) -> None:
    """Call ``prctl``, with zero for what is not given.

    Raises:
        OSError: The kernel refuses.
    """
    wide = [v if isinstance(v, ctypes.c_void_p) else ctypes.c_ulong(v) for v in values]
    wide += [ctypes.c_ulong(0)] * (4 - len(wide))
    check(what, libc().prctl(option, *wide))


def die_with_parent(parent: int) -> None:
    """Be killed as soon as the parent process ends, even if it has ended already."""
    control_process("parent-death signal", SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def die_with_reader(pipe: int) -> None:
    """Be killed as soon as the parent ends, for a process that cannot see its parent's id.

    The parent holds the only reading end of the pipe, so a pipe without reader means that the
    parent ended before the kernel was told to watch it.
    """
    control_process("parent-death signal", SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    watch = select.poll()
    watch.register(pipe, 0)
    if watch.poll(0):
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    control_process("subreaper", SET_CHILD_SUBREAPER, 1)


def gain_no_privileges() -> None:
    """Give up gaining rights by starting programs that have more of them."""
    control_process("no new privileges", SET_NO_NEW_PRIVILEGES, 1)


def drop_capabilities() -> None:
    """Give up what makes root, or the creator of a namespace, more than an ordinary user."""
    # Only who has capabilities may set these, and without any there is nothing to lock.
    with suppress(PermissionError):
        control_process("secure bits", SET_SECURE_BITS, NO_RIGHTS_BY_USER)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    check("drop capabilities", libc().capset(header, nothing))


def enter_namespaces(flags: int) -> None:
    """Leave the system's network, processes and the like for new and empty ones.

    Within a new user namespace the process keeps its user and group, and sees no other.

    Raises:
        OSError: The kernel, or a security policy, refuses.
    """
    user, group = os.geteuid(), os.getegid()
    check("new namespaces", libc().unshare(flags))
    if flags & NEW_USER:
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny", encoding="ascii")
        (own / "uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        (own / "gid_map").write_text(f"{group} {group} 1", encoding="ascii")
