# SPDX-License-Identifier: Apache-2.0
"""The scripts of VNN-COMP are called as the competition calls them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from verifier.errors import UsageError
from verifier.spec.counterexample import violates
from verifier.spec.vnnlib_reader import read_vnnlib

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "examples" / "vnncomp"


def call(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a script with this source tree as the tool."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MUCG4": f"{sys.executable} -m verifier.cli.main",
    }
    return subprocess.run(
        [str(SCRIPTS / script), *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("version", ["vnnlib", "vnnlib2"])
@pytest.mark.parametrize(
    ("network", "number", "answer"), [("1_1", 3, "unsat"), ("2_1", 2, "sat")], ids=["unsat", "sat"]
)
def test_instances_of_acas_xu_get_a_result_file(
    network: str, number: int, answer: str, version: str, data: Path, tmp_path: Path
) -> None:
    model = data / "acasxu" / "onnx" / f"ACASXU_run2a_{network}_batch_2000.onnx"
    query = data / "acasxu" / version / f"prop_{number}.vnnlib"
    results = tmp_path / "results.txt"

    prepared = call("prepare_instance.sh", "v1", "acasxu", model, query)
    done = call("run_instance.sh", "v1", "acasxu", model, query, results, 116)

    assert (prepared.returncode, done.returncode) == (0, 0), prepared.stderr + done.stderr
    word, *rest = results.read_text(encoding="utf-8").splitlines()
    assert word == answer
    if answer == "unsat":
        assert not rest
        return
    if version == "vnnlib":
        pairs = re.findall(r"\(([XY]_\d) ([^ ()]+)\)", "\n".join(rest))
        assert [name for name, _ in pairs] == [f"{v}_{i}" for v in "XY" for i in range(5)]
        values = [float(value) for _, value in pairs]
    else:
        assert [rest.pop(place) for place in (6, 0)] == ["Y real [5]", "X real [5]"]
        values = [float(value) for value in rest]
    assert violates(read_vnnlib(query), values[:5], values[5:])  # type: ignore[arg-type]


def test_a_wrong_call_is_refused(tmp_path: Path) -> None:
    assert call("prepare_instance.sh", "v2", "c", "n", "q").returncode == 1
    missing = call("prepare_instance.sh", "v1", "c", tmp_path / "none.onnx", tmp_path / "none")
    assert missing.returncode == 1
    assert "cannot be read" in missing.stderr
    assert call("install_tool.sh", "v9").returncode == 1


@pytest.mark.slow
def test_an_instance_that_cannot_be_answered_is_an_error(tmp_path: Path) -> None:
    query, model, results = (tmp_path / name for name in ("q.vnnlib", "n.onnx", "results.txt"))
    query.write_text("(assert", encoding="utf-8")
    model.write_bytes(b"none")
    with pytest.raises(UsageError):
        read_vnnlib(query)

    assert call("run_instance.sh", "v1", "c", model, query, results, 5).returncode == 1
    assert results.read_text(encoding="utf-8") == "error\n"
