# SPDX-License-Identifier: Apache-2.0
"""A task and its outcome: bytes in, bytes out, so that it does not matter where work is done."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from verifier.version import version

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Task:
    """One piece of work.

    Attributes:
        command: Which: a name in ``work.COMMANDS``.
        files: Content of its inputs, by file name.
        options: Its choices, as JSON values.
    """

    command: str
    files: Mapping[str, bytes]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that the outcome depends on, the program's version included."""
        files = {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}
        whole = [version(), self.command, files, dict(self.options)]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes:
        document: What was found, as JSON values; ``error`` says why nothing was.
        files: What was made, by file name.
    """

    document: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def error(self) -> str:
        """Why there is no answer, else empty."""
        return str(self.document.get("error", ""))

    @property
    def is_crash(self) -> bool:
        """Whether there is no answer by a defect or for want of memory, not for a reason."""
        return bool(self.document.get("is_crash", False))


def failure(reason: str) -> Outcome:
    """Return the outcome of a task that makes no sense, or that is refused."""
    return Outcome({"error": reason})


def crash(reason: str) -> Outcome:
    """Return the outcome of a task that was not done, though it might have been."""
    return Outcome({"error": reason, "is_crash": True})
