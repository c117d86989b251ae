# SPDX-License-Identifier: Apache-2.0
"""Tables and counts as Markdown, and the place of a text in a page between two marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def table(head: str, rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; the head's cells are parted by bars."""
    columns = head.count("|") + 1
    lines = [f"| {head} |", "|" + " --- |" * columns]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def listed(counts: Counter[str]) -> str:
    """Return counts as words, such as ``2 holds, 1 violated``."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


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
