# SPDX-License-Identifier: Apache-2.0
"""``checks.json`` and ``checker.log``: what was found, and which files belong to it."""

from __future__ import annotations

import platform
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any

from verifier.certificate.format import FORMAT as CERTIFICATE_FORMAT
from verifier.gate.document import report_json
from verifier.gate.evidence.index import FORMAT

if TYPE_CHECKING:
    from verifier.gate.check import Report
    from verifier.gate.evidence.layout import Layout, Place

RECORD, LOG = "checks.json", "checker.log"


def record_json(report: Report, layout: Layout) -> dict[str, Any]:
    """Return what ``checks.json`` holds."""
    return {
        "format": FORMAT,
        "report": report_json(report),
        "request": layout.request,
        "files": [_files_json(place) for place in layout.places],
        "environment": environment(report.version),
    }


def _files_json(place: Place) -> dict[str, Any]:
    return {
        "check": place.id,
        "network": place.network.path if place.network else None,
        "property": place.prop.path if place.prop else None,
        "certificate": place.certificate or None,
    }


def environment(version: str) -> dict[str, str]:
    """Return what the verification ran with."""
    return {
        "mucg4": version,
        "certificate format": CERTIFICATE_FORMAT,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "onnxruntime": installed_version("onnxruntime"),
        "onnx": installed_version("onnx"),
        "numpy": installed_version("numpy"),
        "platform": platform.platform(),
    }


def checker_log(layout: Layout) -> str:
    """Return what the checker said, a paragraph for each check."""
    return "\n".join(_paragraph(place) for place in layout.places)


def _paragraph(place: Place) -> str:
    check = place.check
    rows = [f"{place.id}  {check.name}"]
    for file in (place.network, place.prop):
        rows += [] if file is None else [f"    {file.listed.sha256}  {file.path}"]
    if check.confirmation is None:
        rows.append(f"    no verdict, so no certificate: {check.verdict}: {check.reason}")
    else:
        said = check.confirmation
        rows.append(f"    claimed: {check.verdict}")
        reason = f": {said.reason}" if said.reason else ""
        rows.append(f"    {said.certification}, {said.seconds:.3f} s{reason}")
    return "\n".join(rows) + "\n"
