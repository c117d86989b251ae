# SPDX-License-Identifier: Apache-2.0
"""Look for a counterexample before proving that there is none.

Projected sign-gradient descent (Madry et al. 2018) on the largest row of each case, from random
points of the box, all in one batch. It decides nothing: a point counts only after it has been
replayed in exact arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.layers import INPUT
from verifier.engine.candidates import confirm

if TYPE_CHECKING:
    from collections.abc import Collection
    from fractions import Fraction

    from numpy.typing import NDArray

    from verifier.bounds.objective import Objective
    from verifier.engine.problem import Problem

    Array = NDArray[np.float64]

STARTS = 16
"""Enough for what is violated in many places. What is not waits until cheap bounds have failed."""


def attack(
    problem: Problem,
    seed: int,
    steps: int,
    starts: int = STARTS,
    cases: Collection[int] | None = None,
) -> tuple[Fraction, ...] | None:
    """Return an exact counterexample, or None when so many steps from so many points found none.

    Args:
        problem: The network and the property.
        seed: Of the random points.
        steps: How many from each point.
        starts: How many points for each case.
        cases: Which to try, by default all.
    """
    generator = np.random.default_rng(seed)
    for group in problem.groups:
        lower, upper = group.bounds.box.lower[0], group.bounds.box.upper[0]
        for case, rows in group.objectives.items():
            if cases is not None and case not in cases:
                continue
            points = generator.uniform(lower, upper, size=(starts, len(lower)))
            if rows.count == 0:  # Nothing is demanded of the output, so every input violates.
                return confirm(problem, case, points[:1])
            found = descend(problem, case, points, (lower, upper), steps)
            if found is not None:
                return found
    return None


def descend(
    problem: Problem, case: int, points: Array, box: tuple[Array, Array], steps: int
) -> tuple[Fraction, ...] | None:
    """Return a counterexample that points of a box come to in so many steps, or None.

    Args:
        problem: The network and the property.
        case: The case to satisfy.
        points: Shape (points, input width).
        box: Lower and upper ends, of a shape that fits the points; steps shrink from a quarter of
            its widths.
        steps: How many.
    """
    rows = problem.groups[problem.group_of(case)].objectives[case]
    lower, upper = box
    for step in range(steps):
        values, slopes = _largest_row(problem, rows, points)
        found = confirm(problem, case, points[np.argsort(values)[:2]])
        if found is not None:
            return found
        length = 0.25 * (1.0 - step / steps) + 0.005
        points = np.clip(points - length * (upper - lower) * np.sign(slopes), lower, upper)
    return None


def _largest_row(problem: Problem, rows: Objective, points: Array) -> tuple[Array, Array]:
    """Return each point's largest row and the row's gradient at the point."""
    layers = problem.layers
    values, active = {INPUT: points}, {}
    for k, layer in enumerate(layers.hidden):
        z = layer.bias + sum(values[s] @ w.T for s, w in layer.weights.items())
        active[k] = z > 0.0
        values[k] = np.maximum(z, 0.0)
    score = rows.constant + sum(values[s] @ c.T for s, c in rows.coefficients.items())
    worst = np.argmax(score, axis=1)
    slopes = {s: c[worst] for s, c in rows.coefficients.items()}
    for k in range(len(layers.hidden) - 1, -1, -1):
        if k not in slopes:
            continue
        at_z = slopes.pop(k) * active[k]
        for source, weight in layers.hidden[k].weights.items():
            slopes[source] = slopes.get(source, 0.0) + at_z @ weight
    return score[np.arange(len(points)), worst], slopes.get(INPUT, np.zeros_like(points))
