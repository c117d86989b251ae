# SPDX-License-Identifier: Apache-2.0
"""The ways to verify a variant, compared on the same variants: tables of a suite's rows."""

from __future__ import annotations

from collections import Counter
from statistics import geometric_mean, median
from typing import TYPE_CHECKING

from benchmarks.markdown import listed, table
from benchmarks.ways import PRODUCT, SCRATCH
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.rows import Measurement, Row

WORTH_SAVING = 0.1
"""CPU seconds from scratch from which a ratio means something."""

TEXT = """
### Ways to verify a variant

* *from scratch*: without the original.
* *leaf replay*: every leaf of a plain search of the original is solved anew on the variant, without
  stored multipliers, and split where that fails. This is how IVAN reuses a proof.
* *reuse without repair*: the original's cores, and leaves of those that fail, with their stored
  multipliers; the leaves that fail, too, are searched.
* *margin alone*: the differential margin and nothing else, which either carries the property over
  or says nothing.
* *reuse with repair*: what `mucg4 reverify` does.

{count} variants of originals whose property holds; the others have no proof to carry over.
"""
RATIOS = """
CPU seconds relative to those from scratch, and on how many variants: the geometric mean over those
that take more than {least} CPU s from scratch and that both ways decide.
"""


def way_tables(rows: Sequence[Row], ways: Sequence[str]) -> str:
    """Return the text and the tables of variants that were verified in all of several ways."""
    rows = [row for row in rows if row.others.keys() >= set(ways)]
    return "\n\n".join(
        [
            TEXT.format(count=len(rows)).strip(),
            RATIOS.format(least=WORTH_SAVING).strip(),
            _matrix(rows, ways, _ratio),
            "Median of CPU seconds:",
            _matrix(rows, ways, _seconds),
            "Verdicts:",
            _matrix(rows, ways, _verdicts),
        ]
    )


def ratios(rows: Sequence[Row], way: str) -> list[float]:
    """Return a way's CPU seconds relative to those from scratch, where that means something."""
    pairs = [(row.others[SCRATCH], _by(way, row)) for row in rows if SCRATCH in row.others]
    return [
        own.cpu_seconds / scratch.cpu_seconds
        for scratch, own in pairs
        if scratch.cpu_seconds > WORTH_SAVING
        and Verdict.UNKNOWN not in {scratch.verdict, own.verdict}
    ]


def _by(way: str, row: Row) -> Measurement:
    return row.measured if way == PRODUCT else row.others[way]


def _matrix(
    rows: Sequence[Row], ways: Sequence[str], cell: Callable[[Sequence[Row], str], str]
) -> str:
    """Return a table of variants by ways, with a last line for all variants."""
    columns = [*ways, PRODUCT]
    groups = {name: [r for r in rows if r.variant == name] for name in (r.variant for r in rows)}
    lines = [
        (name, *(cell(members, way) for way in columns))
        for name, members in [*groups.items(), ("all", rows)]
    ]
    return table(" | ".join(["variant", *columns]), lines)


def _ratio(rows: Sequence[Row], way: str) -> str:
    found = ratios(rows, way)
    return f"{geometric_mean(found):.2f} ({len(found)})" if found else "-"


def _seconds(rows: Sequence[Row], way: str) -> str:
    return f"{median(_by(way, row).cpu_seconds for row in rows):.3f}" if rows else "-"


def _verdicts(rows: Sequence[Row], way: str) -> str:
    return listed(Counter(_by(way, row).verdict for row in rows))
