# SPDX-License-Identifier: Apache-2.0
"""From a guessed point to a confirmed counterexample, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.layers import INPUT
from verifier.ir.evaluate import evaluate_exactly
from verifier.spec.counterexample import violates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verifier.engine.problem import Problem

    Array = NDArray[np.float64]

CLOSE = 1e-9
"""How far from violating, relative to the row's magnitude, a point may look in floating point and
still be worth an exact look."""


def confirm(problem: Problem, case: int, points: Array) -> tuple[Fraction, ...] | None:
    """Return the first point that violates the property exactly, moved into the case's box.

    Args:
        problem: The network and the property.
        case: The case that the points are meant to satisfy.
        points: Shape (points, input width).
    """
    rows = problem.groups[problem.group_of(case)].objectives[case]
    values = {INPUT: points}
    for k, layer in enumerate(problem.layers.hidden):
        z = layer.bias + sum(values[s] @ w.T for s, w in layer.weights.items())
        values[k] = np.maximum(z, 0.0)
    score = rows.constant + sum(values[s] @ c.T for s, c in rows.coefficients.items())
    near = (score <= CLOSE * (1.0 + rows.magnitude)).all(axis=1)
    box = problem.prop.cases[case].box
    for point in points[near]:
        exact = tuple(
            min(max(Fraction(float(value)), low), high)
            for value, low, high in zip(point, box.lower, box.upper, strict=True)
        )
        if violates(problem.prop, exact, evaluate_exactly(problem.graph, exact)):
            return exact
    return None
