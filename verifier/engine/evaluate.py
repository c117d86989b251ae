# SPDX-License-Identifier: Apache-2.0
"""The one sound step of every refutation: evaluate multipliers over a region.

Whatever found them, multipliers are rounded to float32 and evaluated by ``evaluate``; a region is
refuted only when that sound bound is positive. So rounding, a program's tolerances and mistakes of
whoever searches for multipliers can lose refutations, never invent one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds import backward
from verifier.bounds.backward import LinearBound, RowMultipliers, Rows
from verifier.bounds.region_bounds import RegionBounds
from verifier.engine.region import phases_of
from verifier.proof.muc import Core, Multipliers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.bounds.ascent import Start
    from verifier.engine.problem import Problem
    from verifier.engine.region import Region

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Query:
    """One case over one region.

    Attributes:
        region: The region.
        case: The case.
        hint: Multipliers that may refute it, such as those of a region around it.
        warm: Where to start an ascent, if one is known; its arrays are those of one row.
    """

    region: Region
    case: int
    hint: Multipliers | None = None
    warm: Start | None = None


@dataclass(frozen=True, eq=False)
class Attempt:
    """What became of a query.

    Attributes:
        query: The query.
        core: The refutation, if there is one; its path is the region's.
        bound: The best bound found (a batch of one), for choosing a split.
        sensitivity: Shape (input width,): steepest slope of any single row by default
            multipliers, for choosing a split.
        point: Where the triangle program is least, if it ran: a guess at a counterexample.
        hint: The best multipliers known, for the regions within.
        warm: Where an ascent ended, for the regions within.
    """

    query: Query
    core: Core | None
    bound: LinearBound
    sensitivity: Array
    point: Array | None = None
    hint: Multipliers | None = None
    warm: Start | None = None


def evaluate(
    problem: Problem, queries: Sequence[Query], chosen: Sequence[Multipliers]
) -> LinearBound:
    """Do what ``evaluate_in`` does for the regions and cases of queries, all of one group."""
    bounds = RegionBounds.stack([query.region.bounds for query in queries])
    phases = phases_of(problem, [query.region.path for query in queries])
    cases = [query.case for query in queries]
    return evaluate_in(problem, Places(queries[0].region.group, bounds, phases, cases), chosen)


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
    multipliers = _dense(places, chosen)
    return backward.lower_bounds(problem.layers, rows, places.bounds, multipliers, group.scale)


def _combined(problem: Problem, places: Places, chosen: Sequence[Multipliers]) -> Rows:
    """Weigh the rows of each region's case.

    Raises:
        ValueError: A weight is negative, for which the bound would not be sound.
    """
    group, cases = problem.groups[places.group], np.array(places.cases, dtype=np.intp)
    sources = dict.fromkeys(s for rows in group.objectives.values() for s in rows.coefficients)
    width = {s: problem.layers.place(s).stop - problem.layers.place(s).start for s in sources}
    coefficients = {s: np.zeros((len(cases), width[s])) for s in sources}
    constant, magnitude = np.zeros(len(cases)), np.zeros(len(cases))
    for case in np.unique(cases).tolist():
        members = np.flatnonzero(cases == case)
        weights = np.array([chosen[i].rows for i in members.tolist()])
        if not (weights >= 0.0).all():
            msg = f"weights of rows must be at least 0: {weights.min()}"
            raise ValueError(msg)
        part = group.objectives[case].combine(members, weights)
        for source, matrix in part.coefficients.items():
            coefficients[source][members] = matrix
        constant[members], magnitude[members] = part.constant, part.magnitude
    return Rows(np.arange(len(cases)), coefficients, constant, magnitude)


def _dense(places: Places, chosen: Sequence[Multipliers]) -> RowMultipliers:
    """Write multipliers down for all neurons.

    Raises:
        ValueError: A number is out of its range, for which the bound would not be sound.
    """
    alpha = places.bounds.relaxation.alpha.copy()
    q, beta = np.zeros_like(alpha), np.zeros_like(alpha)
    rows, neurons = _entries([part.neurons for part in chosen])
    slopes = np.concatenate([part.alpha for part in chosen])
    least = np.concatenate([part.q for part in chosen])
    owners, literals = _entries([part.literals for part in chosen])
    masses = np.concatenate([part.masses for part in chosen])
    # Written so that NaN does not pass.
    if not ((slopes >= 0.0) & (slopes <= 1.0) & (least >= 0.0)).all() or not (masses >= 0.0).all():
        msg = "slopes must be in [0, 1] and masses at least 0"
        raise ValueError(msg)
    alpha[rows, neurons], q[rows, neurons] = slopes, least
    beta[owners, literals] = masses * places.phases[owners, literals]
    return RowMultipliers(alpha, q, beta)


def _entries(numbers: Sequence[NDArray[np.intp]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column of each entry of an array that has some entries in each row."""
    return np.repeat(np.arange(len(numbers)), [*map(len, numbers)]), np.concatenate(numbers)


def core_of(query: Query, multipliers: Multipliers | None, margin: float) -> Core | None:
    """Return the core of a query whose multipliers were evaluated, if they refute it."""
    region = query.region
    if region.is_empty:
        return Core(query.case, region.path, None, np.inf)
    if margin > 0.0:
        return Core(query.case, region.path, multipliers, float(margin))
    return None


def rounded(values: Array) -> Array:
    """Round to float32 values, kept as float64."""
    return values.astype(np.float32).astype(np.float64)
