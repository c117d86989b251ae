# SPDX-License-Identifier: Apache-2.0
"""A repository of somebody who ships networks, and the program ``mucg4`` on the path."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from tests.cli.running import Files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
MANIFEST = """
timeout_seconds = {seconds}

[[networks]]
original = "network.onnx"
properties = [{properties}]

[[networks.compressions]]
method = "integer_quantisation"
options = {{ bits = 16 }}
"""
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Repository:
    """A repository.

    Attributes:
        folder: Where it is.
        programs: A folder with the program, for the path.
    """

    folder: Path
    programs: Path

    @classmethod
    def make(cls, folder: Path) -> Repository:
        """Make one with a network and two properties, of which one holds."""
        made = cls(folder / "repository", folder / "programs")
        made.folder.mkdir()
        made.programs.mkdir()
        program = made.programs / "mucg4"
        words = f'exec "{sys.executable}" -P -m verifier.cli.main "$@"'
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" {words}\n', encoding="utf-8")
        program.chmod(0o755)
        Files.make(made.folder)
        made.run("git", "init", "--quiet", "--initial-branch=main")
        made.run("git", "config", "user.name", "somebody")
        made.run("git", "config", "user.email", "somebody@example.org")
        return made

    def ask(self, *properties: str, seconds: float = 60.0) -> None:
        """Write the manifest."""
        named = ", ".join(f'"{name}.vnnlib"' for name in properties)
        text = MANIFEST.format(seconds=seconds, properties=named)
        (self.folder / "mucg4.toml").write_text(text, encoding="utf-8")

    def run(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        has_memory: bool = True,
    ) -> Ended:
        """Run a program in it, and return how that ended.

        Args:
            words: Its words.
            environment: More variables.
            has_memory: Whether processes that verify live: else each is killed, as the system
                does where memory runs out.
        """
        path = os.pathsep.join((str(self.programs), str(Path(sys.executable).parent)))
        own = {
            "PATH": f"{path}{os.pathsep}{os.environ['PATH']}",
            "PRE_COMMIT_HOME": str(self.programs / "hooks"),
        }
        with subprocess.Popen(
            list(words),
            cwd=self.folder,
            env={**os.environ, **own, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            watch = Thread(target=_kill_workers, args=(process,), daemon=True)
            if not has_memory:
                watch.start()
            printed, errors = process.communicate(timeout=PATIENCE_SECONDS)
        return Ended(process.returncode, printed, errors)

    def script(
        self,
        lines: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        has_memory: bool = True,
    ) -> Ended:
        """Run lines of a script as continuous integration does: the first failure ends it."""
        words = ("bash", "-eo", "pipefail", "-c", "\n".join(lines))
        return self.run(*words, environment=environment, has_memory=has_memory)


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    status: int
    printed: str
    errors: str


def _kill_workers(leader: subprocess.Popen[str]) -> None:
    """Kill every process that verifies in the session of a process, until that has ended."""
    while leader.poll() is None:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_worker = b"spawn_main" in (folder / "cmdline").read_bytes()
                if is_worker and os.getsid(int(folder.name)) == leader.pid:
                    os.kill(int(folder.name), signal.SIGKILL)
        time.sleep(0.02)
