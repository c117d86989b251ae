# SPDX-License-Identifier: Apache-2.0
"""One check of a gate: a network, in one form, against a property; and all of them together."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from verifier.gate.judgement import Judgement, Policy, exit_status, judgement_of_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from verifier.batch.question import Question
    from verifier.batch.results import Result
    from verifier.batch.task import Outcome
    from verifier.gate.manifest import Manifest


VACUOUS = "it says nothing: no input meets its assertions, so it holds of every network"


class Certification(StrEnum):
    """What became of a certificate that was asked for."""

    ACCEPTED = "accepted"  # The checker, fresh in this run, confirms the verdict.
    MISSING = "missing"  # None could be made.
    UNCHECKED = "unchecked"  # The checker ended without a word.
    REJECTED = "rejected"  # The checker does not confirm it.


@dataclass(frozen=True)
class Confirmation:
    """What the independent checker said of a certificate.

    Attributes:
        certification: In short.
        reason: Why it is not accepted, else empty.
        seconds: How long that took.
    """

    certification: Certification
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Check:
    """A network, in one form, against a property, and what came of it.

    Attributes:
        question: What was asked.
        judgement: What it means for the build.
        verdict: ``holds``, ``violated``, ``unknown``, ``timeout`` or ``error``.
        reason: Why it is not passed, else empty.
        seconds: The whole task, reading included, when it was done.
        is_cached: Whether it was done in an earlier run.
        inputs: Content of the files ``model.onnx`` and ``property.vnnlib``, as far as there are.
        document: All that the verification told, as JSON values.
        certificate: The certificate, if one was asked for and made.
        confirmation: What the checker said of it; None where none was asked for, or there is no
            verdict.
    """

    question: Question
    judgement: Judgement
    verdict: str
    reason: str
    seconds: float
    is_cached: bool
    inputs: Mapping[str, bytes]
    document: Mapping[str, Any]
    certificate: bytes | None = None
    confirmation: Confirmation | None = None

    @property
    def name(self) -> str:
        """What it is called; unique in a run."""
        return str(self.question)

    @property
    def reuse(self) -> Mapping[str, Any] | None:
        """What became of the cores of the proof that was reused; None where none was."""
        reuse = self.document.get("reuse")
        return reuse if reuse and reuse["cores"] else None

    @property
    def counterexample(self) -> Mapping[str, Any] | None:
        """An input that violates the property, as ``Counterexample.json`` gives it."""
        return self.document.get("counterexample")

    @property
    def is_vacuous(self) -> bool:
        """Whether the property holds of every network, as no input meets its assertions."""
        return bool(self.document.get("is_vacuous", False))

    def sha256(self, file: str) -> str:
        """Return the SHA-256 of an input file; empty where it could not be read."""
        content = self.inputs.get(file)
        return "" if content is None else hashlib.sha256(content).hexdigest()


def judge(
    result: Result, outcome: Outcome, policy: Policy, confirmation: Confirmation | None
) -> tuple[Judgement, str]:
    """Return what an outcome means for the build, and why it is not passed.

    Args:
        result: What the outcome answers.
        outcome: The outcome.
        policy: What is done where the answer is not known.
        confirmation: What the checker said, where a verdict counts only with a certificate; None
            where it counts without one, or there is no verdict.
    """
    judgement, reason = _judgement(result, outcome, policy)
    if judgement is Judgement.PASSED and outcome.document["is_vacuous"]:
        # A slip of the pen in a property must not pass for a proof, whatever the policy.
        return Judgement.INCONCLUSIVE, VACUOUS
    if confirmation is None:
        return judgement, reason
    match confirmation.certification:
        case Certification.ACCEPTED:
            return judgement, reason
        case Certification.MISSING:
            if judgement is Judgement.PASSED:
                judgement = judgement_of_unknown(policy)
            return judgement, f"there is no certificate: {confirmation.reason}"
        case Certification.UNCHECKED:
            return Judgement.CRASHED, f"its certificate was not checked: {confirmation.reason}"
        case Certification.REJECTED:
            return Judgement.CRASHED, f"the checker rejects its certificate: {confirmation.reason}"


def _judgement(result: Result, outcome: Outcome, policy: Policy) -> tuple[Judgement, str]:
    match result.verdict:
        case "holds":
            return Judgement.PASSED, ""
        case "violated":
            return Judgement.FAILED, "there is a counterexample"
        case "error":
            judgement = Judgement.CRASHED if outcome.is_crash else Judgement.INCONCLUSIVE
            return judgement, result.reason
        case _:
            return judgement_of_unknown(policy), result.reason


@dataclass(frozen=True)
class Report:
    """What came of a whole manifest.

    Attributes:
        manifest: What was asked.
        checks: In the order of the manifest, originals before variants.
        started: When the run was started, in UTC.
        seconds: How long it took.
        version: Of mucg4.
    """

    manifest: Manifest
    checks: tuple[Check, ...]
    started: datetime
    seconds: float
    version: str
    counts: Mapping[Judgement, int] = field(init=False)

    def __post_init__(self) -> None:
        """Count."""
        counted = Counter(check.judgement for check in self.checks)
        object.__setattr__(self, "counts", {word: counted[word] for word in Judgement})

    @property
    def status(self) -> int:
        """The exit status."""
        return exit_status([check.judgement for check in self.checks])

    @property
    def summary(self) -> str:
        """Return the counts in words."""
        parts = [f"{number} {word}" for word, number in self.counts.items() if number]
        checks = "1 check" if len(self.checks) == 1 else f"{len(self.checks)} checks"
        return f"{checks}: {', '.join(parts)}"
