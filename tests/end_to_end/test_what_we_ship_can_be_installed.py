# SPDX-License-Identifier: Apache-2.0
"""The first steps of the action and of the template install a program that runs."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.scratch_repository import ROOT, Repository
from tests.end_to_end.shipped import document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow


def install_of_the_action() -> tuple[list[str], dict[str, str]]:
    steps = {step.get("name"): step for step in document("action.yml")["runs"]["steps"]}
    return [steps["Install mucg4"]["run"]], {"GITHUB_ACTION_PATH": str(ROOT)}


def install_of_the_template() -> tuple[list[str], dict[str, str]]:
    job = document("examples/gitlab/mucg4.gitlab-ci.yml")[".mucg4-check"]
    assert job["variables"]["MUCG4_PACKAGE"] == "mucg4"
    return job["before_script"], {"MUCG4_PACKAGE": str(ROOT)}


@pytest.mark.parametrize("install", [install_of_the_action, install_of_the_template])
def test_what_is_installed_runs_and_has_its_own_files(
    install: Callable[[], tuple[list[str], dict[str, str]]], tmp_path: Path
) -> None:
    script, environment = install()
    own = tmp_path / "own"
    subprocess.run([sys.executable, "-m", "venv", str(own)], check=True)
    # What mucg4 needs is taken from where it is; mucg4 itself is built and installed.
    packages = next(own.glob("lib/python*/site-packages"))
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    repository = replace(Repository.make(tmp_path), programs=own / "bin")
    assert not (own / "bin" / "mucg4").exists()

    installed = repository.script(script, environment)
    read = repository.script(["mucg4 inspect network.onnx --kind model"])

    assert installed.status == 0, installed.errors
    assert read.status == 0, read.errors
    assert "outputs" in read.printed
    assert (packages / "verifier" / "gate" / "check.schema.json").exists()
    assert (packages / "verifier" / "gate" / "evidence" / "templates" / "report.html").exists()
