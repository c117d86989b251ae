# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.fuzz``: check random cases until told otherwise, and report what fails.

Case ``i`` has the seed ``S + i``, so a run can be continued and a failure run again by its seed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.agreement import CaseReport, check, random_case, run_case
from benchmarks.shrink import describe, shrink

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 25
MOST_SHRUNKEN = 10
"""Failures that are simplified, which takes up to a minute each; one bug makes many."""


def main(arguments: list[str] | None = None) -> int:
    """Check as many cases as the command line says; 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="number of cases")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first case")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument(
        "--failures",
        type=Path,
        default=Path("build/fuzz"),
        help="a folder for descriptions of what fails",
    )
    choices = parser.parse_args(arguments)
    started = time.perf_counter()
    counts: Counter[str] = Counter()
    failed = 0
    for report in _reports(choices):
        counts += report.counts
        if report.failures:
            failed += 1
            _write(report, choices.failures, shrinks=failed <= MOST_SHRUNKEN)
    seconds = time.perf_counter() - started
    print(f"{choices.count} cases in {seconds:.0f} s, {choices.count / seconds:.1f} a second")
    for name, count in sorted(counts.items()):
        print(f"  {count} {name}")
    print(f"{failed} cases failed")
    return 1 if failed else 0


def _reports(choices: argparse.Namespace) -> Iterator[CaseReport]:
    """Yield the reports of all cases, from worker processes, with progress on a terminal."""
    # Workers inherit it before they import numpy, which reads it once.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    seeds = range(choices.seed, choices.seed + choices.count)
    columns = (MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[failed]}"))
    with (
        ProcessPoolExecutor(choices.jobs, get_context("spawn"), _start) as pool,
        Progress(*columns, transient=True) as progress,
    ):
        bar = progress.add_task("cases", total=choices.count, failed="")
        failed = 0
        for report in pool.map(run_case, seeds, chunksize=CHUNK):
            failed += bool(report.failures)
            progress.update(bar, advance=1, failed=f"{failed} failed" if failed else "")
            yield report


def _start() -> None:
    """Prepare a worker: an unexpected overflow or division is a finding, not a line of text."""
    warnings.simplefilter("error")


def _write(report: CaseReport, folder: Path, *, shrinks: bool) -> None:
    """Print a failure, and write down its case, simplified if that is asked for."""
    for failure in report.failures:
        print(f"seed {report.seed}: {failure}", flush=True)
    _start()
    case = random_case(report.seed)
    if shrinks:
        case = shrink(case, lambda other: bool(check(other).kinds & report.kinds))
    text = "\n".join([*report.failures, "", *check(case).failures, describe(case), ""])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{report.seed}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
