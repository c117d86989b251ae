# SPDX-License-Identifier: Apache-2.0
"""What a report says, from its summary to its versions; ``html`` and ``pdf`` say how it looks."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from verifier.gate.check import Certification
from verifier.gate.evidence.assurance import RECHECK, SEMANTICS, WORTH
from verifier.gate.evidence.blocks import Cell, Facts, Items, Page, Section, Text
from verifier.gate.evidence.details import (
    certificates,
    checks,
    counterexamples,
    networks,
    properties,
)
from verifier.gate.evidence.figure import cores_by_fate, draw
from verifier.gate.evidence.record import environment
from verifier.gate.evidence.statement import result_of
from verifier.gate.judgement import Judgement
from verifier.report import seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verifier.gate.check import Report
    from verifier.gate.evidence.layout import Layout

_RESULTS = {
    "PASSED": "Every property that was asked for is proved, for every network in every form.",
    "WARNED": "Nothing was found to be violated, but not everything is known; what is not known "
    "is something that the manifest allows to be so.",
    "FAILED": "Not everything that was asked for is proved; the gate stops the build.",
}
_SEMANTICS = "real arithmetic on the weights as stored; rounding at run time is not covered"
_MOST_NAMED = 12
_SUITABLE = {Judgement.PASSED, Judgement.ALLOWED}
_FINDINGS = {
    "holds": "the property holds: no input in its input set has an unsafe output",
    "violated": "the property is violated: this report gives an input with an unsafe output",
    "unknown": "neither a proof nor a counterexample was found",
    "timeout": "neither a proof nor a counterexample was found in time",
    "error": "no answer; the reason stands with the check",
}


def page_of(
    report: Report, layout: Layout, words: Mapping[str, tuple[str, ...]], key_id: str
) -> Page:
    """Return the report.

    Args:
        report: What came of the gate.
        layout: Where its files lie in the pack.
        words: Each property in words, by its id.
        key_id: Of the key that signs the pack.
    """
    result = result_of([check.judgement for check in report.checks])
    sections = (
        _summary(report, layout, key_id),
        checks(layout),
        SEMANTICS,
        networks(layout),
        properties(layout, words),
        *counterexamples(layout),
        certificates(layout),
        RECHECK,
        WORTH,
        _versions(report),
    )
    return Page(
        "Verification evidence",
        f"{report.manifest.path.name}, {report.started:%d %B %Y, %H:%M} UTC",
        result,
        _RESULTS[result],
        tuple((str(word), number) for word, number in report.counts.items() if number),
        sections,
    )


def _summary(report: Report, layout: Layout, key_id: str) -> Section:
    facts = [
        ("Manifest", Cell(report.manifest.path.name)),
        ("SHA-256 of it", Cell(hashlib.sha256(report.manifest.content).hexdigest(), "", True)),
        ("Semantics", Cell(_SEMANTICS)),
        ("Run", Cell(f"mucg4 {report.version}, {seconds_text(report.seconds)}")),
        ("Signed with key", Cell(key_id, "", True)),
    ]
    blocks = (
        Text(_asked(report)),
        Items(tuple(_found(report, layout))),
        draw(layout),
        Facts(tuple(facts)),
    )
    return Section("summary", "Summary", blocks)


def _asked(report: Report) -> str:
    subjects = dict.fromkeys(check.question.subject for check in report.checks)
    variants = sum(1 for subject in subjects if subject.steps)
    props = len({check.question.prop for check in report.checks})
    made = f" and {_counted(variants, 'compressed variant')}" if variants else ""
    return (
        f"{_counted(len(subjects) - variants, 'original network')}{made} "
        f"{'was' if len(subjects) == 1 else 'were'} held against "
        f"{_counted(props, 'property', 'properties')}: {_counted(len(report.checks), 'check')}. "
        "Each asks whether any input in the property's input set has an output that the property "
        "calls unsafe."
    )


def _found(report: Report, layout: Layout) -> Iterator[str]:
    verdicts = Counter(check.verdict for check in report.checks)
    for word, finding in _FINDINGS.items():
        if verdicts[word]:
            yield f"{_counted(verdicts[word], 'check')}: {finding}."
    stopping = [p.id for p in layout.places if p.check.judgement not in _SUITABLE]
    if stopping:
        more = ", …" if len(stopping) > _MOST_NAMED else ""
        yield f"What stops the build: {', '.join(stopping[:_MOST_NAMED])}{more}."
    said = Counter(c.confirmation.certification for c in report.checks if c.confirmation)
    if said:
        accepted = said[Certification.ACCEPTED]
        text = (
            f"An independent checker accepted, in this run, the certificates of {accepted} of "
            f"{_counted(sum(said.values()), 'verdict')}"
        )
        yield f"{text}; a property counts as proved only with one that it accepts."
    fates: Counter[str] = Counter()
    for place in layout.places:
        fates.update(cores_by_fate(place.check))
    if fates:
        total = sum(fates.values())
        parts = [f"{number / total:.0%} {word}" for word, number in fates.items() if number]
        yield (
            "Variants were verified by reusing the proof of what they were made from. Of its "
            f"{total} cores (the parts that each exclude one region of inputs), counted once for "
            f"each variant: {', '.join(parts)}. What is dropped is proved anew, so it costs time "
            "and no certainty."
        )


def _versions(report: Report) -> Section:
    rows = tuple((name, Cell(text)) for name, text in environment(report.version).items())
    return Section("versions", "Versions", (Facts(rows),))


def _counted(number: int, word: str, plural: str = "") -> str:
    return f"{number} {word if number == 1 else plural or f'{word}s'}"
