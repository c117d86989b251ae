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

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

    from verifier.ir.graph import Neuron
    from verifier.proof.literals import Path

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NeuronMultipliers:
    """Multipliers of some neurons of one layer; all of shape (neurons,).

    Attributes:
        index: Which neurons, ascending.
        alpha: Slope of the lower line, in [0, 1].
        q: Least mass on the upper line, at least 0.

    Raises:
        ValueError: A number is out of its range, for which the bound would not be sound.
    """

    index: NDArray[np.intp]
    alpha: Array
    q: Array

    def __post_init__(self) -> None:
        """Check the ranges; written so that NaN does not pass."""
        if not (((self.alpha >= 0.0) & (self.alpha <= 1.0)).all() and (self.q >= 0.0).all()):
            msg = f"slopes must be in [0, 1] and masses at least 0: {self.alpha}, {self.q}"
            raise ValueError(msg)


@dataclass(frozen=True, eq=False)
class Multipliers:
    """A refutation in the form that stays valid on other networks.

    Every number is a float32 value, so that files and exact arithmetic stay short: rounding
    happens before a refutation is evaluated, never after.

    Attributes:
        rows: Weight of each row of the case, at least 0; all zero where the phase literals
            contradict each other without the property.
        layers: Layer to multipliers of neurons that depart from the default (adaptive, 0).
        literals: Neuron to the mass, at least 0, on its phase literal.

    Raises:
        ValueError: A number is out of its range, for which the bound would not be sound.
    """

    rows: Array
    layers: Mapping[int, NeuronMultipliers] = field(default_factory=dict)
    literals: Mapping[Neuron, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the ranges; written so that NaN does not pass."""
        if not ((self.rows >= 0.0).all() and all(mass >= 0.0 for mass in self.literals.values())):
            msg = f"weights and masses must be at least 0: {self.rows}, {dict(self.literals)}"
            raise ValueError(msg)


@dataclass(frozen=True)
class ExactMultipliers:
    """A refutation by rationals, for a region whose phases are all known.

    Attributes:
        rows: Weight of each row of the case, at least 0.
        literals: Neuron to the mass, more than 0, on its phase literal.
    """

    rows: tuple[Fraction, ...]
    literals: Mapping[Neuron, Fraction]


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True)
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
