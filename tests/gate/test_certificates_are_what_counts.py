# SPDX-License-Identifier: Apache-2.0
"""Where a gate asks for certificates, a verdict counts only with one that the checker accepts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.running import network_bytes
from tests.gate.reports import CRASH, HOLDS, LATE, LIMIT, ONE, Setting, as_named, only
from verifier.batch.task import Outcome, Task, crash, failure
from verifier.batch.work import execute
from verifier.gate.check import Certification
from verifier.gate.judgement import Judgement

if TYPE_CHECKING:
    from pathlib import Path


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
