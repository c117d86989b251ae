# SPDX-License-Identifier: Apache-2.0
"""A reader of JUnit XML sees a case for each check, and none that has passed but was not proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from tests.gate.reports import CRASH, LIMIT, ONE, Setting
from verifier.gate.judgement import Judgement
from verifier.gate.junit import report_junit

if TYPE_CHECKING:
    from pathlib import Path

    from junitparser import TestCase

    from verifier.gate.check import Report


def cases(report: Report) -> dict[tuple[str, str], TestCase]:
    """Return the test cases by class and name."""
    suites = JUnitXml.fromstring(report_junit(report).encode())
    found = {(str(case.classname), str(case.name)): case for suite in suites for case in suite}
    assert len(found) == len(report.checks)
    return found


def test_each_judgement_is_what_services_show_as_such(all_kinds: Report) -> None:
    shown = {Judgement.PASSED: [], Judgement.ALLOWED: [Skipped], Judgement.FAILED: [Failure]}
    shown |= {Judgement.INCONCLUSIVE: [Error], Judgement.CRASHED: [Error]}

    found = cases(all_kinds)

    for check in all_kinds.checks:
        case = found[str(check.question.subject), check.question.prop]
        assert [type(result) for result in case.result] == shown[check.judgement], check.name


def test_the_counts_are_those_of_the_cases(all_kinds: Report) -> None:
    text = report_junit(all_kinds)

    whole = JUnitXml.fromstring(text.encode())
    assert (whole.tests, whole.failures, whole.errors, whole.skipped) == (11, 3, 5, 1)
    for suite in whole:
        results = [type(result) for case in suite for result in case.result]
        assert suite.tests == len(list(suite))
        assert [suite.failures, suite.errors, suite.skipped] == [
            results.count(kind) for kind in (Failure, Error, Skipped)
        ]
    assert [suite.name for suite in whole] == [
        "network.onnx",
        "network.onnx (integer_quantisation bits=16)",
        "allowed.onnx",
        "asked.onnx",
        "strict.onnx",
    ]


@pytest.mark.parametrize(
    ("network", "prop", "kind", "sentence"),
    [
        (
            "network.onnx",
            "violated.vnnlib",
            "violated",
            "network.onnx violates violated.vnnlib: there is a counterexample",
        ),
        (
            "strict.onnx",
            "late.vnnlib",
            "inconclusive",
            (
                "It is not known whether strict.onnx satisfies late.vnnlib, which the manifest "
                f"takes for a failure: {LIMIT}"
            ),
        ),
        (
            "allowed.onnx",
            "late.vnnlib",
            "inconclusive",
            (
                "It is not known whether allowed.onnx satisfies late.vnnlib, which the manifest "
                f"allows: {LIMIT}"
            ),
        ),
        (
            "network.onnx",
            "crashes.vnnlib",
            "crashed",
            f"There is no answer whether network.onnx satisfies crashes.vnnlib: {CRASH}",
        ),
        (
            "network.onnx",
            "broken.vnnlib",
            "refused",
            (
                "network.onnx cannot be verified against broken.vnnlib: property.vnnlib:1:1: this "
                "parenthesis is never closed"
            ),
        ),
    ],
)
def test_the_reason_stands_in_the_message_and_in_the_text(
    network: str, prop: str, kind: str, sentence: str, all_kinds: Report
) -> None:
    (result,) = cases(all_kinds)[network, prop].result

    assert (result.type, result.message) == (kind, sentence)
    assert result.text is not None
    assert result.text.startswith(sentence)


def test_a_violation_tells_its_place_and_its_counterexample(all_kinds: Report) -> None:
    (result,) = cases(all_kinds)["network.onnx", "violated.vnnlib"].result

    lines = str(result.text).splitlines()
    assert lines[1] == "violated.vnnlib:12: (assert (>= Y_0 1.125))"
    assert lines[2].startswith("counterexample input    ")
    assert lines[3].startswith("exact output ")
    assert "violated (onnxruntime" in lines[4]


def test_a_time_is_that_of_this_run_and_reuse_is_told(tmp_path: Path) -> None:
    step = '[[networks.compressions]]\nmethod = "integer_quantisation"\noptions = { bits = 16 }\n'
    setting = Setting.make(tmp_path, ONE + step)

    first, again = (cases(setting.run()) for _ in range(2))

    own = ("network.onnx", "holds.vnnlib")
    variant = ("network.onnx (integer_quantisation bits=16)", "holds.vnnlib")
    assert first[own].time > 0.0
    assert again[own].time == 0.0
    assert "done in an earlier run" in str(again[own].system_out)
    assert "cores of the original that were valid as they were: " in str(first[variant].system_out)


def test_no_name_breaks_the_document(hostile: Report) -> None:
    refused, violated = cases(hostile).values()

    assert str(refused.classname) == (
        "n | `a` ``b`` [x](y) <b>&\"' @c #1 {0} \\x1b[31m \\ufffe \\udcff é.onnx"
    )
    assert str(refused.name) == "p `\\n## head\\r]]> 100% \\udcff.vnnlib"
    (result,) = refused.result
    assert result.message.endswith("```\\n</failure> ]]> <script> \\x00 \\udc80 | `x`")
    assert [type(result) for result in violated.result] == [Failure]


def test_the_certificate_is_told(tmp_path: Path) -> None:
    found = cases(Setting.make(tmp_path, ONE).run(certify=True))

    for case in found.values():
        assert "certificate: accepted" in str(case.system_out)
