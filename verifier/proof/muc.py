# SPDX-License-Identifier: Apache-2.0
"""Cores with the multipliers that refute them.

A *core* is a set of literals under which a case of the property has no solution. It is kept with
the multipliers of the backward bound that refutes it: they are valid on any network of the same
shape, so on a compressed network the core is re-validated by one evaluation, not by a search.

Minimality is relative to the bound theory with a margin (see ``engine/minimize.py``): a core is
called a MUC when no literal can be dropped without that theory losing the required margin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from numpy.typing import NDArray

    from verifier.ir.graph import Neuron
    from verifier.proof.literals import Path

    Array = NDArray[np.float64]


def _nothing() -> Array:
    return np.zeros(0)


def _nobody() -> NDArray[np.intp]:
    return np.zeros(0, dtype=np.intp)


@dataclass(frozen=True, eq=False, slots=True)
class Multipliers:
    """A refutation in the form that stays valid on other networks.

    Every number is a float32 value, so that files and exact arithmetic stay short: rounding
    happens before a refutation is evaluated, never after. Neurons are numbered through, layer after
    layer. There may be many thousands of these, so they hold arrays as they are, or parts of larger
    ones; that all numbers are in their ranges is seen to where a batch of them is evaluated.

    Attributes:
        rows: Weight of each row of the case, at least 0; all zero where the phase literals
            contradict each other without the property.
        neurons: Which neurons depart from the default (adaptive, 0), ascending.
        alpha: Slopes of their lower lines, in [0, 1].
        q: Their least masses on the upper lines, at least 0.
        literals: Neurons with masses on their phase literals, ascending.
        masses: These masses, at least 0.
    """

    rows: Array
    neurons: NDArray[np.intp] = field(default_factory=_nobody)
    alpha: Array = field(default_factory=_nothing)
    q: Array = field(default_factory=_nothing)
    literals: NDArray[np.intp] = field(default_factory=_nobody)
    masses: Array = field(default_factory=_nothing)


@dataclass(frozen=True)
class ExactMultipliers:
    """A refutation by rationals, for a region whose phases are all known.

    Attributes:
        rows: Weight of each row of the case, at least 0.
        literals: Neuron to the mass, more than 0, on its phase literal.
    """

    rows: tuple[Fraction, ...]
    literals: Mapping[Neuron, Fraction]


@dataclass(frozen=True, eq=False, slots=True)
class Core:
    """Literals that refute a case.

    Attributes:
        case: Index of the case in ``Property.cases``.
        path: The literals, in the order in which regions are bounded.
        multipliers: The refutation, or None where the literals contradict the bounds of a neuron
            so that the region is empty, or where only exact arithmetic refutes the case.
        margin: The sound lower bound that was positive; infinite for an empty region.
    """

    case: int
    path: Path
    multipliers: Multipliers | None
    margin: float


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of the search, or a part of one, and the core that refutes it.

    Attributes:
        path: The literals decided on the way to the leaf: the core's and those it could drop.
        core: Index into the proof's cores.
        multipliers: Another refutation, for the leaf alone and with more margin; None where the
            core's is the best one known.
    """

    path: Path
    core: int
    multipliers: Multipliers | None = None
