# SPDX-License-Identifier: Apache-2.0
"""The outcome of ``mucg4 demo`` as a table for people and as JSON for programs."""

from __future__ import annotations

import io
import statistics
import sys
from typing import TYPE_CHECKING, Any

from verifier.report import break_even_variants, ratio_text, seconds_text
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.table import Table

    from verifier.cli.demo_runs import Run, Subject

STYLES = {Verdict.HOLDS: "green", Verdict.VIOLATED: "red", Verdict.UNKNOWN: "yellow"}
WIDTH = 100


def document(
    original: Subject, variants: Sequence[Subject], rejected: Mapping[Path, str]
) -> dict[str, Any]:
    """Return the outcome as JSON values."""
    return {
        "original": _subject_json(original, rejected),
        "variants": [
            {
                **_subject_json(variant, rejected),
                "scratch_seconds": round(variant.scratch_seconds, 6),
                "speedup": round(variant.speedup, 3),
            }
            for variant in variants
        ],
        "certificates": {
            "checked": len(rejected),
            "accepted": sum(not reason for reason in rejected.values()),
        },
    }


def _subject_json(subject: Subject, rejected: Mapping[Path, str]) -> dict[str, Any]:
    return {
        "title": subject.title,
        "network": str(subject.network),
        "seconds": round(subject.seconds, 6),
        "properties": [_run_json(run, rejected) for run in subject.runs],
    }


def _run_json(run: Run, rejected: Mapping[Path, str]) -> dict[str, Any]:
    reuse = run.result.reuse
    return {
        "property": run.question.path.stem,
        "verdict": str(run.result.verdict),
        "reason": run.result.reason,
        "seconds": round(run.result.seconds, 6),
        "scratch_seconds": round(run.scratch.seconds, 6),
        "cores": 0 if run.result.proof is None else len(run.result.proof.cores),
        "reuse": None if reuse is None else reuse.to_json(),
        "certificate": None if run.certificate is None else str(run.certificate),
        "certificate_accepted": None if run.certificate is None else not rejected[run.certificate],
    }


def text(original: Subject, variants: Sequence[Subject], rejected: Mapping[Path, str]) -> str:
    """Return the outcome as tables, in colour where standard output is a terminal."""
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    stream = io.StringIO()
    console = Console(file=stream, width=WIDTH, force_terminal=is_terminal, highlight=False)
    console.print(_runs_table(original, variants))
    console.print(_summary_table(original, variants))
    accepted = sum(not reason for reason in rejected.values())
    count = f"the independent checker accepted {accepted} of {len(rejected)} certificates"
    return f"{stream.getvalue().rstrip()}\n\n  {count}"


def _runs_table(original: Subject, variants: Sequence[Subject]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1),
        title="Is every image within ε of this one read as this digit?",
    )
    for name in ("property", "verdict"):
        table.add_column(name, no_wrap=True)
    for name in ("cores valid", "repaired", "by reuse", "from scratch", "speed-up"):
        table.add_column(name, justify="right", no_wrap=True)
    for subject in (original, *variants):
        table.add_row(f"[bold]{subject.title}[/]")
        for number, run in enumerate(subject.runs):
            table.add_row(
                f"  {run.question.name}",
                f"[{STYLES[run.result.verdict]}]{run.result.verdict}[/]",
                *_reuse_cells(run),
                end_section=number == len(subject.runs) - 1,
            )
    return table


def _reuse_cells(run: Run) -> tuple[str, ...]:
    scratch = seconds_text(run.scratch.seconds)
    if run.result is run.scratch:
        return "", "", "", scratch, ""
    reuse = run.result.reuse
    cores = ("", "")
    if reuse is not None and reuse.cores:
        cores = (f"{reuse.valid} of {reuse.cores}", str(reuse.repaired))
    ratio = run.scratch.seconds / run.result.seconds
    return *cores, seconds_text(run.result.seconds), scratch, ratio_text(ratio)


def _summary_table(original: Subject, variants: Sequence[Subject]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    cost = original.seconds
    title = f"In sum: proving the original took {seconds_text(cost)}"
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), title=title)
    table.add_column("network", no_wrap=True)
    for name in ("by reuse", "from scratch", "speed-up", "median speed-up", "break-even after"):
        table.add_column(name, justify="right", no_wrap=True)
    for variant in variants:
        ratios = [run.scratch.seconds / run.result.seconds for run in variant.runs]
        number = break_even_variants(cost, variant.seconds, variant.scratch_seconds)
        table.add_row(
            variant.title,
            seconds_text(variant.seconds),
            seconds_text(variant.scratch_seconds),
            ratio_text(variant.speedup),
            ratio_text(statistics.median(ratios)),
            "never" if number is None else f"{number} like this",
        )
    return table
