# SPDX-License-Identifier: Apache-2.0
"""What an outcome means for a build."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

STATUS_VIOLATED, STATUS_INCONCLUSIVE, STATUS_INTERNAL = 1, 3, 4


class Policy(StrEnum):
    """What is done about a property of which neither a proof nor a counterexample was found."""

    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"
    ALLOW = "allow"


class Judgement(StrEnum):
    """What one check means for the build."""

    PASSED = "passed"  # It holds, and is certified where that was asked for.
    ALLOWED = "allowed"  # Not known; the manifest says that this may be.
    INCONCLUSIVE = "inconclusive"  # Not known, or refused.
    FAILED = "failed"  # It is violated, or not known where the manifest takes that for the same.
    CRASHED = "crashed"  # There is no answer, by a defect or for want of memory.


def judgement_of_unknown(policy: Policy) -> Judgement:
    """Return what it means that a property is not known to hold."""
    match policy:
        case Policy.INCONCLUSIVE:
            return Judgement.INCONCLUSIVE
        case Policy.FAIL:
            return Judgement.FAILED
        case Policy.ALLOW:
            return Judgement.ALLOWED


def exit_status(judgements: Collection[Judgement]) -> int:
    """Return the exit status of a run: what went wrong inside must not look like a verdict."""
    if not judgements or Judgement.CRASHED in judgements:
        return STATUS_INTERNAL
    if Judgement.FAILED in judgements:
        return STATUS_VIOLATED
    return STATUS_INCONCLUSIVE if Judgement.INCONCLUSIVE in judgements else 0
