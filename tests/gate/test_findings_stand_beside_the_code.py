# SPDX-License-Identifier: Apache-2.0
"""GitLab's code quality has an issue for each check that is not passed, and knows it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cli.running import property_text
from tests.gate.reports import ONE, Setting
from verifier.gate.code_quality import report_code_quality

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.gate.check import Report


def issues(report: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(report_code_quality(report))
    for issue in found:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert set(issue["location"]) == {"path", "lines"}
        assert set(issue["location"]["lines"]) == {"begin"}
    return found


def test_each_finding_has_a_severity_and_a_place(all_kinds: Report) -> None:
    found = {
        (issue["check_name"], issue["severity"], issue["location"]["path"]): issue["location"]
        for issue in issues(all_kinds)
    }

    assert {key: place["lines"]["begin"] for key, place in found.items()} == {
        ("mucg4/violated", "critical", "violated.vnnlib"): 12,
        ("mucg4/refused", "major", "broken.vnnlib"): 1,
        ("mucg4/crashed", "critical", "crashes.vnnlib"): 13,
        ("mucg4/inconclusive", "info", "late.vnnlib"): 13,
        ("mucg4/inconclusive", "major", "late.vnnlib"): 13,
        ("mucg4/inconclusive", "critical", "late.vnnlib"): 13,
    }
    assert len(issues(all_kinds)) == 9


def test_fingerprints_tell_findings_apart_and_stay_when_lines_move(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path / "gate", ONE)
    (tmp_path / ".git").mkdir()
    before = issues(setting.run())
    text = property_text("(>= Y_0 1.125)")
    (setting.folder / "violated.vnnlib").write_text(f"\n\n{text}", encoding="utf-8")

    (after,) = issues(setting.run())

    assert [issue["fingerprint"] for issue in before] == [after["fingerprint"]]
    assert after["location"] == {"path": "gate/violated.vnnlib", "lines": {"begin": 14}}


def test_what_is_proved_leaves_an_empty_list(tmp_path: Path) -> None:
    report = Setting.make(tmp_path, ONE.replace(', "violated.vnnlib"', "")).run()

    assert report_code_quality(report) == "[]\n"


def test_names_that_are_no_text_become_text(hostile: Report) -> None:
    for issue in issues(hostile):
        assert issue["description"].isprintable()
        assert issue["location"]["path"] == "p `\\n## head\\r]]> 100% \\udcff.vnnlib"
