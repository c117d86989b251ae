# SPDX-License-Identifier: Apache-2.0
"""Refute cases over the regions of a wide network: ascent instead of linear programs.

A program over hundreds of inputs takes seconds; an ascent finds practically the same multipliers
for hundreds of regions in a fraction of one. All queries of a group climb in one batch, whatever
their cases.

An ascent starts where that of the region around ended. That saves half of the regions against
default slopes, but only with splits that are scored by default slopes (``decide``): where the best
slopes of the last layer are 0, the layers before look as if nothing could be gained there. Where a
core of another network is repaired, it starts from the core's own multipliers.

As everywhere, what the ascent claims is rounded to float32 and goes through ``evaluate``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.ascent import Ascended, Forms, Regions, Start, ascend
from verifier.bounds.backward import LinearBound
from verifier.bounds.region_bounds import RegionBounds
from verifier.engine.evaluate import Attempt, core_of, evaluate, rounded
from verifier.engine.region import phases_of
from verifier.proof.literals import Phase
from verifier.proof.muc import Multipliers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.engine.evaluate import Query
    from verifier.engine.problem import Group, Problem

    Array = NDArray[np.float64]

STEPS = 20
"""With half as many, hard properties of MNIST 256x4 take twice the regions; more save few."""
FIRST_STEPS = 60
"""Without masses to start from, as at a root, where most easy properties end."""


def climb(problem: Problem, queries: Sequence[Query]) -> list[Attempt]:
    """Try to refute each query, all of one group, by ascent."""
    forms = _Forms(problem.groups[queries[0].region.group])
    bounds = RegionBounds.stack([query.region.bounds for query in queries])
    lines = bounds.relaxation
    phases = phases_of(problem, [query.region.path for query in queries])
    known = [query.warm or _warm(query, forms) for query in queries]
    weights = np.array([forms.weights(*pair) for pair in zip(queries, known, strict=True)])
    alpha, masses = lines.alpha.copy(), np.zeros(phases.shape)
    for row, warm in enumerate(known):
        if warm is not None:
            alpha[row] = np.where(lines.unstable[row], warm.alpha, alpha[row])
            masses[row] = warm.masses * (phases[row] != 0)
    cuts_inputs = any(not isinstance(x, Phase) for query in queries for x in query.region.path)
    box = bounds.box if cuts_inputs else bounds.box.take(np.zeros(1, dtype=np.intp))
    steps = FIRST_STEPS if any(warm is None for warm in known) else STEPS
    start = Start(weights, alpha, masses)
    regions = Regions(lines, box, phases)
    found = ascend(problem.layers, forms.all, regions, start, steps, problem.device)
    return _attempts(problem, queries, found, forms)


class _Forms:
    """The rows of all cases of a group, one after the other."""

    def __init__(self, group: Group) -> None:
        objectives = list(group.objectives.values())
        ends = np.cumsum([objective.count for objective in objectives]).tolist()
        self._places = {
            case: slice(end - objective.count, end)
            for (case, objective), end in zip(group.objectives.items(), ends, strict=True)
        }
        coefficients = {
            source: np.concatenate([objective.coefficients[source] for objective in objectives])
            for source in objectives[0].coefficients
        }
        constant = np.concatenate([objective.constant for objective in objectives])
        self.all = Forms(coefficients, constant)

    def weights(self, query: Query, warm: Start | None) -> Array:
        """Return where a query's weights start."""
        if warm is not None:
            return warm.weights
        place, weights = self._places[query.case], np.zeros(len(self.all.constant))
        weights[place] = 1.0 / max(place.stop - place.start, 1)
        return weights

    def given(self, query: Query, rows: Array) -> Array:
        """Return weights of all rows, given those of the rows of a query's case."""
        weights = np.zeros(len(self.all.constant))
        weights[self._places[query.case]] = rows
        return weights

    def own(self, query: Query, weights: Array) -> Array:
        """Return the weights of the rows of a query's case."""
        return weights[self._places[query.case]]


def _warm(query: Query, forms: _Forms) -> Start | None:
    """Return where a hint lets a query's ascent start; nowhere if it weighs no row."""
    hint = query.hint
    total = 0.0 if hint is None else float(hint.rows.sum())
    if hint is None or not total > 0.0:
        return None
    alpha = query.region.bounds.relaxation.alpha[0].copy()
    masses = np.zeros_like(alpha)
    alpha[hint.neurons], masses[hint.literals] = hint.alpha, hint.masses / total
    return Start(forms.given(query, hint.rows / total), alpha, masses)


def _attempts(
    problem: Problem, queries: Sequence[Query], found: Ascended, forms: _Forms
) -> list[Attempt]:
    """Evaluate what the ascent claims to have refuted."""
    chosen = {
        row: _multipliers(query, found.best.row(row), forms)
        for row, query in enumerate(queries)
        if found.value[row] > 0.0
    }
    margins = np.full(len(queries), -np.inf)
    if chosen:
        claimed = [queries[row] for row in chosen]
        margins[list(chosen)] = evaluate(problem, claimed, list(chosen.values())).value
    nothing = np.zeros((1, 0))
    attempts = []
    for row, query in enumerate(queries):
        # An ascent that claims more than evaluation grants has refuted nothing.
        value = np.minimum(found.value[row : row + 1], 0.0)
        gaps = found.gaps[row : row + 1].copy()
        bound = LinearBound(value, np.zeros(1), nothing, gaps)
        core = core_of(query, chosen.get(row), float(margins[row]))
        point, warm = found.points[row].astype(np.float32), found.best.row(row)
        attempts.append(Attempt(query, core, bound, nothing[0], point, warm=warm))
    return attempts


def _multipliers(query: Query, best: Start, forms: _Forms) -> Multipliers:
    neurons = np.flatnonzero(query.region.bounds.unstable[0])
    slopes, masses = rounded(best.alpha[neurons]), rounded(best.masses)
    literals = np.flatnonzero(masses)
    # Of a proof's many zeros none takes memory.
    least = np.broadcast_to(0.0, neurons.shape)
    rows = rounded(forms.own(query, best.weights))
    return Multipliers(rows, neurons, slopes, least, literals, masses[literals])
