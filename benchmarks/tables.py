# SPDX-License-Identifier: Apache-2.0
"""Tables of a suite's rows, as Markdown, and their place in a page between two marks."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from statistics import geometric_mean, median
from typing import TYPE_CHECKING

from benchmarks.runner import ORIGINAL, Row
from verifier.errors import UsageError
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.suites import Suite


WORTH_SAVING = 0.1
"""Seconds from scratch from which a ratio means something."""


def section(suite: Suite, rows: Sequence[Row]) -> str:
    """Return a suite's text, its counts and its tables."""
    # Variants of one network and property stay as they came: in the order of the suite.
    rows = sorted(rows, key=lambda row: (row.network, row.prop))
    originals = [row for row in rows if row.variant == ORIGINAL]
    variants = [row for row in rows if row.variant != ORIGINAL]
    parts = [f"## {suite.title}", suite.text, _counts(rows)]
    parts += ["### Originals" if variants else "", _originals(originals)]
    if variants:
        parts += ["### Variants, in sum", _summary(variants), "### Variants", _variants(variants)]
    return "\n\n".join(part for part in parts if part) + "\n"


def insert_section(page: Path, name: str, text: str) -> None:
    """Put a text between the marks ``<!-- NAME -->`` and ``<!-- end of NAME -->`` of a page.

    Raises:
        UsageError: The page lacks the marks.
    """
    old = page.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    if old.count(start) != 1 or old.count(end) != 1:
        msg = f"{page} lacks the lines {start.strip()!r} and {end.strip()!r}"
        raise UsageError(msg)
    before, _, rest = old.partition(start)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def _counts(rows: Sequence[Row]) -> str:
    verdicts = Counter(row.measured.verdict for row in rows)
    agreements = Counter(row.agreement for row in rows)
    certificates = Counter(
        m.certificate.partition(":")[0] or "too large to be checked here"
        for row in rows
        for m in (row.measured, row.scratch)
        if m is not None and m.verdict != Verdict.UNKNOWN
    )
    return (
        f"{len(rows)} verifications: {_listed(verdicts)}. "
        f"Against the verdicts known from elsewhere: {_listed(agreements)}. "
        f"Certificates: {_listed(certificates)}."
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _originals(rows: Sequence[Row]) -> str:
    return table(
        "network | property | verdict | expected | seconds | cores | certificate | to check, s",
        (
            (
                _network(row),
                Path(row.prop).stem.removeprefix("prop_"),
                row.measured.verdict,
                row.expected or "-",
                f"{row.measured.deciding_seconds:.2f}",
                row.measured.cores or "-",
                row.measured.certificate or "-",
                f"{row.measured.certificate_seconds:.2f}" if row.measured.certificate else "-",
            )
            for row in rows
        ),
    )


def _variants(rows: Sequence[Row]) -> str:
    with_scratch = any(row.scratch is not None for row in rows)
    scratch = "from scratch, s | " if with_scratch else ""
    head = (
        "network | property | variant | verdict | expected | cores | valid | repaired | residual | "
        f"reuse | seconds | {scratch}certificate"
    )
    return table(head, (_variant(row, with_scratch=with_scratch) for row in rows))


def _variant(row: Row, *, with_scratch: bool) -> tuple[object, ...]:
    reuse = row.reuse if row.reuse.get("cores") else {}
    rate = reuse.get("proof_reuse_rate")
    cells: list[object] = [
        _network(row),
        Path(row.prop).stem.removeprefix("prop_"),
        row.variant,
        row.measured.verdict,
        row.expected or "-",
        *(reuse.get(key, "-") for key in ("cores", "valid", "repaired", "residual_subproblems")),
        "-" if rate is None else f"{100 * rate:.0f} %",
        f"{row.measured.deciding_seconds:.2f}",
    ]
    if with_scratch:
        cells.append("-" if row.scratch is None else f"{row.scratch.deciding_seconds:.2f}")
    return (*cells, row.measured.certificate or "-")


def _summary(rows: Sequence[Row]) -> str:
    names = dict.fromkeys(row.variant for row in rows)
    return table(
        "variant | verdicts | holds with reuse | median reuse | entirely by reuse | "
        "seconds with reuse | seconds from scratch | times faster",
        (_sum([row for row in rows if row.variant == name]) for name in names),
    )


def _sum(rows: Sequence[Row]) -> tuple[object, ...]:
    """Sum up one variant; seconds are summed where both verifications came to a verdict."""
    reused = [
        row for row in rows if row.reuse.get("cores") and row.measured.verdict == Verdict.HOLDS
    ]
    entire = sum(row.reuse["residual_subproblems"] == 0 for row in reused)
    both = [
        (row.measured.deciding_seconds, row.scratch.deciding_seconds)
        for row in rows
        if row.scratch is not None
        and Verdict.UNKNOWN not in {row.measured.verdict, row.scratch.verdict}
    ]
    rates = [row.reuse["proof_reuse_rate"] for row in reused]
    # Below a tenth of a second there is nothing to save.
    ratios = [without / with_reuse for with_reuse, without in both if without > WORTH_SAVING]
    return (
        rows[0].variant,
        _listed(Counter(row.measured.verdict for row in rows)),
        len(reused),
        f"{100 * median(rates):.0f} %" if rates else "-",
        entire,
        f"{sum(with_reuse for with_reuse, _ in both):.1f}" if both else "-",
        f"{sum(without for _, without in both):.1f}" if both else "-",
        f"{geometric_mean(ratios):.1f} ({len(ratios)})" if ratios else "-",
    )


def _network(row: Row) -> str:
    match = re.search(r"_(\d_\d)_", row.network)
    return match[1] if match else Path(row.network).stem


def table(head: str, rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; the head's cells are parted by bars."""
    columns = head.count("|") + 1
    lines = [f"| {head} |", "|" + " --- |" * columns]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
