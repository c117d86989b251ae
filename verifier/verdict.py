# SPDX-License-Identifier: Apache-2.0
"""Answers of solvers and verdicts on properties, and the one place where one becomes the other.

A property file asks for a *violation*: an input in the given set whose output is unsafe. So the
formula being unsatisfiable means that the property holds. That flip occurs here and nowhere else.
"""

from enum import StrEnum


class Answer(StrEnum):
    """What a solver says of a formula."""

    SAT = "sat"
    UNSAT = "unsat"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What is known of a property."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


class Semantics(StrEnum):
    """The arithmetic for which a verdict is stated."""

    REAL = "real"


def verdict_of(answer: Answer) -> Verdict:
    """Return the verdict on a property whose violation was asked for."""
    match answer:
        case Answer.SAT:
            return Verdict.VIOLATED
        case Answer.UNSAT:
            return Verdict.HOLDS
        case Answer.UNKNOWN:
            return Verdict.UNKNOWN
