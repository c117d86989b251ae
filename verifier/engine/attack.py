# SPDX-License-Identifier: Apache-2.0
"""Look for a counterexample before proving that there is none.

Projected sign-gradient descent (Madry et al. 2018) on the largest row of each case, from random
points of the box, all cases of a group in one batch. It decides nothing: a point counts only after
it has been replayed in exact arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from verifier.bounds.layers import INPUT
from verifier.engine.candidates import confirm

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from verifier.engine.problem import Problem
    from verifier.engine.region import Region

    Array = NDArray[np.float64]

STARTS = 16
"""Enough for what is violated in many places. What is not waits until cheap bounds have failed."""
NEAR = 1e-9
"""How far from violating, relative to the rows' magnitude, a point may look to be replayed."""
LOOKS = 2
"""How many points of a step are replayed at most."""


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
        wanted = [case for case in group.objectives if cases is None or case in cases]
        points = generator.uniform(lower, upper, size=(starts * len(wanted), len(lower)))
        for case in wanted:
            # Nothing is demanded of the output, so every input violates.
            if group.objectives[case].count == 0:
                return confirm(problem, case, points[:1])
        if wanted:
            found = descend(problem, np.repeat(wanted, starts), points, (lower, upper), steps)
            if found is not None:
                return found
    return None


def descend(
    problem: Problem,
    cases: NDArray[np.intp],
    points: Array,
    box: tuple[Array, Array],
    steps: int,
) -> tuple[Fraction, ...] | None:
    """Return a counterexample that points of a box come to in so many steps, or None.

    Args:
        problem: The network and the property.
        cases: The case that each point is to satisfy, all of one group.
        points: Shape (points, input width).
        box: Lower and upper ends, of a shape that fits the points; steps shrink from a quarter of
            its widths.
        steps: How many.
    """
    rows = _Rows(problem, cases)
    lower, upper = box
    for step in range(steps):
        values, slopes = rows.largest(points)
        for i in np.argsort(values)[:LOOKS]:
            if values[i] > NEAR * rows.magnitude:
                break
            found = confirm(problem, int(cases[i]), points[i : i + 1])
            if found is not None:
                return found
        length = 0.25 * (1.0 - step / steps) + 0.005
        points = np.clip(points - length * (upper - lower) * np.sign(slopes), lower, upper)
    return None


class Guess(NamedTuple):
    """A point of a region that may come close to satisfying a case."""

    region: Region
    case: int
    point: Array


def descend_within(
    problem: Problem, guesses: Sequence[Guess], steps: int
) -> tuple[Fraction, ...] | None:
    """Return a counterexample that guesses come to within their regions, or None."""
    groups: dict[int, list[Guess]] = {}
    for guess in guesses:
        groups.setdefault(guess.region.group, []).append(guess)
    for members in groups.values():
        points = np.array([guess.point for guess in members])
        boxes = [guess.region.bounds.box for guess in members]
        cases = np.array([guess.case for guess in members])
        lower = np.concatenate([box.lower for box in boxes])
        upper = np.concatenate([box.upper for box in boxes])
        found = descend(problem, cases, points, (lower, upper), steps)
        if found is not None:
            return found
    return None


class _Rows:
    """The rows of cases of one group, each of which some points are to satisfy."""

    def __init__(self, problem: Problem, cases: NDArray[np.intp]) -> None:
        group = problem.groups[problem.group_of(int(cases[0]))]
        wanted = {case: group.objectives[case] for case in dict.fromkeys(cases.tolist())}
        owner = np.repeat(list(wanted), [rows.count for rows in wanted.values()])
        self._layers = problem.layers
        self._is_foreign = cases[:, None] != owner
        self._constant = np.concatenate([rows.constant for rows in wanted.values()])
        self._coefficients = {
            source: np.concatenate([rows.coefficients[source] for rows in wanted.values()])
            for source in next(iter(wanted.values())).coefficients
        }
        self.magnitude = 1.0 + max(rows.magnitude.max() for rows in wanted.values())

    def largest(self, points: Array) -> tuple[Array, Array]:
        """Return each point's largest row and the row's gradient at the point."""
        layers = self._layers
        values, active = {INPUT: points}, {}
        for k, layer in enumerate(layers.hidden):
            z = layer.bias + sum(values[s] @ w.T for s, w in layer.weights.items())
            active[k] = z > 0.0
            values[k] = np.maximum(z, 0.0)
        score = self._constant + sum(values[s] @ c.T for s, c in self._coefficients.items())
        score[self._is_foreign] = -np.inf
        worst = np.argmax(score, axis=1)
        slopes = {s: c[worst] for s, c in self._coefficients.items()}
        for k in range(len(layers.hidden) - 1, -1, -1):
            if k not in slopes:
                continue
            at_z = slopes.pop(k) * active[k]
            for source, weight in layers.hidden[k].weights.items():
                slopes[source] = slopes.get(source, 0.0) + at_z @ weight
        return score[np.arange(len(points)), worst], slopes.get(INPUT, np.zeros_like(points))
