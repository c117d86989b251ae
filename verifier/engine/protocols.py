# SPDX-License-Identifier: Apache-2.0
"""What the engine asks of an exact theory solver; ``encoders`` provides one.

The engine decides almost everything with bounds and linear programs. Where those stop, at a
region in which every phase is known and the linear program's tolerance is not enough, an exact
solver has the last word. The engine knows it only through this protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from verifier.ir.graph import Neuron
    from verifier.proof.literals import Path
    from verifier.proof.muc import ExactMultipliers
    from verifier.verdict import Answer


@dataclass(frozen=True)
class ExactAnswer:
    """Whether a case has a solution in a region, in exact arithmetic.

    Attributes:
        answer: SAT, UNSAT, or UNKNOWN when time ran out.
        point: A solution's input, if SAT.
    """

    answer: Answer
    point: tuple[Fraction, ...] | None = None


class ExactSolver(Protocol):
    """A complete decision procedure in exact rational arithmetic."""

    def decide(
        self,
        case: int,
        path: Path,
        bounds: Mapping[Neuron, tuple[Fraction, Fraction]],
        timeout_seconds: float | None,
    ) -> ExactAnswer:
        """Decide whether the case has a solution that satisfies all literals of the path.

        Args:
            case: Index of the case.
            path: Literals that a solution must satisfy.
            bounds: Sound bounds of every preactivation under the path.
            timeout_seconds: Time for the answer, or None for no limit.
        """
        ...


class ExactMultiplierFinder(Protocol):
    """Finds the evidence for what an exact solver refuted."""

    def __call__(
        self, case: int, path: Path, bounds: Mapping[Neuron, tuple[Fraction, Fraction]]
    ) -> ExactMultipliers | None:
        """Return exact multipliers of a case over a region; None if a phase is open, or none exist.

        Args:
            case: Index of the case.
            path: Literals of the region.
            bounds: Sound bounds of every preactivation under the path, which tell the phases that
                the path does not.
        """
        ...
