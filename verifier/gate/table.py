# SPDX-License-Identifier: Apache-2.0
"""A report as lines for people: a row for each network, in each form, and property."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.report import lines, seconds_text

if TYPE_CHECKING:
    from verifier.gate.check import Check, Report

HEAD = ("judgement", "verdict", "time", "cores kept", "network", "property")
CACHED = "cached"


def report_text(report: Report) -> str:
    """Return a report for people."""
    rows = [HEAD, *(_row(check) for check in report.checks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    table = "\n".join(_aligned(row, widths) for row in rows)
    reasons = [(check.name, check.reason) for check in report.checks if check.reason]
    parts = [table]
    parts += ["\n".join(f"{name}:\n    {reason}" for name, reason in reasons)] if reasons else []
    parts.append(lines([("result", report.summary), ("time", seconds_text(report.seconds))]))
    return "\n\n".join(parts)


def cores_kept(check: Check) -> str:
    """Return which share of the original's cores was valid as it was; empty without reuse."""
    return "" if check.reuse is None else f"{check.reuse['proof_reuse_rate']:.0%}"


def _row(check: Check) -> tuple[str, ...]:
    time = CACHED if check.is_cached else seconds_text(check.seconds)
    question = check.question
    place = (str(question.subject), question.prop)
    return (str(check.judgement), check.verdict, time, cores_kept(check), *place)


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    padded = [word.ljust(width) for word, width in zip(row, widths, strict=True)]
    return "  ".join(padded).rstrip()
