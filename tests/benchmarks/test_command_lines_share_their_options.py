# SPDX-License-Identifier: Apache-2.0
"""Command lines that look at one proof prove what they are told to, or end with a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import bounding, covering
from benchmarks.__main__ import main
from tests.proof.small_proofs import ON_INPUTS, proofs
from verifier.ir.onnx_writer import write_onnx
from verifier.spec.vnnlib_writer import write_vnnlib

if TYPE_CHECKING:
    from pathlib import Path


def test_the_three_ways_to_see_a_cover_are_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = proofs(1, ON_INPUTS)[0]
    (tmp_path / "net.onnx").write_bytes(write_onnx(found.graph, "float64"))
    (tmp_path / "p.vnnlib").write_text(write_vnnlib(found.prop), encoding="utf-8")
    choices = ["--network", "net.onnx", "--property", "p.vnnlib"]

    assert covering.main(["--data", str(tmp_path), *choices]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(" leaves")
    assert [line[:18].strip() for line in lines[1:]] == [
        "tree",
        "tree's proof",
        "SAT solver's proof",
    ]


@pytest.mark.parametrize("command", [covering.main, bounding.main, main])
def test_without_a_folder_of_data_the_option_is_named(
    command: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MUCG4_DATA", raising=False)

    assert callable(command)
    with pytest.raises(SystemExit):
        command([])

    assert "--data or MUCG4_DATA" in capsys.readouterr().err
