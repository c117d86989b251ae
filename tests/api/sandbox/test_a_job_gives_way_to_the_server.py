# SPDX-License-Identifier: Apache-2.0
"""What is short, time or memory, is the server's first: a job gets what is left."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from api.sandbox.child import start
from api.sandbox.confinement import Confinement
from tests.api.sandbox.acts import SMALL

if TYPE_CHECKING:
    from pathlib import Path


def said(command: list[str], folder: Path) -> str:
    with (folder / "output").open("wb") as output:
        child = start(
            command,
            Confinement(folder=folder, readable=(), limits=SMALL),
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
        assert child.wait(30.0) == 0
    return (folder / "output").read_text(encoding="utf-8").strip()


def test_the_server_gets_its_processor_time_first(tmp_path: Path) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)

    assert int(said(["nice"], tmp_path)) == min(own + 10, 19)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_when_memory_runs_out_the_job_ends_and_not_the_server(tmp_path: Path) -> None:
    assert said(["cat", "/proc/self/oom_score_adj"], tmp_path) == "1000"
