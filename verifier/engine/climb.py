# SPDX-License-Identifier: Apache-2.0
"""Refute cases over the regions of a wide network: ascent instead of linear programs.

A program over hundreds of inputs takes seconds; an ascent finds practically the same multipliers
for hundreds of regions in a tenth of one (on MNIST 256x4, 20 steps come to within 0.001 of the
program's optimum). All queries of a group climb in one batch, whatever their cases.

Masses of literals start from those of the region around, slopes from the default ones. Starting
with the slopes that were best there is a trap: where the last layer's slopes have become 0, no
gradient reaches the layers before, and searches on MNIST 256x4 did not end.

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
from verifier.ir.graph import Neuron
from verifier.proof.literals import Phase
from verifier.proof.muc import Multipliers, NeuronMultipliers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.engine.evaluate import Query
    from verifier.engine.problem import Group, Problem

    Array = NDArray[np.float64]

STEPS = 20
"""Half as many need twice the regions and more, twice as many save few."""
FIRST_STEPS = 60
"""Without masses to start from, as at a root, where most easy properties end."""


def climb(problem: Problem, queries: Sequence[Query]) -> list[Attempt]:
    """Try to refute each query, all of one group, by ascent."""
    group = problem.groups[queries[0].region.group]
    cases, first, forms = _forms(group)
    bounds = RegionBounds.stack([query.region.bounds for query in queries])
    lines = bounds.relaxation
    phases = phases_of(problem, [query.region.path for query in queries])
    weights = np.zeros((len(queries), len(forms.constant)))
    masses = np.zeros(phases.shape)
    starts = [place.start for place in problem.layers.slices]
    for row, query in enumerate(queries):
        count = group.objectives[query.case].count
        place = slice(first[cases.index(query.case)], first[cases.index(query.case)] + count)
        weights[row, place] = 1.0 / count if query.hint is None else query.hint.rows
        if query.hint is not None:
            for (layer, index), mass in query.hint.literals.items():
                masses[row, starts[layer] + index] = mass
    is_shared = all(not _cuts_inputs(query) for query in queries)
    box = bounds.box.take(np.zeros(1, dtype=np.intp)) if is_shared else bounds.box
    steps = FIRST_STEPS if any(query.hint is None for query in queries) else STEPS
    start = Start(weights, lines.alpha, masses * (phases != 0))
    found = ascend(problem.layers, forms, Regions(lines, box, phases), start, steps, problem.device)
    return _attempts(problem, queries, found, lines.unstable)


def _cuts_inputs(query: Query) -> bool:
    return any(not isinstance(literal, Phase) for literal in query.region.path)


def _forms(group: Group) -> tuple[list[int], list[int], Forms]:
    """Return the cases of a group, where the rows of each start, and all rows."""
    objectives = list(group.objectives.values())
    first = np.cumsum([0, *(objective.count for objective in objectives)]).tolist()
    coefficients = {
        source: np.concatenate([objective.coefficients[source] for objective in objectives])
        for source in objectives[0].coefficients
    }
    constant = np.concatenate([objective.constant for objective in objectives])
    return list(group.objectives), first, Forms(coefficients, constant)


def _attempts(
    problem: Problem, queries: Sequence[Query], found: Ascended, unstable: NDArray[np.bool_]
) -> list[Attempt]:
    """Evaluate what the ascent claims to have refuted."""
    group = problem.groups[queries[0].region.group]
    cases, first, _ = _forms(group)
    chosen = []
    for row, query in enumerate(queries):
        place = first[cases.index(query.case)]
        weights = found.best.weights[row, place : place + group.objectives[query.case].count]
        is_claimed = found.value[row] > 0.0
        layers = _slopes(problem, found.best.alpha[row], unstable[row]) if is_claimed else {}
        chosen.append(Multipliers(rounded(weights), layers, _masses(problem, found, row, query)))
    claims = [row for row, value in enumerate(found.value) if value > 0.0]
    margins = dict.fromkeys(range(len(queries)), -np.inf)
    if claims:
        bound = evaluate(problem, [queries[i] for i in claims], [chosen[i] for i in claims])
        margins |= dict(zip(claims, bound.value.tolist(), strict=True))
    return [
        _attempt(query, chosen[row], margins[row], found, row) for row, query in enumerate(queries)
    ]


def _attempt(
    query: Query, chosen: Multipliers, margin: float, found: Ascended, row: int
) -> Attempt:
    part = slice(row, row + 1)
    nothing = np.zeros((1, 0))
    # An ascent that claims more than evaluation grants has refuted nothing.
    value = np.minimum(found.value[part], 0.0)
    bound = LinearBound(value, np.zeros(1), nothing, found.gaps[part].copy())
    core = core_of(query, chosen, margin)
    return Attempt(query, core, bound, nothing[0], found.points[row].copy(), chosen)


def _slopes(
    problem: Problem, alpha: Array, unstable: NDArray[np.bool_]
) -> dict[int, NeuronMultipliers]:
    layers = {}
    for layer, place in enumerate(problem.layers.slices):
        index = np.flatnonzero(unstable[place])
        if len(index):
            slopes = rounded(alpha[place][index])
            layers[layer] = NeuronMultipliers(index, slopes, np.zeros(len(index)))
    return layers


def _masses(problem: Problem, found: Ascended, row: int, query: Query) -> dict[Neuron, float]:
    starts = [place.start for place in problem.layers.slices]
    masses = {}
    for literal in query.region.path:
        if isinstance(literal, Phase):
            layer, index = literal.neuron
            mass = float(np.float32(found.best.masses[row, starts[layer] + index]))
            if mass > 0.0:
                masses[Neuron(layer, index)] = mass
    return masses
