# SPDX-License-Identifier: Apache-2.0
"""Refute a case over a region: the theory solver of bounds and linear programming.

Cheapest first, and only for what is left:

 1. the region is empty: its literals contradict a neuron's bounds;
 2. one row of the case is positive by default multipliers;
 3. a convex combination of the rows is, found by multiplicative weights (Freund & Schapire 1999);
 4. the multipliers that the program found for a region around it suffice here;
 5. the triangle program finds the best combination and the best multipliers at once.

On wide networks step 2 to 5 are one: an ascent (``climb``). Whatever found them, multipliers are
rounded to float32 and count by what ``evaluate`` makes of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.bounds import lp
from verifier.bounds.backward import LinearBound
from verifier.bounds.box import Box
from verifier.engine.climb import climb
from verifier.engine.evaluate import Attempt, Query, core_of, evaluate, rounded
from verifier.engine.region import phases_of
from verifier.engine.region_tree import in_chunks
from verifier.proof.muc import Multipliers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from verifier.bounds.objective import Objective
    from verifier.engine.limits import Budget
    from verifier.engine.problem import Problem

    Array = NDArray[np.float64]

PROGRAM_LIMIT = 70
"""Most unstable neurons for which the triangle program is solved, where inputs are split. Splits
shrink the count by themselves, so waiting is cheaper than a large program."""
WIDE_LIMIT = 8
"""The same on wide networks: there ascent does what the program did, and only where next to nothing
is left to split is it worth a tenth of a second to know for sure."""
ROUNDS = 20
"""Rounds of multiplicative weights: more rarely change the outcome before the program does."""


def refute(
    problem: Problem, queries: Sequence[Query], program_limit: int, budget: Budget | None = None
) -> list[Attempt]:
    """Try to refute each query by all steps.

    Args:
        problem: The network and the property.
        queries: Cases over regions, all of one group.
        program_limit: Most unstable neurons for which the triangle program is solved; on wide
            networks, where programs are large, ``WIDE_LIMIT`` at most.
        budget: When to stop solving programs; by default never.
    """
    return strengthen(problem, screen(problem, queries), program_limit, budget)


def strengthen(
    problem: Problem,
    screened: Sequence[Attempt],
    program_limit: int,
    budget: Budget | None = None,
) -> list[Attempt]:
    """Go on with steps 4 and 5 where steps 1 to 3 refuted nothing; see ``refute``."""
    limit = min(program_limit, WIDE_LIMIT) if problem.layers.wide else program_limit
    attempts = list(screened) if problem.layers.wide else _by_hint(problem, list(screened))
    duals = {
        i: found
        for i, attempt in enumerate(attempts)
        if attempt.core is None
        and attempt.query.region.bounds.unstable_count[0] <= limit
        and (found := _solve(problem, attempt.query, budget)) is not None
    }
    return _by_program(problem, attempts, duals) if duals else attempts


def screen(problem: Problem, queries: Sequence[Query]) -> list[Attempt]:
    """Try steps 1 to 3 on each query, all of one group, in one batch."""
    if problem.layers.wide:
        return [attempt for part in in_chunks(queries) for attempt in climb(problem, part)]
    group = problem.groups[queries[0].region.group]
    single = [_single_rows(group.objectives[query.case]) for query in queries]
    owners = [i for i, rows in enumerate(single) for _ in rows]
    bound = evaluate(
        problem, [queries[i] for i in owners], [row for rows in single for row in rows]
    )
    places = np.split(np.arange(len(owners)), np.cumsum([len(rows) for rows in single])[:-1])
    chosen = [Multipliers(rounded(w)) for w in _weights(queries, bound, places)]
    combined = evaluate(problem, queries, chosen)
    steepest = [np.abs(bound.slopes[place]).max(axis=0) for place in places]
    return [
        Attempt(
            query, core_of(query, multipliers, combined.value[i]), _row(combined, i), steepest[i]
        )
        for i, (query, multipliers) in enumerate(zip(queries, chosen, strict=True))
    ]


def _single_rows(objective: Objective) -> list[Multipliers]:
    return [Multipliers(row) for row in np.eye(objective.count)]


def _weights(
    queries: Sequence[Query], bound: LinearBound, places: Sequence[NDArray[np.intp]]
) -> list[Array]:
    """Return weights of the rows of each query's case; ``places`` says where they are bounded."""
    weights: list[Array] = [np.zeros(0)] * len(queries)
    alike: dict[int, list[int]] = {}
    for i, place in enumerate(places):
        alike.setdefault(len(place), []).append(i)
    for members in alike.values():
        rows = np.array([places[i] for i in members])
        boxes = Box.stack([queries[i].region.bounds.box for i in members])
        found = _combine(bound.value[rows], bound.slopes[rows], boxes)
        for i, row in zip(members, found, strict=True):
            weights[i] = row
    return weights


@np.errstate(over="ignore", invalid="ignore")
def _combine(values: Array, slopes: Array, box: Box) -> Array:
    """Return weights of rows whose combination has the largest least value over a box, by region.

    Rows without a bound may make numbers that are none; they are never better than others.

    Args:
        values: Shape (regions, rows): least value of each row's linear function over the box.
        slopes: Shape (regions, rows, inputs).
        box: The regions' boxes.
    """
    regions, count = values.shape
    best: Array = np.eye(count)[np.argmax(values, axis=1)]
    most = values.max(axis=1, initial=-np.inf)
    is_open = (most <= 0.0) if count > 1 else np.zeros(regions, dtype=np.bool_)
    lower, upper = box.lower[:, None], box.upper[:, None]
    intercept = values - np.where(slopes >= 0.0, slopes * lower, slopes * upper).sum(axis=2)
    weights = np.full((regions, count), 1.0 / max(count, 1))
    for step in range(ROUNDS):
        if not is_open.any():
            break
        slope = np.einsum("gr,gri->gi", weights, slopes)
        corner = np.where(slope >= 0.0, box.lower, box.upper)
        rows = intercept + np.einsum("gri,gi->gr", slopes, corner)
        value = (weights * rows).sum(axis=1)
        better = is_open & (value > most)
        best[better], most[better] = weights[better], value[better]
        scale = np.abs(rows).max(axis=1, keepdims=True)
        is_open &= (most <= 0.0) & (scale[:, 0] > 0.0)
        share = np.divide(rows, scale, out=np.zeros_like(rows), where=scale > 0.0)
        weights = weights * np.exp(2.0 / np.sqrt(step + 1.0) * share)
        weights = weights / weights.sum(axis=1, keepdims=True)
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
        core = core_of(query, hint, bound.value[row])
        attempts[i] = replace(attempts[i], core=core, hint=hint)
    return attempts


def _solve(problem: Problem, query: Query, budget: Budget | None) -> lp.Duals | None:
    seconds = None if budget is None else budget.remaining_seconds
    if seconds == 0.0:
        return None
    region = query.region
    [phases] = phases_of(problem, [region.path])
    objective = problem.groups[region.group].objectives[query.case]
    bounds = region.bounds
    return lp.solve(problem.layers, bounds.box, bounds.relaxations, phases, objective, seconds)


def _by_program(
    problem: Problem, attempts: list[Attempt], duals: Mapping[int, lp.Duals]
) -> list[Attempt]:
    """Step 5: what the programs of some attempts found, evaluated in one batch."""
    chosen = [_multipliers(problem, found) for found in duals.values()]
    bound = evaluate(problem, [attempts[i].query for i in duals], chosen)
    for row, (i, found) in enumerate(duals.items()):
        query, hint, best = attempts[i].query, chosen[row], _row(bound, row)
        core = core_of(query, hint, bound.value[row])
        attempts[i] = Attempt(query, core, best, attempts[i].sensitivity, found.point, hint)
    return attempts


def _multipliers(problem: Problem, duals: lp.Duals) -> Multipliers:
    """Return duals as multipliers, rounded to float32."""
    starts = [place.start for place in problem.layers.slices]
    lines = [(starts[layer] + index, alpha, q) for layer, (index, alpha, q) in duals.layers.items()]
    on_literals = [(starts[layer] + index, mass) for layer, (index, mass) in duals.literals.items()]
    literals, masses = _joined(on_literals, 2)
    used = rounded(masses) > 0.0
    neurons, alpha, q = _joined(lines, 3)
    return Multipliers(
        rounded(duals.rows),
        neurons,
        rounded(alpha),
        rounded(q),
        literals[used],
        rounded(masses[used]),
    )


def _joined(parts: Sequence[tuple[NDArray[Any], ...]], count: int) -> list[NDArray[Any]]:
    """Join the entries of layers, and sort them by the number of their neuron."""
    nobody = (np.zeros(0, dtype=np.intp), *[np.zeros(0)] * (count - 1))
    columns = [np.concatenate(column) for column in zip(nobody, *parts, strict=True)]
    order = np.argsort(columns[0])
    return [column[order] for column in columns]


def _row(bound: LinearBound, row: int) -> LinearBound:
    part = slice(row, row + 1)
    return LinearBound(bound.value[part], bound.slack[part], bound.slopes[part], bound.gaps[part])
