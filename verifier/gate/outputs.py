# SPDX-License-Identifier: Apache-2.0
"""The forms in which a report is written to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.gate.code_quality import report_code_quality
from verifier.gate.document import report_json_text
from verifier.gate.junit import report_junit
from verifier.gate.sarif import report_sarif
from verifier.gate.step_summary import report_markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verifier.gate.check import Report

WRITERS: Mapping[str, Callable[[Report], str]] = {
    "json": report_json_text,
    "junit": report_junit,
    "sarif": report_sarif,
    "gitlab": report_code_quality,
    "markdown": report_markdown,
}
