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
    """Bound each query's combination of rows from below with the given multipliers.

    All queries must be of one group. Literals' masses count only where the region's path has the
    literal; a missing one just drops out, which leaves a valid bound.
    """
    problem = problem.for_work(len(queries))
    group = problem.groups[queries[0].region.group]
    bounds = RegionBounds.stack([query.region.bounds for query in queries])
    phases = phases_of(problem, [query.region.path for query in queries])
    owner = np.arange(len(queries))
    combined = [
        group.objectives[query.case].combine(np.array([i]), multipliers.rows[None, :])
        for i, (query, multipliers) in enumerate(zip(queries, chosen, strict=True))
    ]
    rows = Rows(
        owner,
        {
            s: np.concatenate([row.coefficients[s] for row in combined])
            for s in combined[0].coefficients
        },
        np.concatenate([row.constant for row in combined]),
        np.concatenate([row.magnitude for row in combined]),
    )
    multipliers = _dense(problem, bounds.relaxation.alpha, phases, chosen)
    return backward.lower_bounds(problem.layers, rows, bounds, multipliers, group.scale)


def _dense(
    problem: Problem,
    adaptive: Array,
    phases: NDArray[np.int8],
    chosen: Sequence[Multipliers],
) -> RowMultipliers:
    alpha, q, beta = adaptive.copy(), np.zeros_like(adaptive), np.zeros_like(adaptive)
    starts = [place.start for place in problem.layers.slices]
    for row, multipliers in enumerate(chosen):
        for layer, part in multipliers.layers.items():
            place = starts[layer] + part.index
            alpha[row, place], q[row, place] = part.alpha, part.q
        for (layer, index), mass in multipliers.literals.items():
            place = starts[layer] + index
            beta[row, place] = mass * phases[row, place]
    return RowMultipliers(alpha, q, beta)


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
