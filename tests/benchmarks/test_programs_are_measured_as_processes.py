# SPDX-License-Identifier: Apache-2.0
"""What a verifier said last counts, and what it and its children cost; beyond its limit it ends."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.peer_report import Row, report
from benchmarks.processes import Command, Cost, run
from benchmarks.suites import Suite
from verifier.verdict import Verdict

NETWORK, PROPERTY = Path("net work.onnx"), Path("p.vnnlib")


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("unsat", Verdict.HOLDS),
        ("sat\nx0 = 1", Verdict.VIOLATED),
        ("verdict: holds", Verdict.HOLDS),
        ("Result: SAT", Verdict.VIOLATED),
        ("trying sat ... UNSAT", Verdict.HOLDS),
        ("unsat so far\ntimeout", Verdict.UNKNOWN),
        ("unsatisfactory", Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
    ],
)
def test_the_last_word_is_the_verdict(said: str, verdict: Verdict) -> None:
    assert run(python(f"print({said!r})"), 60).verdict is verdict


def test_children_are_counted() -> None:
    burn = "import time\nwhile time.process_time() < 0.4: pass"
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])"

    cost = run(python(child), 60)

    assert cost.cpu_seconds > 0.4
    assert cost.wall_seconds > 0.4
    assert cost.peak_mib > 1


def test_a_program_that_outlives_its_limit_ends_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.0)
    name = tmp_path / "child"
    child = f"import os, time\nopen({str(name)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    parent = f"import subprocess\nprint('sat', flush=True)\nsubprocess.run({python(child)!r})"

    cost = run(python(parent), 2.0)

    assert cost.verdict is Verdict.UNKNOWN
    assert cost.wall_seconds < 30
    ends = time.monotonic() + 10
    while is_running(int(name.read_text())) and time.monotonic() < ends:
        time.sleep(0.01)
    assert not is_running(int(name.read_text()))


def is_running(pid: int) -> bool:
    """Return whether a process runs, and is not one that has ended and waits to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_is_filled_in_word_by_word() -> None:
    command = Command.parse("peer='my solver' {network} --p={property} -t {seconds}")

    line = command.line(NETWORK, PROPERTY, 115.6)

    assert command.name == "peer"
    assert line == ["my solver", "net work.onnx", "--p=p.vnnlib", "-t", "116"]


@pytest.mark.parametrize("text", ["solver {network} {property}", "a=solver {network}", "=x"])
def test_a_command_without_a_name_or_a_place_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="NAME=COMMAND is expected"):
        Command.parse(text)


def test_a_report_counts_and_compares(tmp_path: Path) -> None:
    suite = Suite("s", "Some", "text", tmp_path, 60.0, (), 1, 1, 0, (), (), {})
    rows = [
        Row("ours", "a.onnx", "prop_1.vnnlib", "holds", Cost(Verdict.HOLDS, 1.0, 1.0, 80.0)),
        Row("peer", "a.onnx", "prop_1.vnnlib", "holds", Cost(Verdict.VIOLATED, 4.0, 4.0, 90.0)),
        Row("ours", "b.onnx", "prop_1.vnnlib", "", Cost(Verdict.HOLDS, 2.0, 2.0, 85.0)),
        Row("peer", "b.onnx", "prop_1.vnnlib", "", Cost(Verdict.UNKNOWN, 60.0, 60.0, 99.0)),
    ]

    text = report(suite, rows, ["ours", "peer"], tmp_path)

    assert "| ours | 2 of 2 | 0 | 3 : 3 | 1.00 | 85 |" in text
    assert "| peer | 1 of 2 | 1 | 1 : 4 | 0.25 | 99 |" in text
    assert "| a | 1 | holds, 1.0 s | violated (WRONG), 4.0 s |" in text
    assert "| b | 1 | holds, 2.0 s | no verdict |" in text
    assert (tmp_path / "peers.png").stat().st_size > 10_000
