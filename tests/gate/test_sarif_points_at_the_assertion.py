# SPDX-License-Identifier: Apache-2.0
"""Code scanning finds what is not proved at the line of its property, and again in the next run."""

from __future__ import annotations

import gzip
import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import pytest
from pydantic import BaseModel
from sarif_pydantic import Sarif

from tests.cli.running import network_bytes, property_text
from tests.gate.reports import HOSTILE_PROPERTY, LIMIT, ONE, Setting, as_named
from verifier.gate import place as place_module
from verifier.gate.sarif import FINGERPRINTS, report_sarif

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.gate.check import Report

EITHER = "(or\n  (and (>= Y_0 1000))\n  (and (>= Y_0 1.125)))"
# Section 3.20 of the standard has these, and the package does not.
NOT_MODELLED = {"exitCode", "exitCodeDescription"}
VIOLATED = ONE.replace('"holds.vnnlib", ', "")


def unknown_keys(model: BaseModel) -> list[str]:
    """Return the keys of a document that the standard does not have."""
    found = list(model.model_extra or {})
    for name in type(model).model_fields:
        value = getattr(model, name)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, BaseModel):
                found += unknown_keys(part)
    return found


def read(report: Report) -> Any:
    """Return the one run of a report, read by a package made for it."""
    document = Sarif.model_validate_json(report_sarif(report))
    assert set(unknown_keys(document)) == NOT_MODELLED
    assert document.version == "2.1.0"
    (run,) = document.runs
    return run


def by_subject(run: Any) -> dict[tuple[str, bool, str], Any]:
    return {
        (r.properties["network"], bool(r.properties["steps"]), r.properties["property"]): r
        for r in run.results
    }


def place(result: Any) -> tuple[str, int]:
    physical = result.locations[0].physical_location
    assert physical.artifact_location.uri_base_id == "%SRCROOT%"
    return physical.artifact_location.uri, physical.region.start_line


def test_there_is_a_result_for_each_check_that_is_not_passed(all_kinds: Report) -> None:
    run = read(all_kinds)

    found = {key: (r.rule_id, r.level.value) for key, r in by_subject(run).items()}
    assert found == {
        ("network.onnx", False, "violated.vnnlib"): ("mucg4/violated", "error"),
        ("network.onnx", True, "violated.vnnlib"): ("mucg4/violated", "error"),
        ("network.onnx", False, "broken.vnnlib"): ("mucg4/refused", "warning"),
        ("network.onnx", True, "broken.vnnlib"): ("mucg4/refused", "warning"),
        ("network.onnx", False, "crashes.vnnlib"): ("mucg4/crashed", "error"),
        ("network.onnx", True, "crashes.vnnlib"): ("mucg4/crashed", "error"),
        ("allowed.onnx", False, "late.vnnlib"): ("mucg4/inconclusive", "note"),
        ("asked.onnx", False, "late.vnnlib"): ("mucg4/inconclusive", "warning"),
        ("strict.onnx", False, "late.vnnlib"): ("mucg4/inconclusive", "error"),
    }
    assert len(run.results) == len(found)


def test_every_result_names_a_rule_that_says_what_to_do(all_kinds: Report) -> None:
    run = read(all_kinds)

    rules = run.tool.driver.rules
    for result in run.results:
        rule = rules[result.rule_index]
        assert rule.id == result.rule_id
        assert rule.help.text
        assert rule.default_configuration.level
    assert [rule.id for rule in rules] == [
        f"mucg4/{kind}"
        for kind in ("violated", "inconclusive", "refused", "uncertified", "crashed")
    ]
    assert run.tool.driver.version == all_kinds.version


def test_the_run_says_how_it_ended_and_what_verdicts_are_about(all_kinds: Report) -> None:
    run = read(all_kinds)

    (invocation,) = run.invocations
    assert (invocation.model_extra["exitCode"], invocation.execution_successful) == (4, False)
    assert invocation.start_time_utc <= invocation.end_time_utc
    assert run.properties["semantics"] == "real"
    assert run.properties["checks"]["failed"] == 3


def test_the_line_is_that_of_what_the_counterexample_satisfies(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, VIOLATED)
    (tmp_path / "violated.vnnlib").write_text(property_text(EITHER), encoding="utf-8")

    (result,) = read(setting.run()).results

    assert place(result) == ("violated.vnnlib", 14)
    snippet = result.locations[0].physical_location.region.snippet.text
    assert snippet == "(and (>= Y_0 1.125))))"
    assert f"What holds there: {snippet}" in result.message.text
    assert "Input: " in result.message.text
    assert "As run in floats, the network also violates it" in result.message.text


def test_what_is_not_known_points_at_the_assertion_over_outputs(all_kinds: Report) -> None:
    result = by_subject(read(all_kinds))["asked.onnx", False, "late.vnnlib"]

    assert place(result) == ("late.vnnlib", 13)
    assert LIMIT in result.message.text


def test_a_property_that_cannot_be_read_has_its_first_line(all_kinds: Report) -> None:
    result = by_subject(read(all_kinds))["network.onnx", False, "broken.vnnlib"]

    assert place(result) == ("broken.vnnlib", 1)


def test_a_compressed_property_has_its_first_line(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, VIOLATED)
    text = property_text(EITHER).encode()
    (tmp_path / "packed.vnnlib.gz").write_bytes(gzip.compress(text))
    manifest = VIOLATED.replace("violated.vnnlib", "packed.vnnlib.gz")
    setting.manifest.write_text(manifest, encoding="utf-8")

    (result,) = read(setting.run()).results

    assert result.rule_id == "mucg4/violated"
    assert place(result) == ("packed.vnnlib.gz", 1)


def test_each_property_is_read_once(all_kinds: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def nothing(content: bytes) -> None:
        asked.append(content)

    monkeypatch.setattr(place_module, "_assertion", nothing)

    lines = {place(result)[1] for result in read(all_kinds).results}

    assert lines == {1}
    assert len(asked) == len(set(asked)) == 4


def test_a_network_that_is_missing_hides_no_line_of_others(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, VIOLATED + 'variants = ["allowed.onnx"]\n')
    (tmp_path / "network.onnx").write_bytes(b"\x1f\x8b")

    report = setting.run()

    assert dict(report.checks[0].inputs) == {}
    refused, violated = read(report).results
    assert refused.rule_id == "mucg4/refused"
    assert violated.rule_id == "mucg4/violated"
    assert place(violated) == ("violated.vnnlib", 12)


@pytest.mark.parametrize(
    ("repository", "expected"), [(".", "violated.vnnlib"), ("..", "a%20b/violated.vnnlib")]
)
def test_paths_count_from_the_root_of_the_repository(
    repository: str, expected: str, tmp_path: Path
) -> None:
    setting = Setting.make(tmp_path / "a b", VIOLATED)
    (setting.folder / repository / ".git").mkdir()

    run = read(setting.run())

    assert place(run.results[0])[0] == expected
    manifest = expected.replace("violated.vnnlib", "mucg4.toml")
    assert run.automation_details.id == f"mucg4/{manifest}/"


def test_a_path_that_goes_up_and_down_is_told_without_detour(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path / "gate", VIOLATED)
    (tmp_path / ".git").mkdir()
    (tmp_path / "properties").mkdir()
    (tmp_path / "properties" / "p.vnnlib").write_text(property_text(EITHER), encoding="utf-8")
    manifest = VIOLATED.replace("violated.vnnlib", "../properties/p.vnnlib")
    setting.manifest.write_text(manifest, encoding="utf-8")

    (result,) = read(setting.run()).results

    assert place(result) == ("properties/p.vnnlib", 14)


def test_a_name_of_any_bytes_is_a_reference_that_leads_back_to_it(hostile: Report) -> None:
    run = read(hostile)

    assert len(run.results) == 2
    for result in run.results:
        uri, _ = place(result)
        assert unquote_to_bytes(uri) == os.fsencode(HOSTILE_PROPERTY)
        assert uri.isascii()
        assert "](" not in result.message.text
        assert result.message.text.isprintable()


def fingerprints(report: Report) -> dict[tuple[str, bool, str], dict[str, str]]:
    return {key: r.partial_fingerprints for key, r in by_subject(read(report)).items()}


def test_each_finding_is_told_from_the_others(all_kinds: Report) -> None:
    found = fingerprints(all_kinds)

    for name in FINGERPRINTS:
        assert len({own[name] for own in found.values()}) == len(found)


def test_a_finding_stays_the_same_when_files_are_edited(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, VIOLATED)
    before = fingerprints(setting.run())
    edited = "; why\n\n" + property_text("(>= Y_0 1.0)")
    (tmp_path / "violated.vnnlib").write_text(edited, encoding="utf-8")
    (tmp_path / "network.onnx").write_bytes(network_bytes(seed=5))

    report = setting.run()

    assert place(read(report).results[0])[1] == 14
    assert fingerprints(report) == before


def test_what_was_not_known_and_is_violated_now_is_something_new(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, VIOLATED, as_named)
    late = f"; late\n{property_text(EITHER)}"
    (tmp_path / "violated.vnnlib").write_text(late, encoding="utf-8")
    before = fingerprints(setting.run())

    (tmp_path / "violated.vnnlib").write_text(property_text(EITHER), encoding="utf-8")
    after = fingerprints(setting.run())

    assert before.keys() == after.keys()
    assert before != after


def test_what_is_proved_has_no_result(tmp_path: Path) -> None:
    run = read(Setting.make(tmp_path, ONE.replace(', "violated.vnnlib"', "")).run())

    assert run.results == []
    (invocation,) = run.invocations
    assert (invocation.model_extra["exitCode"], invocation.execution_successful) == (0, True)


def test_no_number_is_beyond_json(all_kinds: Report) -> None:
    def refuse(word: str) -> None:
        pytest.fail(word)

    assert json.loads(report_sarif(all_kinds), parse_constant=refuse)["version"] == "2.1.0"
