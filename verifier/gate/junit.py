# SPDX-License-Identifier: Apache-2.0
"""A report as JUnit XML: a suite for each network in one form, a test case for each property.

What is not known is an ``error``. Services of continuous integration paint ``skipped`` green or
grey and let a merge pass it, some without telling its message, while GitLab, Jenkins and the
reporters of GitHub all show errors as they show failures; and the exit status stops the build as
well. What the manifest allows to be unknown is ``skipped``, which every one of them counts apart
from what has passed. The reason is the content of an element, too, and not only its attribute
``message``: GitLab shows the content alone. A time is that of this run, so 0 for what is cached.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from verifier.gate.finding import Finding
from verifier.gate.judgement import Judgement
from verifier.gate.place import Places
from verifier.gate.words import cores_kept, counterexample_words, one_line, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.gate.check import Check, Report

MOST_NUMBERS = 1000
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_ELEMENTS = {
    Judgement.ALLOWED: "skipped",
    Judgement.INCONCLUSIVE: "error",
    Judgement.FAILED: "failure",
    Judgement.CRASHED: "error",
}


def report_junit(report: Report) -> str:
    """Return a report as JUnit XML."""
    root = ET.Element("testsuites", {"name": "mucg4 check", **_counts(report.checks)})
    root.set("time", f"{report.seconds:.3f}")
    places = Places(report.manifest)
    for subject, checks in groupby(report.checks, key=lambda check: check.question.subject):
        own = tuple(checks)
        suite = ET.SubElement(root, "testsuite", {"name": one_line(str(subject)), **_counts(own)})
        suite.set("time", f"{sum(map(_seconds, own)):.3f}")
        suite.set("timestamp", report.started.replace(tzinfo=None).isoformat(timespec="seconds"))
        properties = ET.SubElement(suite, "properties")
        for name, value in (
            ("mucg4.version", report.version),
            ("mucg4.semantics", str(report.manifest.semantics)),
            ("mucg4.network_sha256", own[0].sha256("model.onnx")),
        ):
            ET.SubElement(properties, "property", name=name, value=value)
        for check in own:
            _add_case(suite, check, places)
    ET.indent(root)
    return f"{_HEAD}\n{ET.tostring(root, encoding='unicode')}\n"


def _counts(checks: Sequence[Check]) -> dict[str, str]:
    elements = [_ELEMENTS.get(check.judgement) for check in checks]
    counted = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {"tests": str(len(checks))} | {
        name: str(elements.count(element)) for name, element in counted.items()
    }


def _seconds(check: Check) -> float:
    return 0.0 if check.is_cached else check.seconds


def _add_case(suite: ET.Element, check: Check, places: Places) -> None:
    question = check.question
    case = ET.SubElement(
        suite,
        "testcase",
        classname=one_line(str(question.subject)),
        name=one_line(question.prop),
        time=f"{_seconds(check):.3f}",
        file=one_line(places.path(question.prop)),
    )
    finding = Finding.of(check)
    if finding is not None:
        place = places.of(check)
        case.set("line", str(place.line))
        element = ET.SubElement(case, _ELEMENTS[check.judgement])
        element.set("type", finding.kind)
        element.set("message", finding.sentence)
        where = f"{one_line(place.path)}:{place.line}: {one_line(place.text)}".rstrip(": ")
        parts = (finding.sentence, where, counterexample_words(check, MOST_NUMBERS))
        element.text = plain("\n".join(part for part in parts if part))
    ET.SubElement(case, "system-out").text = _told(check)


def _told(check: Check) -> str:
    rows = [f"verdict: {check.verdict}"]
    if check.reuse is not None:
        rows.append(f"cores of the original that were valid as they were: {cores_kept(check)}")
    if check.is_cached:
        rows.append(f"done in an earlier run, in {check.seconds:.3f} s")
    if check.confirmation is not None:
        rows.append(f"certificate: {check.confirmation.certification}")
    return "\n".join(rows)
