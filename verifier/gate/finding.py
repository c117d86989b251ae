# SPDX-License-Identifier: Apache-2.0
"""What is found where a check is not passed, for readers that follow findings from run to run.

A finding has a kind, which says what was found, and a level, which says what it means for the
build: that a property is not known may be an error, a warning or a note, as the manifest has it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from verifier.gate.judgement import Judgement
from verifier.gate.words import one_line

if TYPE_CHECKING:
    from verifier.gate.check import Check


class Kind(StrEnum):
    """What is found. These are names that others store: they stay as they are."""

    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"
    REFUSED = "refused"
    UNCERTIFIED = "uncertified"
    CRASHED = "crashed"

    @property
    def name_in_reports(self) -> str:
        """What it is called where findings of several tools stand together."""
        return f"mucg4/{self}"


class Level(StrEnum):
    """What a finding means for the build, in the words of SARIF."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_LEVELS = {
    Judgement.ALLOWED: Level.NOTE,
    Judgement.INCONCLUSIVE: Level.WARNING,
    Judgement.FAILED: Level.ERROR,
    Judgement.CRASHED: Level.ERROR,
}


@dataclass(frozen=True)
class Finding:
    """A check that is not passed.

    Attributes:
        check: The check.
        kind: What was found.
        level: What it means for the build.
    """

    check: Check
    kind: Kind
    level: Level

    @classmethod
    def of(cls, check: Check) -> Finding | None:
        """Return what was found; nothing where a check is passed."""
        if check.judgement is Judgement.PASSED:
            return None
        return cls(check, _kind(check), _LEVELS[check.judgement])

    @property
    def sentence(self) -> str:
        """What was found, in one line."""
        question = self.check.question
        who, what = one_line(str(question.subject)), one_line(question.prop)
        reason = one_line(self.check.reason)
        match self.kind:
            case Kind.VIOLATED:
                return f"{who} violates {what}: {reason}"
            case Kind.INCONCLUSIVE:
                means = _MEANS[self.check.judgement]
                return f"It is not known whether {who} satisfies {what}{means}: {reason}"
            case Kind.REFUSED:
                return f"{who} cannot be verified against {what}: {reason}"
            case Kind.UNCERTIFIED:
                means = _MEANS[self.check.judgement]
                return f"That {who} satisfies {what} is not certified{means}: {reason}"
            case Kind.CRASHED:
                return f"There is no answer whether {who} satisfies {what}: {reason}"

    @property
    def fingerprint(self) -> str:
        """What tells it from all others, the same in every run.

        It is of names alone. Neither the line nor the content of a file goes into it, so that a
        finding stays the same when something else in the file is edited; the kind does, so that
        what was not known and is violated now is told as something new.
        """
        question = self.check.question
        subject = question.subject
        whole = [self.kind, subject.network, subject.change, question.prop]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


_MEANS = {
    Judgement.ALLOWED: ", which the manifest allows",
    Judgement.INCONCLUSIVE: "",
    Judgement.FAILED: ", which the manifest takes for a failure",
}


def _kind(check: Check) -> Kind:
    if check.judgement is Judgement.CRASHED:
        return Kind.CRASHED
    match check.verdict:
        case "violated":
            return Kind.VIOLATED
        case "holds":
            return Kind.REFUSED if check.is_vacuous else Kind.UNCERTIFIED
        case "error":
            return Kind.REFUSED
        case _:
            return Kind.INCONCLUSIVE
