# SPDX-License-Identifier: Apache-2.0
"""A report as GitLab's code quality JSON: findings beside the lines of a merge request.

GitLab compares the fingerprints of two branches: what only the new one has is told as new.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from verifier.gate.finding import Finding, Level
from verifier.gate.place import Places
from verifier.gate.words import one_line

if TYPE_CHECKING:
    from verifier.gate.check import Report

_SEVERITIES = {Level.ERROR: "critical", Level.WARNING: "major", Level.NOTE: "info"}


def report_code_quality(report: Report) -> str:
    """Return the findings of a report for GitLab; an empty list where there is none."""
    places = Places(report.manifest)
    issues = []
    for finding in filter(None, map(Finding.of, report.checks)):
        place = places.of(finding.check)
        issues.append(
            {
                "description": finding.sentence,
                "check_name": finding.kind.name_in_reports,
                "fingerprint": finding.fingerprint,
                "severity": _SEVERITIES[finding.level],
                "location": {"path": one_line(place.path), "lines": {"begin": place.line}},
            }
        )
    return json.dumps(issues, allow_nan=False, indent=1) + "\n"
