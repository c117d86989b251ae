# SPDX-License-Identifier: Apache-2.0
"""Landlock: a process gives up files, connections and signals that it was not left.

The kernel's versions ("ABI") know more and more acts. A ruleset names all acts that the running
kernel knows, so each of them is denied but for the paths that a rule names. Rules hold for what
lies beneath an opened path, whatever links lead there. Never covered: asking whether a file exists
and how large it is; its permissions and times, and sockets in folders. All but the first, the
system-call filter denies.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING

from api.sandbox.kernel import ON_LINUX, check, libc

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1
BENEATH_PATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHARACTER_DEVICE, MAKE_SOCKET, MAKE_BLOCK_DEVICE = 1 << 6, 1 << 9, 1 << 11
TRUNCATE, DEVICE_CONTROL = 1 << 14, 1 << 15

# Acts on files by the version that first knew them: the first 13, then linking across folders.
FILE_ACTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: TRUNCATE, 5: DEVICE_CONTROL}
# Rules for a single file may name these only.
ACTS_ON_ONE_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICE_CONTROL

BIND_OR_CONNECT_TCP, ABSTRACT_SOCKETS_AND_SIGNALS = 0b11, 0b11

LIST = READ_FOLDER
READ = READ_FILE | READ_FOLDER
READ_AND_EXECUTE = READ | EXECUTE
USE_DEVICE = READ_FILE | WRITE_FILE | TRUNCATE
OWN = ~(EXECUTE | MAKE_CHARACTER_DEVICE | MAKE_SOCKET | MAKE_BLOCK_DEVICE | DEVICE_CONTROL)


def version() -> int:
    """Return the version of Landlock that the kernel has; 0 if none, or none switched on."""
    if not ON_LINUX:
        return 0
    return max(0, int(libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION)))


def known_file_acts(abi: int) -> int:
    """Return all acts on files that a version can deny."""
    return sum(acts for since, acts in FILE_ACTS.items() if since <= abi)


def restrict(abi: int, rules: Iterable[tuple[Path, int]]) -> None:
    """Give up every act on files but those of the rules; TCP from ABI 4, signals from ABI 6.

    Args:
        abi: What to apply, at most ``version()``.
        rules: Paths with the acts that stay allowed there and beneath. A path that does not exist
            is no rule.

    Raises:
        OSError: The kernel refuses.
    """
    handled = known_file_acts(abi)
    attributes = struct.pack("=Q", handled)
    if abi >= 4:
        attributes += struct.pack("=Q", BIND_OR_CONNECT_TCP)
    if abi >= 6:
        attributes += struct.pack("=Q", ABSTRACT_SOCKETS_AND_SIGNALS)
    size = ctypes.c_size_t(len(attributes))
    ruleset = check("Landlock ruleset", libc().syscall(CREATE_RULESET, attributes, size, 0))
    for path, acts in rules:
        _allow(ruleset, path, acts & handled)
    check("Landlock", libc().syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: Path, acts: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not path.is_dir():
        acts &= ACTS_ON_ONE_FILE
    rule = struct.pack("=Qi", acts, opened)
    check(f"Landlock rule for {path}", libc().syscall(ADD_RULE, ruleset, BENEATH_PATH, rule, 0))
    os.close(opened)
