# SPDX-License-Identifier: Apache-2.0
"""A suite's experiments become rows, rows become tables and figures, and contradictions fail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import runner, suites, tables
from benchmarks.__main__ import main
from benchmarks.break_even import paid_back
from benchmarks.rows import ORIGINAL, read_rows
from benchmarks.runner import median_run, run_experiment
from benchmarks.suites import suite_of
from benchmarks.tables import section
from benchmarks.way_tables import ratios
from benchmarks.ways import PRODUCT, WAYS
from tests.benchmarks.small_suite import (
    TEXT,
    measurement,
    original_row,
    small_suite,
    variant_row,
)
from verifier.engine.statistics import Statistics
from verifier.errors import UsageError
from verifier.pipeline import Result
from verifier.verdict import Semantics, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.subject import Subject


def test_a_series_makes_a_variant_of_each_value(tmp_path: Path) -> None:
    suite = suite_of("small", TEXT, tmp_path)

    [experiment] = suite.experiments
    assert [variant.name for variant in experiment.variants] == ["half", "int16", "int8", "int4"]
    assert experiment.variants[2].options == ("bits=8",)
    [series] = suite.series
    assert series.axis == "bits of each weight"
    assert dict(series.values) == {"int16": 16.0, "int8": 8.0, "int4": 4.0}


def test_a_way_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="guessing"):
        suite_of("small", TEXT.replace("leaf replay", "guessing"), tmp_path)


@pytest.mark.slow
def test_every_variant_is_verified_in_every_way_once(tmp_path: Path) -> None:
    suite, out = small_suite(tmp_path), tmp_path / "rows.jsonl"
    [experiment] = suite.experiments

    first = run_experiment(suite, experiment, out, set())
    rows = read_rows(out)
    again = run_experiment(suite, experiment, out, {row.key for row in rows})

    assert (first, again) == (5, 0)
    assert [row.variant for row in rows] == [ORIGINAL, "half", "int16", "int8", "int4"]
    assert not any(row.is_wrong for row in rows)
    assert rows[0].others == {}
    for row in rows[1:]:
        assert list(row.others) == list(WAYS)
        decided = {way.verdict for way in row.verifications} - {Verdict.UNKNOWN}
        assert decided == {row.measured.verdict}
        assert all(0.0 < way.cpu_seconds < 60.0 for way in row.verifications)
    int16 = rows[2]
    assert int16.measured.certificate == "accepted"
    assert int16.reuse["cores"] == rows[0].measured.cores > 1


@pytest.mark.slow
def test_a_way_that_contradicts_the_others_makes_the_command_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, out = small_suite(tmp_path), tmp_path / "rows.jsonl"
    [experiment] = suite.experiments
    monkeypatch.setattr(suites, "FOLDER", tmp_path)
    (tmp_path / "small.toml").write_text(TEXT, encoding="utf-8")
    command = ["small", "--out", str(out), "--data", str(tmp_path), "--jobs", "1"]
    true = WAYS["leaf replay"]

    def lying(subject: Subject) -> Result:
        result = true(subject)
        is_held = result.verdict is Verdict.HOLDS
        return replace(result, verdict=Verdict.VIOLATED if is_held else Verdict.HOLDS)

    run_experiment(suite, experiment, out, set())
    assert main(command) == 0
    out.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(runner, "WAYS", {**WAYS, "leaf replay": lying})
        run_experiment(suite, experiment, out, set())

    assert main(command) == 1
    assert "4 contradict" in capsys.readouterr().out


def test_what_serves_reuse_is_left_out_of_both_clocks() -> None:
    measured = replace(
        measurement(cpu_seconds=3.0), seconds=12.0, steps={"minimize": 3.0, "deepen": 1.0}
    )

    assert measured.deciding_seconds == 8.0
    assert measured.deciding_cpu_seconds == 2.0


def test_ratios_are_of_what_both_decide_and_takes_long_from_scratch() -> None:
    rows = [
        variant_row("a", measurement(cpu_seconds=0.5), 1.0, from_scratch=measurement()),
        variant_row("b", measurement(), 1.0, from_scratch=measurement(cpu_seconds=0.1)),
        variant_row("c", measurement("unknown"), 1.0, from_scratch=measurement()),
        variant_row("d", measurement(), 1.0),
    ]

    assert ratios(rows, PRODUCT) == [0.5]


def test_the_page_shows_each_way_for_each_variant(tmp_path: Path) -> None:
    suite = suite_of("small", TEXT, tmp_path)
    unknown, slow = measurement("unknown", 0.25), measurement(cpu_seconds=2.0)
    rows = [
        original_row(measurement()),
        *(
            variant_row(
                name,
                measurement(cpu_seconds=0.5),
                rate,
                from_scratch=slow,
                leaf_replay=measurement(cpu_seconds=4.0),
                reuse_without_repair=slow,
                margin_alone=unknown,
            )
            for name, rate in (("int16", 1.0), ("int8", 0.5), ("int4", 0.25))
        ),
    ]

    text = section(suite, rows, tmp_path)

    assert "| net | 1 | holds | holds | 2.00 | 1.00 | - | - | - |" in text
    assert "| int8 | 1 holds | 1 | 50 % | 1 | 0.5 | 2.0 | 4.0 (1) |" in text
    assert "| int8 | 1.00 (1) | 2.00 (1) | 1.00 (1) | - | 0.25 (1) |" in text
    assert "| all | 2.000 | 4.000 | 2.000 | 0.250 | 0.500 |" in text
    assert "| all | 3 holds | 3 holds | 3 holds | 3 unknown | 3 holds |" in text
    assert "![Reuse and what it saves" in text
    assert (tmp_path / "small.png").stat().st_size > 10_000


def test_a_long_suite_is_told_in_sums_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST_ROWS", 2)
    suite = replace(suite_of("small", TEXT, tmp_path), series=(), ways=("from scratch",))
    slow, fast = measurement(cpu_seconds=2.0), measurement(cpu_seconds=0.5)
    rows = [variant_row(name, fast, 1.0, from_scratch=slow) for name in ("int16", "int8")]

    text = section(suite, [original_row(measurement()), *rows], tmp_path)

    assert "Its 3 rows are in the file" in text
    assert "| all | 2 holds | 2 | 100 % | 2 | 1.0 | 4.0 | 4.0 (2) |" in text
    assert "### Variants\n" not in text
    assert "### Originals" not in text
    assert "### Ways" not in text


def test_a_proof_is_paid_back_by_what_variants_gain() -> None:
    steps = {"minimize": 4.0, "deepen": 2.0}
    kept = replace(measurement(cpu_seconds=10.0), seconds=10.0, steps=steps)
    slow = measurement(cpu_seconds=5.0)
    gains = [
        variant_row(name, measurement(cpu_seconds=1.0), 1.0, from_scratch=slow) for name in "ab"
    ]
    loses = variant_row("c", slow, 1.0, from_scratch=measurement(cpu_seconds=1.0))

    paid = paid_back([original_row(kept)], gains)
    never = paid_back([original_row(kept)], [loses])

    assert "Of 1 proofs" in paid
    assert "the median is 1.5 variants" in paid
    assert paid.endswith("it is 1 proofs, and 1.0 variants.")
    assert "0 are paid back" in never
    assert "the median is inf variants" in never
    assert paid_back([original_row(kept)], []) == ""
    assert paid_back([original_row(measurement(cpu_seconds=0.05))], gains) == ""


def test_variants_without_every_way_are_not_compared(tmp_path: Path) -> None:
    suite = replace(suite_of("small", TEXT, tmp_path), series=())
    partial = variant_row("half", measurement(), 1.0, from_scratch=measurement())

    text = section(suite, [original_row(measurement()), partial], tmp_path)

    assert "0 variants of originals whose property holds" in text


def run(verdict: Verdict, cpu_seconds: float) -> tuple[Result, float]:
    return Result(verdict, "", Semantics.REAL, 1.0, None, Statistics()), cpu_seconds


def test_of_several_rounds_the_median_counts_and_one_that_decides() -> None:
    holds = [run(Verdict.HOLDS, seconds) for seconds in (3.0, 1.0, 2.0)]

    assert median_run(holds)[1] == 2.0
    assert median_run(holds[:2])[1] == 1.0
    assert median_run([run(Verdict.UNKNOWN, 1.0), holds[0], run(Verdict.UNKNOWN, 2.0)])[1] == 3.0
    assert median_run([run(Verdict.UNKNOWN, 1.0)])[1] == 1.0


def test_a_way_that_contradicts_itself_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="different verdicts"):
        median_run([run(Verdict.HOLDS, 1.0), run(Verdict.VIOLATED, 1.0)])
