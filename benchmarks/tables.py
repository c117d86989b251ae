# SPDX-License-Identifier: Apache-2.0
"""A suite's section of the page: its text, its counts, its tables and its figure."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from statistics import geometric_mean, median
from typing import TYPE_CHECKING

from benchmarks.break_even import paid_back
from benchmarks.depth_figure import draw_depth
from benchmarks.markdown import listed, table
from benchmarks.rows import ORIGINAL, Row
from benchmarks.way_tables import ratios, way_tables
from benchmarks.ways import PRODUCT
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.suites import Suite

MOST_ROWS = 400
LONG = "Its {count} rows are in the file that a run writes; here are their sums."
"""A longer table helps nobody on a page."""
FIGURE = """
A point is a variant of one network with one property, which it satisfies: above the share of cores
that are valid, below what reuse with repair saves of those that take over a tenth of a CPU second
from scratch. Lines join medians, and the middle half of the points lies in the band. What is
violated drops out, so that points at the right are rather of properties that hold by far.

![Reuse and what it saves, the more strongly the networks are compressed](images/{name}.png)
"""


def section(suite: Suite, rows: Sequence[Row], images: Path) -> str:
    """Return a suite's text, its counts and its tables, and draw its figure if it has series.

    Args:
        suite: What was run.
        rows: Its results.
        images: The folder of figures, which stands beside the page.
    """
    # Variants of one network and property stay as they came: in the order of the suite.
    rows = sorted(rows, key=lambda row: (row.network, row.prop))
    originals = [row for row in rows if row.variant == ORIGINAL]
    variants = [row for row in rows if row.variant != ORIGINAL]
    parts = [f"## {suite.title}", suite.text, _counts(rows)]
    is_short = len(rows) <= MOST_ROWS
    if is_short:
        parts += ["### Originals" if variants else "", _originals(originals)]
    else:
        parts.append(LONG.format(count=len(rows)))
    if variants:
        parts += ["### Variants, in sum", _summary(variants), paid_back(originals, variants)]
    if suite.series:
        images.mkdir(parents=True, exist_ok=True)
        draw_depth(suite.series, variants, images / f"{suite.name}.png")
        parts.append(FIGURE.format(name=suite.name).strip())
    if len(suite.ways) > 1:
        parts.append(way_tables(variants, suite.ways))
    if variants and is_short:
        parts += ["### Variants", _variants(variants)]
    return "\n\n".join(part for part in parts if part) + "\n"


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
        f"{len(rows)} verifications: {listed(verdicts)}. "
        f"Against the verdicts known from elsewhere: {listed(agreements)}. "
        f"Certificates: {listed(certificates)}."
    )


def _originals(rows: Sequence[Row]) -> str:
    return table(
        "network | property | verdict | expected | seconds | CPU s | cores | certificate | "
        "to check, s",
        (
            (
                _network(row),
                Path(row.prop).stem.removeprefix("prop_"),
                row.measured.verdict,
                row.expected or "-",
                f"{row.measured.deciding_seconds:.2f}",
                f"{row.measured.deciding_cpu_seconds:.2f}",
                row.measured.cores or "-",
                row.measured.certificate or "-",
                f"{row.measured.certificate_seconds:.2f}" if row.measured.certificate else "-",
            )
            for row in rows
        ),
    )


def _variants(rows: Sequence[Row]) -> str:
    with_scratch = any(row.scratch is not None for row in rows)
    scratch = "from scratch, CPU s | " if with_scratch else ""
    head = (
        "network | property | variant | verdict | expected | cores | valid | repaired | residual | "
        f"reuse | seconds | CPU s | {scratch}certificate"
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
        f"{row.measured.seconds:.2f}",
        f"{row.measured.cpu_seconds:.2f}",
    ]
    if with_scratch:
        cells.append("-" if row.scratch is None else f"{row.scratch.cpu_seconds:.2f}")
    return (*cells, row.measured.certificate or "-")


def _summary(rows: Sequence[Row]) -> str:
    names = dict.fromkeys(row.variant for row in rows)
    groups = {name: [row for row in rows if row.variant == name] for name in names}
    return table(
        "variant | verdicts | holds with reuse | median reuse | entirely by reuse | "
        "CPU s with reuse | CPU s from scratch | times faster",
        ((name, *_sum(members)) for name, members in [*groups.items(), ("all", rows)]),
    )


def _sum(rows: Sequence[Row]) -> tuple[object, ...]:
    """Sum up variants; seconds are summed where both verifications came to a verdict."""
    reused = [
        row for row in rows if row.reuse.get("cores") and row.measured.verdict == Verdict.HOLDS
    ]
    entire = sum(row.reuse["residual_subproblems"] == 0 for row in reused)
    both = [
        (row.measured.cpu_seconds, row.scratch.cpu_seconds)
        for row in rows
        if row.scratch is not None
        and Verdict.UNKNOWN not in {row.measured.verdict, row.scratch.verdict}
    ]
    rates = [row.reuse["proof_reuse_rate"] for row in reused]
    saved = ratios(rows, PRODUCT)
    return (
        listed(Counter(row.measured.verdict for row in rows)),
        len(reused),
        f"{100 * median(rates):.0f} %" if rates else "-",
        entire,
        f"{sum(with_reuse for with_reuse, _ in both):.1f}" if both else "-",
        f"{sum(without for _, without in both):.1f}" if both else "-",
        f"{1.0 / geometric_mean(saved):.1f} ({len(saved)})" if saved else "-",
    )


def _network(row: Row) -> str:
    match = re.search(r"_(\d_\d)_", row.network)
    return match[1] if match else Path(row.network).stem
