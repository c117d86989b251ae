# SPDX-License-Identifier: Apache-2.0
"""Literals: what a search assumes, and what a core refutes.

Two kinds of atom, each with a sign:

  * the phase of a neuron: ``preactivation >= 0`` (active) or ``<= 0`` (inactive);
  * a half-space of one input: ``x_i <= c`` or ``x_i >= c``.

Both signs are closed, so a point on the border satisfies both: every point satisfies at least one,
which is all that case splitting needs. Thresholds are float64, hence exact rationals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from verifier.ir.graph import Neuron


class Phase(NamedTuple):
    """``preactivation(neuron) >= 0`` if active, else ``<= 0``."""

    neuron: Neuron
    active: bool

    def negated(self) -> Phase:
        """Return the other side of the split."""
        return Phase(self.neuron, not self.active)


class HalfSpace(NamedTuple):
    """``x[input] <= threshold`` if below, else ``>= threshold``."""

    input: int
    threshold: float
    below: bool

    def negated(self) -> HalfSpace:
        """Return the other side of the split."""
        return HalfSpace(self.input, self.threshold, not self.below)


Literal = Phase | HalfSpace
Path = tuple[Literal, ...]
"""Literals in the order in which they were decided."""


def implies(stronger: Literal, weaker: Literal) -> bool:
    """Tell whether every point that satisfies ``stronger`` satisfies ``weaker``."""
    match stronger, weaker:
        case HalfSpace(i, c, True), HalfSpace(j, d, True):
            return i == j and c <= d
        case HalfSpace(i, c, False), HalfSpace(j, d, False):
            return i == j and c >= d
        case _:
            return stronger == weaker


def without_implied(path: Path) -> Path:
    """Return the path without literals that another one on it implies."""
    return tuple(
        literal
        for i, literal in enumerate(path)
        if not any(
            implies(other, literal) and (other != literal or j < i) for j, other in enumerate(path)
        )
    )


def covers(core: Path, path: Path) -> bool:
    """Tell whether every point of ``path`` satisfies all of ``core``."""
    given = set(path)
    return all(
        needed in given or any(implies(literal, needed) for literal in path) for needed in core
    )
