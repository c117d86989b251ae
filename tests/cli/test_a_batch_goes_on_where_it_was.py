# SPDX-License-Identifier: Apache-2.0
"""``batch``: one answer for each question, whatever was killed on the way."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.running import HOLDS_FROM, VIOLATED_UP_TO, network_bytes, property_text, run

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120.0
ZOO = """
timeout_seconds = 60
networks = ["*.onnx"]
properties = ["*.vnnlib"]

[[compressions]]
steps = [
    { method = "integer_quantisation", options = { bits = 16 } },
    { method = "integer_quantisation", options = { bits = 8 } },
    { method = "magnitude_pruning", options = { sparsity = [0.05, 0.1] } },
]
[[compressions]]
method = "neuron_pruning"
options = { fraction = "1/8" }
"""
NETWORKS, VARIANTS, PROPERTIES = 3, 5, 2
QUESTIONS = NETWORKS * (1 + VARIANTS) * PROPERTIES


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    folder = tmp_path / "zoo"
    folder.mkdir()
    for number in range(NETWORKS):
        (folder / f"n{number}.onnx").write_bytes(network_bytes(seed=3 + number))
    for name, bound in (("above", HOLDS_FROM), ("below", VIOLATED_UP_TO)):
        text = property_text(f"(>= Y_0 {bound})")
        (folder / f"{name}.vnnlib").write_text(text, encoding="utf-8")
    (folder / "zoo.toml").write_text(ZOO, encoding="utf-8")
    return folder / "zoo.toml"


def words(zoo: Path, out: Path, *more: str) -> list[str]:
    return ["batch", str(zoo), "--results", str(out), "--processes", "2", *more]


def rows(table: Path) -> list[list[str]]:
    """Return a table without its times."""
    with table.open(encoding="utf-8", newline="") as file:
        return [row[:-1] for row in csv.reader(file)]


def outcomes(work: Path) -> dict[str, str]:
    """Return what is stored so far."""
    if not (work / "outcomes.sqlite").exists():
        return {}
    connection = sqlite3.connect(work / "outcomes.sqlite", timeout=30.0)
    try:
        return dict(connection.execute("SELECT digest, document FROM outcomes").fetchall())
    except sqlite3.OperationalError:  # The table is being made.
        return {}
    finally:
        connection.close()


def start(words: Sequence[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "verifier.cli.main", *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


@pytest.mark.slow
def test_a_run_that_is_killed_three_times_ends_as_one_that_is_not(
    zoo: Path, tmp_path: Path
) -> None:
    out, work, whole = tmp_path / "out.csv", tmp_path / "out.work", tmp_path / "whole.csv"
    kept: dict[str, str] = {}
    for _ in range(3):
        process = start(words(zoo, out))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(outcomes(work)) < len(kept) + 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        before, kept = kept, outcomes(work)
        assert before.items() <= kept.items()
        assert len(before) + 5 <= len(kept) < QUESTIONS

    assert start(words(zoo, out)).wait() == 0
    assert start(words(zoo, whole)).wait() == 0

    # What was there has stayed as it was, times included: nothing was done twice.
    assert kept.items() <= outcomes(work).items()
    assert rows(out) == rows(whole)
    assert len(rows(out)) == QUESTIONS


@pytest.mark.slow
def test_workers_end_with_a_run_that_is_killed(zoo: Path, tmp_path: Path) -> None:
    process = start(words(zoo, tmp_path / "out.csv"))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (workers := children(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)

    process.kill()
    process.wait()

    assert workers
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(word) for word in found]


@pytest.mark.slow
def test_a_zoo_is_answered_the_same_with_and_without_reuse(zoo: Path, tmp_path: Path) -> None:
    out, scratch, page = (tmp_path / name for name in ("out.csv", "scratch.csv", "out.html"))
    cactus = tmp_path / "cactus.svg"

    done = run(*words(zoo, out, "--format", "json", "--matrix", str(page), "--cactus", str(cactus)))
    again = run(*words(zoo, scratch, "--without-reuse", "--quiet"))

    found = done.document["questions"]
    assert (done.status, again.status) == (0, 0), done.errors + again.errors
    assert rows(out) == rows(scratch)
    assert {row[4] for row in rows(out)} == {"sat", "unsat"}
    assert len(found) == QUESTIONS
    assert sum(question["proof_reuse_rate"] is not None for question in found) >= VARIANTS
    text = page.read_text(encoding="utf-8")
    assert text.count('<td class="') == QUESTIONS
    assert cactus.read_bytes().startswith(b"<?xml")


@pytest.mark.slow
def test_a_table_of_the_competition_is_answered_row_by_row(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(network_bytes())
    for name, bound in (("above", HOLDS_FROM), ("below", VIOLATED_UP_TO)):
        text = property_text(f"(>= Y_0 {bound})")
        (tmp_path / f"{name}.vnnlib").write_text(text, encoding="utf-8")
    (tmp_path / "broken.vnnlib").write_text("(assert", encoding="utf-8")
    table = tmp_path / "instances.csv"
    names = ("above", "below", "broken", "missing")
    lines = [f"net.onnx,{name}.vnnlib,60\n" for name in names]
    table.write_text("".join(lines), encoding="utf-8")
    out = tmp_path / "out.csv"

    done = run(*words(table, out))

    assert [row[1:] for row in rows(out)] == [
        ["net.onnx", f"{name}.vnnlib", "0", answer]
        for name, answer in zip(names, ("unsat", "sat", "error", "error"), strict=True)
    ]
    assert done.status == 3
    assert "broken.vnnlib: query.vnnlib:1:1: " in done.errors
    assert "missing.vnnlib: cannot be read: No such file" in done.errors


AXES = """
[[frontier]]
method = "magnitude_pruning"
options = { sparsity = [0.05, 0.1, 0.9] }
[[frontier]]
method = "integer_quantisation"
options = { bits = [16, 8] }
"""


@pytest.mark.slow
def test_the_strongest_compression_that_holds_is_found_and_drawn(zoo: Path, tmp_path: Path) -> None:
    text = ZOO[: ZOO.index("[[compressions]]")].replace("*.vnnlib", "above.vnnlib") + AXES
    zoo.write_text(text, encoding="utf-8")
    out, figure = tmp_path / "out.csv", tmp_path / "frontier.svg"

    done = run(*words(zoo, out, "--frontier", str(figure), "--format", "json"))

    assert done.status == 0, done.errors
    answered = {(row[1], row[4]) for row in rows(out)}
    found = done.document["frontiers"]
    assert sorted(found) == [f"n{number}.onnx" for number in range(NETWORKS)]
    for network, frontier in found.items():
        holding = [tried["relative_size"] for tried in frontier["tried"] if tried["all_hold"]]
        assert len(frontier["tried"]) <= 3 + 2 + 1
        best = frontier["strongest"]
        if best is None:
            assert holding == []
            continue
        assert best["relative_size"] == min(holding)
        assert (f"{network} ({', '.join(best['steps'])})", "unsat") in answered
    assert found["n0.onnx"]["strongest"]["relative_size"] < 0.5
    assert figure.read_bytes().startswith(b"<?xml")


def test_a_search_of_the_strongest_needs_axes(zoo: Path, tmp_path: Path) -> None:
    done = run(*words(zoo, tmp_path / "out.csv", "--frontier", str(tmp_path / "f.svg")))

    assert done.status == 2
    assert "--frontier needs [[frontier]]" in done.errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no instance in it"),
        ("net.onnx,p.vnnlib,1\nnet.onnx,p.vnnlib,2\n", ":2: this is asked before already"),
        ("net.onnx,p.vnnlib\n", ":1: 2 columns"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(text: str, message: str, tmp_path: Path) -> None:
    table = tmp_path / "instances.csv"
    table.write_text(text, encoding="utf-8")

    done = run(*words(table, tmp_path / "out.csv", "--format", "json"))

    assert done.status == 2
    assert message in json.loads(done.printed)["error"]["message"]
