# SPDX-License-Identifier: Apache-2.0
"""What an outcome means for a build: nothing that is not proved passes, and no cache is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.running import network_bytes
from tests.gate.reports import CRASH, HOLDS, LIMIT, ONE, Setting, one, only, unknown
from verifier.batch.task import Outcome, Task, crash, failure
from verifier.batch.work import execute
from verifier.errors import UsageError
from verifier.gate.finding import Finding
from verifier.gate.judgement import Judgement, exit_status

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.gate.check import Report

QUANTISED = '[[networks.compressions]]\nmethod = "integer_quantisation"\noptions = { bits = 16 }\n'


def test_every_kind_of_outcome_has_its_judgement(all_kinds: Report) -> None:
    found = {
        (check.question.subject.network, check.question.prop): (check.judgement, check.reason)
        for check in all_kinds.checks
        if not check.question.subject.steps
    }

    broken = "property.vnnlib:1:1: this parenthesis is never closed"
    assert found == {
        ("network.onnx", "holds.vnnlib"): (Judgement.PASSED, ""),
        ("network.onnx", "violated.vnnlib"): (Judgement.FAILED, "there is a counterexample"),
        ("network.onnx", "broken.vnnlib"): (Judgement.INCONCLUSIVE, broken),
        ("network.onnx", "crashes.vnnlib"): (Judgement.CRASHED, CRASH),
        ("allowed.onnx", "late.vnnlib"): (Judgement.ALLOWED, LIMIT),
        ("asked.onnx", "late.vnnlib"): (Judgement.INCONCLUSIVE, LIMIT),
        ("strict.onnx", "late.vnnlib"): (Judgement.FAILED, LIMIT),
    }
    assert all_kinds.status == 4
    assert (
        all_kinds.summary == "11 checks: 2 passed, 1 allowed, 3 inconclusive, 3 failed, 2 crashed"
    )


@pytest.mark.parametrize(
    ("judgements", "status"),
    [
        ((Judgement.PASSED, Judgement.ALLOWED), 0),
        ((Judgement.PASSED, Judgement.INCONCLUSIVE), 3),
        ((Judgement.INCONCLUSIVE, Judgement.FAILED), 1),
        ((Judgement.FAILED, Judgement.CRASHED), 4),
        ((), 4),
    ],
)
def test_the_worst_check_makes_the_exit_status(
    judgements: tuple[Judgement, ...], status: int
) -> None:
    assert exit_status(judgements) == status


def test_what_was_done_is_taken_from_the_cache_until_a_file_changes(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, ONE + QUANTISED)
    first = setting.run()
    again = setting.run()
    text = (tmp_path / "holds.vnnlib").read_text(encoding="utf-8")
    (tmp_path / "holds.vnnlib").write_text(f"; edited\n{text}", encoding="utf-8")

    edited = setting.run()

    assert not any(check.is_cached for check in first.checks)
    assert all(check.is_cached for check in again.checks)
    assert setting.pools[1].tasks == []
    assert {check.question.prop: check.is_cached for check in edited.checks} == {
        "holds.vnnlib": False,
        "violated.vnnlib": True,
    }
    kinds = [[check.judgement for check in report.checks] for report in (first, again, edited)]
    assert kinds[0] == kinds[1] == kinds[2]


@pytest.mark.parametrize("is_certified", [False, True])
def test_a_report_is_about_the_files_that_were_verified(tmp_path: Path, is_certified: bool) -> None:
    network, prop = tmp_path / "network.onnx", tmp_path / "holds.vnnlib"

    def edited(task: Task) -> Outcome:
        network.write_bytes(network_bytes(seed=4))
        prop.write_bytes(b"")
        return execute(task)

    setting = Setting.make(tmp_path, HOLDS, edited)
    before = {"model.onnx": network.read_bytes(), "property.vnnlib": prop.read_bytes()}

    check = only(setting.run(certify=is_certified))

    assert check.judgement is Judgement.PASSED
    assert check.inputs == before


@pytest.mark.parametrize(
    "other",
    [
        '[[networks]]\noriginal = "network.onnx (asked.onnx)"\nproperties = ["holds.vnnlib"]',
        '[[networks]]\noriginal = "network.onnx: holds.vnnlib"\nproperties = ["violated.vnnlib"]',
        '[[networks.compressions]]\nmethod = "integer_quantisation"\noptions = { bits = 16 }',
    ],
)
def test_no_outcome_is_taken_for_that_of_another_name(other: str, tmp_path: Path) -> None:
    variants = 'variants = ["asked.onnx", "integer_quantisation bits=16"]\n'
    properties = '"holds.vnnlib", "holds.vnnlib: violated.vnnlib"'
    text = HOLDS.replace('"holds.vnnlib"', properties) + variants + other
    setting = Setting.make(tmp_path, text)
    for name in (
        "network.onnx (asked.onnx)",
        "network.onnx: holds.vnnlib",
        "integer_quantisation bits=16",
    ):
        (tmp_path / name).write_bytes(network_bytes())
    text = (tmp_path / "holds.vnnlib").read_text(encoding="utf-8")
    (tmp_path / "holds.vnnlib: violated.vnnlib").write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match="can be understood in two ways; rename a file"):
        setting.run()

    assert setting.pools[0].tasks == []


def test_what_was_not_answered_is_asked_again(tmp_path: Path) -> None:
    def late(task: Task) -> Outcome:
        done = execute(task)
        told = {"verdict": "unknown", "reason": "time limit reached: 1 s"}
        return Outcome({**done.document, **told})

    setting = Setting.make(tmp_path, HOLDS, late)
    assert setting.run().status == 3

    setting.do = execute
    found = setting.run()

    assert found.status == 0
    assert not only(found).is_cached
    assert only(setting.run()).is_cached


def test_what_crashed_is_tried_again(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, HOLDS, do=lambda _: crash(CRASH))
    assert setting.run().status == 4

    setting.do = execute

    assert setting.run().status == 0


def test_variants_that_are_files_are_verified_by_the_proof_of_the_original(tmp_path: Path) -> None:
    variants = 'variants = ["made/*/model.onnx"]\n'
    setting = Setting.make(tmp_path, HOLDS)
    options = {"method": "integer_quantisation", "options": ["bits=16"]}
    made = execute(Task("compress", {"model.onnx": network_bytes()}, options))
    for name, files in (("mapped", made.files), ("bare", {"model.onnx": made.files["model.onnx"]})):
        (tmp_path / "made" / name).mkdir(parents=True)
        for file, content in files.items():
            (tmp_path / "made" / name / file).write_bytes(content)
    setting.manifest.write_text(HOLDS + variants, encoding="utf-8")

    report = setting.run()

    tasks = {
        tuple(sorted(set(task.files) - {"model.onnx", "property.vnnlib"}))
        for task in setting.pools[0].tasks
    }
    assert tasks == {(), ("base.proof", "neuron_map.json"), ("base.proof", "original.onnx")}
    assert report.summary == "3 checks: 3 passed"
    assert [check.question.subject.change for check in report.checks] == [
        "",
        "made/bare/model.onnx",
        "made/mapped/model.onnx",
    ]
    assert [check.reuse is not None for check in report.checks] == [False, True, True]


def test_a_variant_that_is_no_network_is_inconclusive(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, HOLDS + 'variants = ["broken.vnnlib"]\n')

    report = setting.run()

    original, variant = report.checks
    assert original.judgement is Judgement.PASSED
    assert (variant.judgement, variant.verdict) == (Judgement.INCONCLUSIVE, "error")
    assert report.status == 3


def test_a_variant_that_could_not_be_made_says_why(tmp_path: Path) -> None:
    def do(task: Task) -> Outcome:
        return failure("too few neurons") if task.command == "compress" else execute(task)

    report = Setting.make(tmp_path, HOLDS + QUANTISED, do).run()

    check = one(report.checks, "network.onnx", "holds.vnnlib", has_steps=True)
    assert check.reason == "it could not be made: too few neurons"
    assert (check.judgement, dict(check.inputs)) == (Judgement.INCONCLUSIVE, {})
    assert check.sha256("model.onnx") == ""


def test_an_unknown_without_time_limit_is_told_as_such(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, HOLDS, lambda _: Outcome(unknown("no progress")))

    check = only(setting.run())

    assert (check.verdict, check.reason) == ("unknown", "no progress")


@pytest.mark.parametrize("policy", ["allow", "fail", "inconclusive"])
@pytest.mark.parametrize("certify", [False, True])
def test_a_property_that_contradicts_itself_passes_nothing(
    policy: str, certify: bool, tmp_path: Path
) -> None:
    setting = Setting.make(tmp_path, f'unknown = "{policy}"\n{HOLDS}')
    text = (tmp_path / "holds.vnnlib").read_text(encoding="utf-8")
    text += "(assert (>= X_0 0.5))\n(assert (<= X_0 0.25))\n"
    (tmp_path / "holds.vnnlib").write_text(text, encoding="utf-8")

    report = setting.run(certify=certify)

    check = only(report)
    assert (check.verdict, check.judgement) == ("holds", Judgement.INCONCLUSIVE)
    assert "no input meets its assertions" in check.reason
    finding = Finding.of(check)
    assert finding is not None
    assert "cannot be verified against" in finding.sentence
    assert report.status == 3


def test_what_is_on_the_way_to_a_variant_is_verified_and_not_judged(tmp_path: Path) -> None:
    chain = """
    [[networks.compressions]]
    steps = [
        { method = "integer_quantisation", options = { bits = 16 } },
        { method = "integer_quantisation", options = { bits = 8 } },
    ]
    """
    setting = Setting.make(tmp_path, HOLDS + chain)

    report = setting.run()

    lengths = [len(check.question.subject.steps) for check in report.checks]
    assert lengths == [0, 2]
    assert report.checks[1].reuse is not None
    assert [task.command for task in setting.pools[0].tasks].count("verify") == 3
