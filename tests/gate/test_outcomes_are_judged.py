# SPDX-License-Identifier: Apache-2.0
"""What an outcome means for a build: nothing that is not proved passes, and no cache is trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.running import network_bytes
from tests.gate.reports import CRASH, LIMIT, ONE, Setting, as_named, one, unknown
from verifier.batch.task import Outcome, Task, crash, failure
from verifier.batch.work import execute
from verifier.errors import UsageError
from verifier.gate.check import Certification
from verifier.gate.judgement import Judgement, exit_status

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.gate.check import Check, Report

LATE = ONE.replace('"holds.vnnlib", "violated.vnnlib"', '"late.vnnlib"')
HOLDS = ONE.replace(', "violated.vnnlib"', "")
QUANTISED = '[[networks.compressions]]\nmethod = "integer_quantisation"\noptions = { bits = 16 }\n'


def only(report: Report) -> Check:
    (check,) = report.checks
    return check


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


def test_a_certificate_is_checked_in_every_run_and_a_verdict_is_not_sought_again(
    tmp_path: Path,
) -> None:
    setting = Setting.make(tmp_path, ONE)

    first, again = setting.run(certify=True), setting.run(certify=True)

    for report in (first, again):
        for check in report.checks:
            assert check.certificate is not None
            assert check.confirmation is not None
            assert check.confirmation.certification is Certification.ACCEPTED
        assert report.status == 1
    assert [check.is_cached for check in again.checks] == [True, True]
    assert [task.command for task in setting.pools[0].tasks].count("check") == 2
    assert [task.command for task in setting.pools[1].tasks] == ["check", "check"]


def other_certificate(task: Task) -> Outcome:
    """Verify a task, but return the certificate of another network."""
    done = execute(task)
    if "certificate" not in done.files:
        return done
    other = execute(replace(task, files={**task.files, "model.onnx": network_bytes(seed=4)}))
    return replace(done, files=other.files)


def without_sense(task: Task) -> Outcome:
    """Verify a task, but return a certificate that the checker cannot read."""
    done = execute(task)
    return replace(done, files={"certificate": b"{"}) if "certificate" in done.files else done


def without_acceptance(task: Task) -> Outcome:
    if task.command != "check":
        return execute(task)
    told = {"accepted": False, "verdict": "holds", "reason": "a core is open", "run_seconds": 0.1}
    return Outcome(told)


def with_another_verdict(task: Task) -> Outcome:
    done = execute(task)
    return Outcome({**done.document, "verdict": "violated"}) if task.command == "check" else done


def with_a_crash(task: Task) -> Outcome:
    return crash(CRASH) if task.command == "check" else execute(task)


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (other_certificate, ""),
        (without_sense, "certificate.json.gz: "),
        (without_acceptance, "a core is open"),
        (with_another_verdict, "it proves violated, not holds"),
    ],
)
@pytest.mark.parametrize("policy", ["allow", "fail", "inconclusive"])
def test_a_certificate_that_is_rejected_is_a_defect_whatever_the_policy(
    do: Any, reason: str, policy: str, tmp_path: Path
) -> None:
    setting = Setting.make(tmp_path, f'unknown = "{policy}"\n{HOLDS}', do)

    report = setting.run(certify=True)

    check = only(report)
    assert check.confirmation is not None
    assert check.confirmation.certification is Certification.REJECTED
    assert check.judgement is Judgement.CRASHED
    assert check.reason.startswith("the checker rejects its certificate: ")
    assert reason in check.reason
    assert report.status == 4


@pytest.mark.parametrize("policy", ["allow", "fail", "inconclusive"])
def test_a_checker_without_a_word_is_a_crash_whatever_the_policy(
    policy: str, tmp_path: Path
) -> None:
    setting = Setting.make(tmp_path, f'unknown = "{policy}"\n{HOLDS}', with_a_crash)

    report = setting.run(certify=True)

    check = only(report)
    assert check.confirmation is not None
    assert check.confirmation.certification is Certification.UNCHECKED
    assert check.reason == f"its certificate was not checked: {CRASH}"
    assert (check.judgement, report.status) == (Judgement.CRASHED, 4)


def without_certificate(task: Task) -> Outcome:
    done = execute(task)
    if task.command == "check":
        return done
    missing = {"certificate": "it would be longer than 256 MiB"}
    return Outcome({**done.document, "not_written": missing})


@pytest.mark.parametrize(
    ("policy", "judgement", "status"),
    [
        ("inconclusive", Judgement.INCONCLUSIVE, 3),
        ("allow", Judgement.ALLOWED, 0),
        ("fail", Judgement.FAILED, 1),
    ],
)
def test_a_verdict_without_its_certificate_is_not_known(
    policy: str, judgement: Judgement, status: int, tmp_path: Path
) -> None:
    setting = Setting.make(tmp_path, f'unknown = "{policy}"\n{HOLDS}', without_certificate)

    report = setting.run(certify=True)

    check = only(report)
    assert (check.judgement, report.status) == (judgement, status)
    assert check.reason == "there is no certificate: it would be longer than 256 MiB"
    assert check.verdict == "holds"


def test_a_verdict_from_a_certificate_that_never_was_needs_a_reason(tmp_path: Path) -> None:
    # As where the differential margin carries a verdict over, which has no proof of its own.
    def transferred(task: Task) -> Outcome:
        return failure("none") if task.command == "check" else Outcome(execute(task).document)

    check = only(Setting.make(tmp_path, HOLDS, transferred).run(certify=True))

    assert check.judgement is Judgement.INCONCLUSIVE
    assert check.reason == "there is no certificate: none was made"


def test_a_violation_without_certificate_stays_a_violation(tmp_path: Path) -> None:
    violated = ONE.replace('"holds.vnnlib", ', "")
    setting = Setting.make(tmp_path, f'unknown = "allow"\n{violated}', without_certificate)

    report = setting.run(certify=True)

    assert (only(report).judgement, report.status) == (Judgement.FAILED, 1)


def test_what_is_not_known_needs_no_certificate(tmp_path: Path) -> None:
    check = only(Setting.make(tmp_path, LATE, as_named).run(certify=True))

    assert check.confirmation is None
    assert (check.judgement, check.reason) == (Judgement.INCONCLUSIVE, LIMIT)


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
