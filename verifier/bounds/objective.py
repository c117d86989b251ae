# SPDX-License-Identifier: Apache-2.0
"""A case of a property as rows ``value <= 0``, ready to be bounded.

A counterexample of the case satisfies every row. So a convex combination of rows whose lower
bound over a region is positive refutes the case there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.backward import Rows
from verifier.bounds.layers import INPUT, TINY, nearest, require_within_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verifier.bounds.layers import Layers
    from verifier.spec.property import Case

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Objective:
    """The rows of one case as linear forms of layers and inputs.

    Attributes:
        coefficients: Source to shape (rows, source width).
        constant: Shape (rows,).
        magnitude: Shape (rows,): at least the magnitude of all terms behind each row, with the
            output layer's own terms, so that errors of folding it in are covered.
    """

    coefficients: dict[int, Array]
    constant: Array
    magnitude: Array

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.constant)

    def combine(self, owner: NDArray[np.intp], weights: Array) -> Rows:
        """Return one row for each combination; ``weights`` has shape (combinations, rows)."""
        # ``Layers.error`` counts the terms of the network, not the rows of the case.
        rounding = 1.0 + self.count / 64
        return Rows(
            owner,
            {source: weights @ matrix for source, matrix in self.coefficients.items()},
            weights @ self.constant,
            weights @ self.magnitude * rounding,
        )


@np.errstate(over="ignore", invalid="ignore")
def objective(layers: Layers, case: Case, input_scale: Array, output_scale: Array) -> Objective:
    """Return the rows of a case.

    Args:
        layers: The network; its output layer is folded into the rows.
        case: The case. Strict rows are treated as closed, which only makes refuting harder.
        input_scale: Shape (input width,): at least ``|x|`` in the case's box.
        output_scale: Shape (output width,): at least ``|W| |y| + |b|`` of the output layer.

    Raises:
        RefusedError: A number of the case is too large for float64, or what it meets is.
    """
    rows = len(case.constraints)
    on_output = np.zeros((rows, layers.output.width))
    on_input = np.zeros((rows, layers.input_width))
    bound = np.zeros(rows)
    for r, constraint in enumerate(case.constraints):
        for j, coefficient in constraint.outputs:
            on_output[r, j] = nearest(coefficient, f"a coefficient of output {j}")
        for i, coefficient in constraint.inputs:
            on_input[r, i] = nearest(coefficient, f"a coefficient of input {i}")
        bound[r] = nearest(constraint.bound, "the right side of a constraint")
    coefficients = {s: on_output @ w for s, w in layers.output.weights.items()}
    coefficients[INPUT] = coefficients.get(INPUT, 0.0) + on_input
    constant = on_output @ layers.output.bias - bound
    magnitude = np.abs(bound) + TINY
    magnitude += (np.abs(on_output) + TINY) @ output_scale + (np.abs(on_input) + TINY) @ input_scale
    for computed in (magnitude, *(np.abs(matrix) for matrix in coefficients.values())):
        require_within_range(computed, "a constraint of the property")
    return Objective(coefficients, constant, magnitude)
