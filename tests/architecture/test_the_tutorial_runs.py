# SPDX-License-Identifier: Apache-2.0
"""Every command of docs/tutorial.md works as printed.

``sh`` blocks are run in order, in one folder beside a copy of the examples. What stands below
``<!-- prints: WORD -->`` must print that word.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.architecture.source_tree import ROOT, fenced_blocks

if TYPE_CHECKING:
    from pathlib import Path

MUCG4 = f"""#!/bin/sh
PYTHONPATH='{ROOT}' exec '{sys.executable}' -c '
import sys
from verifier.cli.main import main
sys.exit(main())
' "$@"
"""


def make_command(folder: Path) -> None:
    """Put ``mucg4``, run by this interpreter, into a folder for the search path."""
    folder.mkdir()
    (folder / "mucg4").write_text(MUCG4, encoding="utf-8")
    (folder / "mucg4").chmod(0o755)


def run(script: str, folder: Path, commands: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(commands), os.environ.get("PATH", "")])
    return subprocess.run(
        ["/bin/sh", "-eu", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_every_command_of_the_tutorial_works_as_printed(tmp_path: Path) -> None:
    commands, folder = tmp_path / "commands", tmp_path / "tutorial"
    make_command(commands)
    folder.mkdir()
    shutil.copytree(ROOT / "examples", tmp_path / "examples")

    for language, text, above in fenced_blocks(ROOT / "docs/tutorial.md"):
        if language == "sh":
            done = run(text, folder, commands)
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
            if expected := re.fullmatch(r"<!-- prints: (\w+) -->", above):
                assert re.search(rf"\b{expected[1]}\b", done.stdout), f"{text}\n{done.stdout}"
