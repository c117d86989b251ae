# SPDX-License-Identifier: Apache-2.0
"""A file that changes while the gate runs takes its verdict with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.batch.at_once import AtOnce, Heard
from tests.cli.running import VIOLATED_UP_TO, Files, property_text
from verifier.batch.store import opened
from verifier.batch.work import execute
from verifier.gate.gate import run_gate
from verifier.gate.judgement import Judgement
from verifier.gate.manifest import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.batch.task import Outcome, Task

MANIFEST = """
timeout_seconds = 60
[[networks]]
original = "network.onnx"
properties = ["holds.vnnlib"]
"""


@pytest.mark.parametrize("command", ["verify", "check"])
def test_a_property_that_is_replaced_is_not_the_one_that_holds(
    tmp_path: Path, command: str
) -> None:
    files = Files.make(tmp_path)

    def replacing(task: Task) -> Outcome:
        outcome = execute(task)
        if task.command == command:
            files.path("holds.vnnlib", property_text(f"(>= Y_0 {VIOLATED_UP_TO})"))
        return outcome

    with opened(tmp_path / "cache") as store:
        manifest = read_manifest(files.path("mucg4.toml", MANIFEST))
        report = run_gate(manifest, AtOnce(do=replacing), store, Heard(), certify=True)

    (check,) = report.checks
    assert check.verdict == "error"
    assert check.judgement is Judgement.CRASHED
    assert check.reason == "a file was changed while the gate ran"
    assert check.inputs == {}
    assert report.status == 4
