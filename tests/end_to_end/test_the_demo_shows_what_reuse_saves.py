# SPDX-License-Identifier: Apache-2.0
"""``mucg4 demo``, in full: the bundled network, three variants, every certificate."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the JSON of one run."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "verifier.cli.main",
            "demo",
            "--out",
            str(folder),
            "--format",
            "json",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    document: dict[str, Any] = json.loads(done.stdout)
    return folder, document


@pytest.mark.slow
def test_every_certificate_is_accepted(outcome: tuple[Path, dict[str, Any]]) -> None:
    _, document = outcome

    assert document["certificates"]["checked"] == 32
    assert document["certificates"]["accepted"] == 32


@pytest.mark.slow
def test_the_original_has_the_verdicts_of_its_readme(outcome: tuple[Path, dict[str, Any]]) -> None:
    _, document = outcome

    verdicts = [run["verdict"] for run in document["original"]["properties"]]
    assert verdicts == ["holds"] * 7 + ["violated"]


@pytest.mark.slow
def test_reuse_is_faster_in_sum_and_partly_fails(outcome: tuple[Path, dict[str, Any]]) -> None:
    _, document = outcome

    reports = [
        run["reuse"]
        for variant in document["variants"]
        for run in variant["properties"]
        if run["reuse"]["cores"]
    ]
    seconds = sum(variant["seconds"] for variant in document["variants"])
    scratch = sum(variant["scratch_seconds"] for variant in document["variants"])
    assert scratch > seconds
    assert sum(report["valid"] for report in reports) > 100
    assert sum(report["repaired"] for report in reports) > 0
    assert sum(report["residual_subproblems"] for report in reports) > 0


@pytest.mark.slow
def test_compression_breaks_a_property_that_held(outcome: tuple[Path, dict[str, Any]]) -> None:
    _, document = outcome

    before = [run["verdict"] for run in document["original"]["properties"]]
    after = [[r["verdict"] for r in variant["properties"]] for variant in document["variants"]]
    assert any(
        (old, new) == ("holds", "violated")
        for verdicts in after
        for old, new in zip(before, verdicts, strict=True)
    )


@pytest.mark.slow
def test_picture_networks_and_certificates_are_left_behind(
    outcome: tuple[Path, dict[str, Any]],
) -> None:
    folder, document = outcome

    picture = Path(document["picture"])
    assert picture.read_bytes().startswith(PNG)
    assert picture.stat().st_size > 50_000
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {
        "original",
        "int8",
        "pruned",
        "smaller",
    }
    assert len(list(folder.rglob("*.certificate"))) == 32
    assert len(list(folder.rglob("*.proof"))) == 8
    assert json.loads((folder / "demo.json").read_text(encoding="utf-8")) == document


def test_the_example_has_what_the_demo_reads() -> None:
    from verifier.cli.demo_runs import example_folder, questions

    folder = example_folder()
    with (folder / "properties" / "index.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert [question.label for question in questions(folder)] == [int(r["label"]) for r in rows]
    assert (folder / "digits.onnx").is_file()
