# SPDX-License-Identifier: Apache-2.0
"""Refute a case over a region: the theory solver of bounds and linear programming.

Cheapest first, and only for what is left:

 1. the region is empty: its literals contradict a neuron's bounds;
 2. one row of the case is positive by default multipliers;
 3. a convex combination of the rows is, found by multiplicative weights (Freund & Schapire 1999);
 4. the multipliers that the program found for a region around it suffice here;
 5. the triangle program finds the best combination and the best multipliers at once.

Whatever found them, multipliers are rounded to float32 and evaluated by ``evaluate``; a region is
refuted only when that sound bound is positive. So rounding, the program's tolerances and
mistakes in this file can lose refutations, never invent one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds import lp
from verifier.bounds.backward import LinearBound
from verifier.bounds.region_bounds import RegionBounds
from verifier.engine.evaluate import Places, evaluate_in
from verifier.engine.region import phases_of
from verifier.ir.graph import Neuron
from verifier.proof.muc import Core, Multipliers, NeuronMultipliers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from verifier.bounds.objective import Objective
    from verifier.engine.problem import Problem
    from verifier.engine.region import Region

    Array = NDArray[np.float64]

ROUNDS = 20
"""Rounds of multiplicative weights: more rarely change the outcome before the program does."""


@dataclass(frozen=True, eq=False)
class Query:
    """One case over one region.

    Attributes:
        region: The region.
        case: The case.
        hint: Multipliers that may refute it, such as those of a region around it.
    """

    region: Region
    case: int
    hint: Multipliers | None = None


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
    """

    query: Query
    core: Core | None
    bound: LinearBound
    sensitivity: Array
    point: Array | None = None
    hint: Multipliers | None = None


def evaluate(
    problem: Problem, queries: Sequence[Query], chosen: Sequence[Multipliers]
) -> LinearBound:
    """Do what ``evaluate_in`` does for the regions and cases of queries, all of one group."""
    bounds = RegionBounds.stack([query.region.bounds for query in queries])
    phases = phases_of(problem, [query.region.path for query in queries])
    cases = [query.case for query in queries]
    return evaluate_in(problem, Places(queries[0].region.group, bounds, phases, cases), chosen)


def refute(problem: Problem, queries: Sequence[Query], program_limit: int) -> list[Attempt]:
    """Try to refute each query by all steps.

    Args:
        problem: The network and the property.
        queries: Cases over regions, all of one group.
        program_limit: Most unstable neurons for which the triangle program is solved.
    """
    return strengthen(problem, screen(problem, queries), program_limit)


def strengthen(problem: Problem, screened: Sequence[Attempt], program_limit: int) -> list[Attempt]:
    """Go on with steps 4 and 5 where steps 1 to 3 refuted nothing; see ``refute``."""
    attempts = _by_hint(problem, list(screened))
    duals = {
        i: found
        for i, attempt in enumerate(attempts)
        if attempt.core is None
        and attempt.query.region.bounds.unstable_count[0] <= program_limit
        and (found := _solve(problem, attempt.query)) is not None
    }
    return _by_program(problem, attempts, duals) if duals else attempts


def screen(problem: Problem, queries: Sequence[Query]) -> list[Attempt]:
    """Try steps 1 to 3 on each query, all of one group, in one batch."""
    group = problem.groups[queries[0].region.group]
    single = [_single_rows(group.objectives[query.case]) for query in queries]
    owners = [i for i, rows in enumerate(single) for _ in rows]
    bound = evaluate(
        problem, [queries[i] for i in owners], [row for rows in single for row in rows]
    )
    places = np.split(np.arange(len(owners)), np.cumsum([len(rows) for rows in single])[:-1])
    boxes = [query.region.bounds.box for query in queries]
    weights = [
        _combine(bound.value[place], bound.slopes[place], box.lower[0], box.upper[0])
        for place, box in zip(places, boxes, strict=True)
    ]
    chosen = [Multipliers(_short(w)) for w in weights]
    combined = evaluate(problem, queries, chosen)
    steepest = [np.abs(bound.slopes[place]).max(axis=0) for place in places]
    return [
        Attempt(query, _core(query, multipliers, combined.value[i]), _row(combined, i), steepest[i])
        for i, (query, multipliers) in enumerate(zip(queries, chosen, strict=True))
    ]


def _single_rows(objective: Objective) -> list[Multipliers]:
    return [Multipliers(row) for row in np.eye(objective.count)]


def _combine(value: Array, slopes: Array, lower: Array, upper: Array) -> Array:
    """Return weights of rows whose combination has the largest least value over the box.

    Args:
        value: Shape (rows,): least value of each row's linear function over the box.
        slopes: Shape (rows, inputs).
        lower: The box's lower ends.
        upper: The box's upper ends.
    """
    best: Array = np.eye(len(value))[int(np.argmax(value))]
    if len(value) == 1 or value.max() > 0.0:
        return best
    intercept = value - np.where(slopes >= 0.0, slopes * lower, slopes * upper).sum(axis=1)
    weights, best_value = np.full(len(value), 1.0 / len(value)), float(value.max())
    for step in range(ROUNDS):
        slope = weights @ slopes
        corner = np.where(slope >= 0.0, lower, upper)
        rows = intercept + slopes @ corner
        if weights @ rows > best_value:
            best, best_value = weights, float(weights @ rows)
        scale = np.abs(rows).max()
        if best_value > 0.0 or scale == 0.0:
            break
        weights = weights * np.exp(2.0 / np.sqrt(step + 1.0) * rows / scale)
        weights = weights / weights.sum()
    return best


def _by_hint(problem: Problem, attempts: list[Attempt]) -> list[Attempt]:
    """Step 4, in one batch."""
    places = {
        i: attempt.query.hint
        for i, attempt in enumerate(attempts)
        if attempt.core is None and attempt.query.hint is not None
    }
    if not places:
        return attempts
    bound = evaluate(problem, [attempts[i].query for i in places], list(places.values()))
    for row, (i, hint) in enumerate(places.items()):
        query = attempts[i].query
        core = _core(query, hint, bound.value[row])
        attempts[i] = replace(attempts[i], core=core, hint=hint)
    return attempts


def _solve(problem: Problem, query: Query) -> lp.Duals | None:
    region = query.region
    [phases] = phases_of(problem, [region.path])
    objective = problem.groups[region.group].objectives[query.case]
    bounds = region.bounds
    return lp.solve(problem.layers, bounds.box, bounds.relaxations, phases, objective)


def _by_program(
    problem: Problem, attempts: list[Attempt], duals: Mapping[int, lp.Duals]
) -> list[Attempt]:
    """Step 5: what the programs of some attempts found, evaluated in one batch."""
    chosen = [_multipliers(found) for found in duals.values()]
    bound = evaluate(problem, [attempts[i].query for i in duals], chosen)
    for row, (i, found) in enumerate(duals.items()):
        query, hint, best = attempts[i].query, chosen[row], _row(bound, row)
        core = _core(query, hint, bound.value[row])
        attempts[i] = Attempt(query, core, best, attempts[i].sensitivity, found.point, hint)
    return attempts


def _multipliers(duals: lp.Duals) -> Multipliers:
    """Return duals as multipliers, rounded to float32."""
    masses = {
        Neuron(layer, int(index)): float(mass)
        for layer, (indices, values) in duals.literals.items()
        for index, mass in zip(indices, _short(values), strict=True)
        if mass > 0.0
    }
    layers = {
        layer: NeuronMultipliers(index, _short(alpha), _short(q))
        for layer, (index, alpha, q) in duals.layers.items()
    }
    return Multipliers(_short(duals.rows), layers, masses)


def _core(query: Query, multipliers: Multipliers, margin: float) -> Core | None:
    region = query.region
    if region.is_empty:
        return Core(query.case, region.path, None, np.inf)
    if margin > 0.0:
        return Core(query.case, region.path, multipliers, float(margin))
    return None


def _short(values: Array) -> Array:
    """Round to float32 values, kept as float64."""
    return values.astype(np.float32).astype(np.float64)


def _row(bound: LinearBound, row: int) -> LinearBound:
    part = slice(row, row + 1)
    return LinearBound(bound.value[part], bound.slack[part], bound.slopes[part], bound.gaps[part])
