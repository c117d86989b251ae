# SPDX-License-Identifier: Apache-2.0
"""Run a verifier as a whole process and see what it says and what it costs."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GRACE_SECONDS = 10.0
"""How long a process may live beyond the limit that it was told."""

# Programs say it in the words of the competition or in ours; what they say last counts.
_WORDS = re.compile(r"\b(unsat|sat|holds|violated|timeout|unknown)\b", re.IGNORECASE)
_VERDICTS = {
    "unsat": Verdict.HOLDS,
    "holds": Verdict.HOLDS,
    "sat": Verdict.VIOLATED,
    "violated": Verdict.VIOLATED,
}


@dataclass(frozen=True)
class Command:
    """How to start a verifier.

    Attributes:
        name: What to call it.
        words: Its command line; ``{network}``, ``{property}`` and ``{seconds}`` are filled in.
    """

    name: str
    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Command:
        """Read ``NAME=COMMAND``, with the command as a shell would split it.

        Raises:
            ValueError: It has another form, or no place for network and property.
        """
        name, equals, command = text.partition("=")
        if not (name and equals and "{network}" in command and "{property}" in command):
            msg = f"{text!r}: NAME=COMMAND is expected, with {{network}} and {{property}} in it"
            raise ValueError(msg)
        return cls(name, tuple(shlex.split(command)))

    def line(self, network: Path, prop: Path, seconds: float) -> list[str]:
        """Return the command line for one instance."""
        return [
            word.format(network=network, property=prop, seconds=round(seconds))
            for word in self.words
        ]


@dataclass(frozen=True)
class Cost:
    """What a process said and what it cost, start-up and children included.

    Attributes:
        verdict: What it said last, or UNKNOWN.
        cpu_seconds: Processor time of it and of all its children.
        wall_seconds: Time on the clock.
        peak_mib: Largest resident memory of a single process.
    """

    verdict: Verdict
    cpu_seconds: float
    wall_seconds: float
    peak_mib: float


def run(line: Sequence[str], limit_seconds: float) -> Cost:
    """Run a command line; kill it and its children when it outlives its limit."""
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        # A group of its own, so that its children end with it.
        process = subprocess.Popen(
            line, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        deadline = started + limit_seconds + GRACE_SECONDS
        killed = False
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                break
            if not killed and time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                killed = True
            time.sleep(0.005)
        wall = time.monotonic() - started
        output.seek(0)
        words = _WORDS.findall(output.read().decode(errors="replace"))
    verdict = _VERDICTS.get(words[-1].lower(), Verdict.UNKNOWN) if words else Verdict.UNKNOWN
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(Verdict.UNKNOWN if killed else verdict, cpu, wall, usage.ru_maxrss / 1024)
