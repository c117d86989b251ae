# SPDX-License-Identifier: Apache-2.0
"""Networks and properties as a table in one HTML file that needs nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from verifier.batch.results import VERDICTS, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.batch.question import Subject

SYMBOLS = {"holds": "✓", "violated": "✗", "unknown": "?", "timeout": "…", "error": "!"}
MEANINGS = {
    "holds": "no input in the set has an unsafe output",
    "violated": "there is a counterexample",
    "unknown": "neither was shown",
    "timeout": "neither was shown in time",
    "error": "no answer; the cell says why",
}


@dataclass(frozen=True)
class Row:
    """A network, what to call it, and its results: one for each property, None where not asked."""

    subject: Subject
    network: str
    cells: tuple[Result | None, ...]


def matrix_page(title: str, results: Sequence[Result]) -> str:
    """Return the page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    properties = sorted({result.question.prop for result in results})
    found = {(result.question.subject, result.question.prop): result for result in results}
    subjects = dict.fromkeys(
        sorted((r.question.subject for r in results), key=lambda s: (s.network, len(s.steps)))
    )
    networks = _short([subject.network for subject in subjects])
    rows = [
        Row(s, networks[s.network], tuple(found.get((s, prop)) for prop in properties))
        for s in subjects
    ]
    counts = Counter(result.verdict for result in results)
    environment = Environment(
        loader=PackageLoader("verifier.batch"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("matrix.html").render(
        title=title,
        properties=_short(properties),
        rows=rows,
        counts=[(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict]],
        symbols=SYMBOLS,
        meanings=MEANINGS,
        seconds=sum(result.seconds for result in results),
    )


def _short(names: Sequence[str]) -> dict[str, str]:
    """Return names without folders and endings, where that leaves them apart."""
    stems = {name: PurePath(name).stem for name in names}
    return stems if len(set(stems.values())) == len(stems) else {name: name for name in names}
