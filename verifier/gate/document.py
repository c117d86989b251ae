# SPDX-License-Identifier: Apache-2.0
"""A report as JSON values, in the form that ``check.schema.json`` describes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

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
            "name": manifest.path.name,
            "sha256": hashlib.sha256(manifest.content).hexdigest(),
        },
        "counts": {str(word): number for word, number in report.counts.items()},
        "checks": [_check_json(check) for check in report.checks],
    }


def _check_json(check: Check) -> dict[str, Any]:
    subject, confirmation = check.question.subject, check.confirmation
    return {
        "name": check.name,
        "network": subject.network,
        "steps": [str(step) for step in subject.steps],
        "property": check.question.prop,
        "network_sha256": check.sha256("model.onnx") or None,
        "property_sha256": check.sha256("property.vnnlib") or None,
        "judgement": str(check.judgement),
        "verdict": check.verdict,
        "reason": check.reason,
        "seconds": round(check.seconds, 6),
        "is_cached": check.is_cached,
        "reuse": check.reuse,
        "counterexample": check.counterexample,
        "certificate": None if confirmation is None else str(confirmation.certification),
    }
