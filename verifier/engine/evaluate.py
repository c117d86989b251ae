# SPDX-License-Identifier: Apache-2.0
"""Evaluate multipliers over regions: the sound bound on which every refutation rests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds import backward
from verifier.bounds.backward import LinearBound, RowMultipliers, Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.bounds.region_bounds import RegionBounds
    from verifier.engine.problem import Problem
    from verifier.proof.muc import Multipliers

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Places:
    """Regions of one group, and a case of the property in each.

    Attributes:
        group: The group.
        bounds: Over the regions.
        phases: Shape (regions, neurons): phase literals, signed.
        cases: The case in each region.
    """

    group: int
    bounds: RegionBounds
    phases: NDArray[np.int8]
    cases: Sequence[int]


def evaluate_in(problem: Problem, places: Places, chosen: Sequence[Multipliers]) -> LinearBound:
    """Bound each case's combination of rows from below with the given multipliers.

    Literals' masses count only where a region has the literal; a missing one just drops out, which
    leaves a valid bound.
    """
    problem = problem.for_work(len(chosen))
    group = problem.groups[places.group]
    rows = _combined(problem, places, chosen)
    multipliers = _dense(problem, places, chosen)
    return backward.lower_bounds(problem.layers, rows, places.bounds, multipliers, group.scale)


def _combined(problem: Problem, places: Places, chosen: Sequence[Multipliers]) -> Rows:
    """Weigh the rows of each region's case."""
    group, cases = problem.groups[places.group], np.array(places.cases, dtype=np.intp)
    sources = dict.fromkeys(s for rows in group.objectives.values() for s in rows.coefficients)
    width = {s: problem.layers.place(s).stop - problem.layers.place(s).start for s in sources}
    coefficients = {s: np.zeros((len(cases), width[s])) for s in sources}
    constant, magnitude = np.zeros(len(cases)), np.zeros(len(cases))
    for case in np.unique(cases).tolist():
        members = np.flatnonzero(cases == case)
        weights = np.array([chosen[i].rows for i in members.tolist()])
        part = group.objectives[case].combine(members, weights)
        for source, matrix in part.coefficients.items():
            coefficients[source][members] = matrix
        constant[members], magnitude[members] = part.constant, part.magnitude
    return Rows(np.arange(len(cases)), coefficients, constant, magnitude)


def _dense(problem: Problem, places: Places, chosen: Sequence[Multipliers]) -> RowMultipliers:
    adaptive = places.bounds.relaxation.alpha
    alpha, q, beta = adaptive.copy(), np.zeros_like(adaptive), np.zeros_like(adaptive)
    starts = [place.start for place in problem.layers.slices]
    for row, multipliers in enumerate(chosen):
        for layer, part in multipliers.layers.items():
            place = starts[layer] + part.index
            alpha[row, place], q[row, place] = part.alpha, part.q
        for (layer, index), mass in multipliers.literals.items():
            place = starts[layer] + index
            beta[row, place] = mass * places.phases[row, place]
    return RowMultipliers(alpha, q, beta)
