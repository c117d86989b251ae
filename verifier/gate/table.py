# SPDX-License-Identifier: Apache-2.0
"""A report as lines for people: a block for each network in one form, a row for each property.

Below stands what is wrong, with the line of the property and the counterexample.
"""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import TYPE_CHECKING

from verifier.gate.finding import Finding
from verifier.gate.place import Places
from verifier.gate.words import cores_kept, counterexample_words, one_line, time_words
from verifier.report import LINE_WIDTH, lines, seconds_text

if TYPE_CHECKING:
    from verifier.gate.check import Check, Report
    from verifier.gate.place import Place

HEAD = ("judgement", "verdict", "time", "cores kept", "property")
INDENT = "  "
MOST_NUMBERS = 64


def report_text(report: Report) -> str:
    """Return a report for people."""
    rows = {check.name: _row(check) for check in report.checks}
    columns = zip(HEAD, *rows.values(), strict=True)
    widths = [max(map(len, column)) for column in columns]
    out = [INDENT + _aligned(HEAD, widths)]
    for subject, checks in groupby(report.checks, key=lambda check: check.question.subject):
        out.append(one_line(str(subject)))
        out += [INDENT + _aligned(rows[check.name], widths) for check in checks]
    places = Places(report.manifest)
    found = [finding for finding in map(Finding.of, report.checks) if finding is not None]
    parts = ["\n".join(out), *(_finding(each, places.of(each.check)) for each in found)]
    parts.append(lines([("result", report.summary), ("time", seconds_text(report.seconds))]))
    return "\n\n".join(parts)


def _row(check: Check) -> tuple[str, ...]:
    prop = one_line(check.question.prop)
    return (str(check.judgement), check.verdict, time_words(check), cores_kept(check), prop)


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    padded = [word.ljust(width) for word, width in zip(row, widths, strict=True)]
    return "  ".join(padded).rstrip()


def _finding(finding: Finding, place: Place) -> str:
    parts = textwrap.wrap(finding.sentence, LINE_WIDTH, break_long_words=False)
    where = f"{one_line(place.path)}:{place.line}"
    parts.append(f"{INDENT}{where}: {one_line(place.text)}" if place.text else f"{INDENT}{where}")
    words = counterexample_words(finding.check, MOST_NUMBERS)
    return "\n".join(parts) + ("\n" + textwrap.indent(words, INDENT) if words else "")
