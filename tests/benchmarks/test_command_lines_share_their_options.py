# SPDX-License-Identifier: Apache-2.0
"""Command lines that look at one proof prove what they are told to, or end with a message."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import bounding, covering, scaling
from benchmarks.__main__ import main
from tests.proof.small_proofs import ON_INPUTS, proofs
from verifier.ir.onnx_writer import write_onnx
from verifier.spec.vnnlib_writer import write_vnnlib

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def written(folder: Path) -> list[str]:
    """Write a small network with its property, and return the options that name them."""
    found = proofs(1, ON_INPUTS)[0]
    (folder / "net.onnx").write_bytes(write_onnx(found.graph, "float64"))
    (folder / "p.vnnlib").write_text(write_vnnlib(found.prop), encoding="utf-8")
    return ["--data", str(folder), "--network", "net.onnx", "--property", "p.vnnlib"]


def test_the_three_ways_to_see_a_cover_are_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert covering.main(written(tmp_path)) == 0

    first, *lines = capsys.readouterr().out.splitlines()
    assert first.endswith(" leaves")
    names = [line[:18].strip() for line in lines]
    assert names == ["tree", "tree's proof", "SAT solver's proof"]


@pytest.mark.slow
def test_both_ways_to_bound_regions_are_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bounding.main(written(tmp_path)) == 0

    first, *lines = capsys.readouterr().out.splitlines()
    assert " regions, " in first
    names = [line[:20].strip() for line in lines]
    assert names == ["products of matrices", "compiled loops", "first use"]


@pytest.mark.parametrize("command", [covering.main, bounding.main, scaling.main, main])
def test_without_a_folder_of_data_the_option_is_named(
    command: Callable[[list[str]], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("MUCG4_DATA", raising=False)

    with pytest.raises(SystemExit):
        command([])

    assert "--data or MUCG4_DATA" in capsys.readouterr().err


def test_a_property_without_a_proof_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = written(tmp_path)
    found = proofs(1, ON_INPUTS)[0]
    case = found.prop.cases[0]
    everything = replace(found.prop, cases=(replace(case, constraints=()),))
    (tmp_path / "p.vnnlib").write_text(write_vnnlib(everything), encoding="utf-8")

    with pytest.raises(SystemExit):
        covering.main(options)

    assert "the property has no proof by cores" in capsys.readouterr().err
