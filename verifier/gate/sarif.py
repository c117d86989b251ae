# SPDX-License-Identifier: Apache-2.0
"""A report as SARIF 2.1.0: a result for each check that is not passed.

Code scanning of GitHub takes results of two runs for one alert where rule, file and
``primaryLocationLineHash`` are the same, and derives the last from the text of the line where a
report leaves it out. Then all variants that violate one property would be one alert, and an edit
of the line would be a new one; so it is given here, by names alone, and once more under a name of
our own for other readers. ``automationDetails`` names the manifest: reports of another manifest
must not close the alerts of this one.

The line is that of the violated assertion, and paths count from the root of the repository.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from verifier.gate.finding import Finding, Kind, Level
from verifier.gate.judgement import Judgement
from verifier.gate.place import Places
from verifier.gate.words import one_line, unicode_text
from verifier.report import ARITHMETIC, numbers_text
from verifier.spec.counterexample import Counterexample

if TYPE_CHECKING:
    from datetime import datetime

    from verifier.gate.check import Check, Report
    from verifier.gate.place import Place

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
SOURCE_ROOT = "%SRCROOT%"
FINGERPRINTS = ("primaryLocationLineHash", "mucg4/check/v1")
MOST_NUMBERS = 16


@dataclass(frozen=True)
class _Rule:
    """What a kind of finding means, and what to do about it."""

    name: str
    level: Level
    short: str
    help: str


_RULES = {
    Kind.VIOLATED: _Rule(
        "PropertyViolated",
        Level.ERROR,
        "The network violates the property.",
        "There is an input in the set for which the output satisfies all assertions of the "
        "property, which say what must not happen. The input is exact, and was run in onnxruntime "
        "as well. Train or compress the network in another way, or ask for less.",
    ),
    Kind.INCONCLUSIVE: _Rule(
        "PropertyNotKnown",
        Level.WARNING,
        "It is not known whether the network satisfies the property.",
        "Neither a proof nor a counterexample was found within the limit. Raise timeout_seconds in "
        "the manifest, or ask for less. The key 'unknown' of the manifest says what this means for "
        "the build.",
    ),
    Kind.REFUSED: _Rule(
        "CheckRefused",
        Level.WARNING,
        "The network or the property cannot be verified.",
        "A file is damaged, or has something that is not modelled, so that no verdict about it "
        "would be sound. The message says what.",
    ),
    Kind.UNCERTIFIED: _Rule(
        "VerdictNotCertified",
        Level.WARNING,
        "The verdict has no certificate.",
        "A verdict was to count only with a certificate that the checker accepts, and none could "
        "be written.",
    ),
    Kind.CRASHED: _Rule(
        "CheckCrashed",
        Level.ERROR,
        "There is no answer.",
        "The verification ended by a defect or for want of memory, or the checker rejects its "
        "certificate. This says nothing about the network.",
    ),
}


def report_sarif(report: Report) -> str:
    """Return a report as SARIF."""
    places = Places(report.manifest)
    findings = [finding for finding in map(Finding.of, report.checks) if finding is not None]
    manifest = quote(places.manifest, errors="surrogateescape")
    run = {
        "tool": {"driver": _driver(report)},
        "automationDetails": {"id": f"mucg4/{manifest}/"},
        "invocations": [_invocation(report)],
        "originalUriBaseIds": {
            SOURCE_ROOT: {"description": {"text": "The root of the repository."}}
        },
        "results": [_result(finding, places.of(finding.check)) for finding in findings],
        "properties": {
            "semantics": str(report.manifest.semantics),
            "arithmetic": ARITHMETIC[report.manifest.semantics],
            "checks": {str(word): number for word, number in report.counts.items()},
        },
    }
    whole = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(whole, allow_nan=False, indent=1) + "\n"


def _driver(report: Report) -> dict[str, Any]:
    return {
        "name": "mucg4",
        "version": report.version,
        "rules": [
            {
                "id": kind.name_in_reports,
                "name": rule.name,
                "shortDescription": {"text": rule.short},
                "fullDescription": {"text": rule.help},
                "help": {"text": rule.help},
                "defaultConfiguration": {"level": rule.level},
                "properties": {"precision": "very-high", "tags": ["formal-verification"]},
            }
            for kind, rule in _RULES.items()
        ],
    }


def _invocation(report: Report) -> dict[str, Any]:
    ended = report.started + timedelta(seconds=report.seconds)
    return {
        "executionSuccessful": report.counts[Judgement.CRASHED] == 0 and bool(report.checks),
        "exitCode": report.status,
        "exitCodeDescription": report.summary,
        "startTimeUtc": _utc(report.started),
        "endTimeUtc": _utc(ended),
    }


def _utc(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _result(finding: Finding, place: Place) -> dict[str, Any]:
    check = finding.check
    subject = check.question.subject
    region: dict[str, Any] = {"startLine": place.line}
    if place.text:
        region["snippet"] = {"text": one_line(place.text)}
    file = {"uri": place.uri, "uriBaseId": SOURCE_ROOT}
    return {
        "ruleId": finding.kind.name_in_reports,
        "ruleIndex": list(_RULES).index(finding.kind),
        "level": finding.level,
        "message": {"text": _message(finding, place)},
        "locations": [{"physicalLocation": {"artifactLocation": file, "region": region}}],
        "partialFingerprints": dict.fromkeys(FINGERPRINTS, finding.fingerprint),
        "properties": {
            "network": unicode_text(subject.network),
            "steps": [unicode_text(str(step)) for step in subject.steps],
            "property": unicode_text(check.question.prop),
            "judgement": str(check.judgement),
            "verdict": check.verdict,
            "seconds": round(check.seconds, 6),
            "networkSha256": check.sha256("model.onnx"),
            "propertySha256": check.sha256("property.vnnlib"),
        },
    }


def _message(finding: Finding, place: Place) -> str:
    parts = [finding.sentence]
    if finding.check.counterexample is not None:
        parts += _counterexample(finding.check, place)
    # In a message, [this](there) would be a link.
    return ". ".join(parts).replace("](", "] (")


def _counterexample(check: Check, place: Place) -> list[str]:
    assert check.counterexample is not None  # noqa: S101 - asked before
    found = Counterexample.of(check.counterexample)
    told = [f"What holds there: {one_line(place.text)}"] if place.text else []
    told.append(f"Input: {numbers_text(found.input, MOST_NUMBERS)}")
    told.append(f"Output: {numbers_text(found.output, MOST_NUMBERS)}")
    if found.replay:
        floats = "also" if found.is_confirmed_in_floats else "not"
        told.append(f"As run in floats, the network {floats} violates it")
    return told
