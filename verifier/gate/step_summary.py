# SPDX-License-Identifier: Apache-2.0
"""A report as Markdown, for the summary of a step on GitHub and for comments.

All that comes from files stands in code, where Markdown interprets nothing. A step's summary may
have 1 MiB, so what has passed, and the details of what has not, are cut after some hundreds.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from verifier.gate.finding import Finding
from verifier.gate.judgement import Judgement
from verifier.gate.place import Places
from verifier.gate.words import cores_kept, counterexample_words, one_line, plain, time_words
from verifier.report import ARITHMETIC, seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from verifier.batch.question import Subject
    from verifier.gate.check import Check, Report

MOST_COLUMNS, MOST_NAMES, MOST_ROWS, MOST_DETAILS, MOST_NUMBERS = 8, 120, 500, 50, 32
SYMBOLS = {
    Judgement.PASSED: "✅",
    Judgement.ALLOWED: "⚪",
    Judgement.INCONCLUSIVE: "❔",
    Judgement.FAILED: "❌",
    Judgement.CRASHED: "💥",
}
_STATUS = {0: "✅", 1: "❌", 3: "❔", 4: "💥"}


def report_markdown(report: Report) -> str:
    """Return a report as Markdown."""
    reused = [check for check in report.checks if check.reuse is not None]
    cached = sum(check.is_cached for check in report.checks)
    facts = [f"Done in {seconds_text(report.seconds)}"]
    facts += [f"{len(reused)} by reuse of a proof"] if reused else []
    facts += [f"{cached} done in an earlier run"] if cached else []
    semantics = report.manifest.semantics
    parts = [
        f"## {_STATUS[report.status]} mucg4: {report.summary}",
        "\n".join(_table(report.checks)),
        *_details(report),
        f"{', '.join(facts)}. Verdicts are about {ARITHMETIC[semantics]}; mucg4 {report.version}.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(checks: Sequence[Check]) -> list[str]:
    properties = list(dict.fromkeys(check.question.prop for check in checks))
    subjects = list(dict.fromkeys(check.question.subject for check in checks))
    is_wide = len(properties) > MOST_COLUMNS or sum(map(len, properties)) > MOST_NAMES
    if is_wide or len(subjects) > MOST_ROWS:
        return _list(checks)
    cells = {(check.question.subject, check.question.prop): _cell(check) for check in checks}

    def row(subject: Subject) -> list[str]:
        own = (cells.get((subject, prop), "") for prop in properties)
        return [_code(str(subject), is_cell=True), *own]

    head = ["network", *(_code(prop, is_cell=True) for prop in properties)]
    return _lines(head, map(row, subjects))


def _list(checks: Sequence[Check]) -> list[str]:
    """Return a row for each check, first those that have not passed."""
    ordered = sorted(checks, key=lambda check: check.judgement is Judgement.PASSED)
    head = ["", "network", "property", "time", "cores kept"]
    rows = (
        [
            f"{SYMBOLS[check.judgement]} {check.judgement}",
            _code(str(check.question.subject), is_cell=True),
            _code(check.question.prop, is_cell=True),
            time_words(check),
            cores_kept(check),
        ]
        for check in ordered[:MOST_ROWS]
    )
    left = len(ordered) - MOST_ROWS
    return _lines(head, rows) + (["", f"... and {left} more."] if left > 0 else [])


def _cell(check: Check) -> str:
    facts = [time_words(check)]
    facts += [f"{cores_kept(check)} of cores kept"] if check.reuse is not None else []
    return f"{SYMBOLS[check.judgement]} {check.judgement}<br>{', '.join(facts)}"


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---"] * len(head)
    return [f"| {' | '.join(row)} |" for row in chain((head, rule), rows)]


def _details(report: Report) -> list[str]:
    """Return what is wrong, with reasons and counterexamples."""
    places = Places(report.manifest)
    found = [finding for finding in map(Finding.of, report.checks) if finding is not None]
    parts = []
    for finding in found[:MOST_DETAILS]:
        check, place = finding.check, places.of(finding.check)
        symbol = SYMBOLS[check.judgement]
        question = check.question
        text = [plain(check.reason), counterexample_words(check, MOST_NUMBERS)]
        where = _code(f"{place.path}:{place.line}")
        parts.append(f"### {symbol} {_code(str(question.subject))}: {_code(question.prop)}")
        parts.append(f"{finding.kind}: {where} {_code(place.text)}".rstrip())
        parts.append(_block("\n\n".join(part for part in text if part)))
    left = len(found) - MOST_DETAILS
    return parts + ([f"... and {left} more that have not passed."] if left > 0 else [])


def _code(text: str, *, is_cell: bool = False) -> str:
    """Return a text on one line as code; in a cell of a table, bars would end the cell."""
    text = one_line(text).strip()
    if not text:
        return ""
    fence = "`" * (_longest_run(text) + 1)
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    text = text.replace("|", "\\|") if is_cell else text
    return f"{fence}{padding}{text}{padding}{fence}"


def _block(text: str) -> str:
    fence = "`" * max(_longest_run(text) + 1, 3)
    return f"{fence}text\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
