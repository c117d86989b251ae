# SPDX-License-Identifier: Apache-2.0
"""The one sound step of every refutation: evaluate multipliers over a region.

Whatever found them, multipliers are rounded to float32 and evaluated by ``evaluate``; a region is
refuted only when that sound bound is positive. So rounding, a program's tolerances and mistakes of
whoever searches for multipliers can lose refutations, never invent one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
        hint: Multipliers that may refute it, such as those of a region around it. On a wide
            network an ascent starts from them, unless a better start is known.
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
        bounds: Over the regions; on a wide network only their input boxes are read.
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
    if group.live is not None:
        phases = places.phases[:, group.live.numbers]
        lines = group.live.relaxation(phases)
        multipliers = _dense(lines.alpha, phases, chosen, group.live.column)
        return group.live.lower_bounds(rows, lines, places.bounds.box, multipliers)
    multipliers = _dense(places.bounds.relaxation.alpha, places.phases, chosen)
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
    for case in sorted(set(places.cases)):
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


def _dense(
    adaptive: Array,
    phases: NDArray[np.int8],
    chosen: Sequence[Multipliers],
    column: NDArray[np.intp] | None = None,
) -> RowMultipliers:
    """Write multipliers down for all neurons.

    Args:
        adaptive: Slopes of lower lines where multipliers say nothing, of shape (rows, neurons).
        phases: Phase literals of each row's region, of the same shape.
        chosen: The multipliers of each row.
        column: Where each neuron is among those of the shape, or -1; by default they are all.

    Raises:
        ValueError: A number is out of its range, for which the bound would not be sound.
    """
    alpha, q, beta = adaptive.copy(), np.zeros_like(adaptive), np.zeros_like(adaptive)
    lines = [(part.neurons, part.alpha, part.q) for part in chosen]
    rows, neurons, slopes, least = _entries(lines, column)
    owners, literals, masses = _entries([(part.literals, part.masses) for part in chosen], column)
    # Written so that NaN does not pass.
    if not ((slopes >= 0.0) & (slopes <= 1.0) & (least >= 0.0)).all() or not (masses >= 0.0).all():
        msg = "slopes must be in [0, 1] and masses at least 0"
        raise ValueError(msg)
    alpha[rows, neurons], q[rows, neurons] = slopes, least
    beta[owners, literals] = masses * phases[owners, literals]
    return RowMultipliers(alpha, q, beta)


def _entries(
    parts: Sequence[tuple[NDArray[Any], ...]], column: NDArray[np.intp] | None
) -> list[NDArray[Any]]:
    """Return row, column and values of each entry of parts, of which there is one for each row."""
    rows = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    found = [rows, *(np.concatenate(values) for values in zip(*parts, strict=True))]
    if column is None:
        return found
    found[1] = column[found[1]]
    is_there = found[1] >= 0
    return [values[is_there] for values in found]


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
