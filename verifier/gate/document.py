# SPDX-License-Identifier: Apache-2.0
"""A report as JSON values, in the form that ``check.schema.json`` describes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from verifier.gate.words import unicode_text

if TYPE_CHECKING:
    from verifier.gate.check import Check, Report

FORMAT = "mucg4-check/1"


def report_json(report: Report) -> dict[str, Any]:
    """Return a report as JSON values."""
    manifest = report.manifest
    return {
        "format": FORMAT,
        "command": "check",
        "version": report.version,
        "started": report.started.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 3),
        "exit_status": report.status,
        "semantics": str(manifest.semantics),
        "manifest": {
            "name": unicode_text(manifest.path.name),
            "sha256": hashlib.sha256(manifest.content).hexdigest(),
        },
        "counts": {str(word): number for word, number in report.counts.items()},
        "checks": [_check_json(check) for check in report.checks],
    }


def report_json_text(report: Report) -> str:
    """Return the same as a file."""
    return json.dumps(report_json(report), allow_nan=False) + "\n"


def _check_json(check: Check) -> dict[str, Any]:
    subject, confirmation = check.question.subject, check.confirmation
    return {
        "name": unicode_text(check.name),
        "network": unicode_text(subject.network),
        "steps": [unicode_text(str(step)) for step in subject.steps],
        "property": unicode_text(check.question.prop),
        "network_sha256": check.sha256("model.onnx") or None,
        "property_sha256": check.sha256("property.vnnlib") or None,
        "judgement": str(check.judgement),
        "verdict": check.verdict,
        "reason": unicode_text(check.reason),
        "seconds": round(check.seconds, 6),
        "is_cached": check.is_cached,
        "reuse": check.reuse,
        "counterexample": check.counterexample,
        "certificate": None if confirmation is None else str(confirmation.certification),
    }
