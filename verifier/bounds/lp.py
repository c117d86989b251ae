# SPDX-License-Identifier: Apache-2.0
"""The triangle relaxation of a region as a linear program, for its duals.

Over a region, each unstable ReLU is relaxed to its triangle ``y >= 0, y >= z, y <= s z + t``; the
program minimises the largest row of a case. By strong duality its optimal duals *are* multipliers
of the backward bound: the mass on ``y >= z`` against ``y >= 0`` is alpha, the mass on the upper
line is q, that on a phase literal is beta, and the rows' own duals are their convex combination.

Nothing here is trusted. The optimum is a floating-point number and is thrown away; the duals go
through ``backward.lower_bounds``, where any values are valid, and only that bound counts. What the
primal point is good for is a guess at a counterexample.

Stable neurons are substituted, so the columns are the inputs and the unstable neurons only. HiGHS
solves it (Huangfu & Hall 2018).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.layers import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import highspy
    from numpy.typing import NDArray

    from verifier.bounds.box import Box
    from verifier.bounds.layers import Layers
    from verifier.bounds.objective import Objective
    from verifier.bounds.relaxation import Relaxation

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Duals:
    """What the duals say of a region and a case.

    Attributes:
        rows: Shape (case rows,): convex combination of the rows, or all zero where the phase
            literals alone contradict each other.
        layers: Layer to (indices, alpha, q) of its unstable neurons.
        literals: Layer to (indices, beta) of its phase literals, positive on ``z >= 0``.
        point: Shape (input width,): where the relaxation is least, if it has a point.
    """

    rows: Array
    layers: Mapping[int, tuple[NDArray[np.intp], Array, Array]]
    literals: Mapping[int, tuple[NDArray[np.intp], Array]]
    point: Array | None


@dataclass(eq=False)
class _Program:
    """The program while it is built, layer by layer.

    Attributes:
        columns: Number of columns: inputs, unstable neurons, and the largest row.
        blocks: Rows as (matrix, low, high).
        above: Layer to the place of its rows ``y >= z``.
        below: Layer to the place of its rows ``y <= s z + t``.
        literal: Layer to the place of its rows ``z >= 0`` or ``-z >= 0``.
        neurons: Layer to the columns of its unstable neurons.
    """

    columns: int
    blocks: list[tuple[Array, Array, Array]] = field(default_factory=list)
    above: dict[int, slice] = field(default_factory=dict)
    below: dict[int, slice] = field(default_factory=dict)
    literal: dict[int, slice] = field(default_factory=dict)
    neurons: dict[int, slice] = field(default_factory=dict)

    def add(self, block: Array, low: Array | float, high: Array | float) -> slice:
        """Add the rows ``low <= block @ columns <= high``; return their place."""
        start = sum(len(part[0]) for part in self.blocks)
        shape = (len(block),)
        self.blocks.append((block, np.broadcast_to(low, shape), np.broadcast_to(high, shape)))
        return slice(start, start + len(block))


def solve(
    layers: Layers,
    box: Box,
    relaxations: Sequence[Relaxation],
    phases: NDArray[np.int8],
    objective: Objective,
    seconds: float | None = None,
) -> Duals | None:
    """Solve the relaxation of one region (a batch of one) for one case.

    Args:
        layers: The network.
        box: Of the inputs.
        relaxations: Of each ReLU layer.
        phases: The literals of all neurons: 1 for ``z >= 0``, -1 for ``z <= 0``, else 0.
        objective: The rows of the case.
        seconds: How long it may take, or None for no limit.

    Returns:
        The duals, or None when HiGHS ends neither optimal nor infeasible, or gives no numbers.
    """
    unstable = sum(int(r.unstable.sum()) for r in relaxations)
    program = _Program(layers.input_width + unstable + 1)
    values = _add_network(program, layers, relaxations, phases)
    block = np.zeros((objective.count, program.columns))
    constant = objective.constant.copy()
    for source, coefficients in objective.coefficients.items():
        block += coefficients @ values[source][0]
        constant += coefficients @ values[source][1]
    block[:, -1] = -1.0
    rows = program.add(block, -np.inf, -constant)
    lower = np.concatenate([box.lower[0], np.zeros(unstable), [-np.inf]])
    upper = np.concatenate([box.upper[0], np.full(unstable + 1, np.inf)])
    solution = _run(program, lower, upper, seconds)
    if solution is None:
        return None
    row_duals, column_duals, point = solution
    if not (np.isfinite(row_duals).all() and np.isfinite(column_duals).all()):
        return None
    return Duals(
        np.maximum(-row_duals[rows], 0.0),
        {
            k: _unstable_duals(program, k, relaxations[k], row_duals, column_duals)
            for k in program.above
        },
        {
            k: (np.flatnonzero(phases[layers.slices[k]]), np.maximum(row_duals[place], 0.0))
            for k, place in program.literal.items()
        },
        None if point is None else point[: layers.input_width],
    )


def _add_network(
    program: _Program,
    layers: Layers,
    relaxations: Sequence[Relaxation],
    phases: NDArray[np.int8],
) -> dict[int, tuple[Array, Array]]:
    """Add every layer's triangles and literals; return each source as an affine map of columns."""
    identity = np.eye(layers.input_width, program.columns)
    values = {INPUT: (identity, np.zeros(layers.input_width))}
    column = layers.input_width
    for k, layer in enumerate(layers.hidden):
        matrix, constant = np.zeros((layer.width, program.columns)), layer.bias.copy()
        for source, weight in layer.weights.items():
            matrix += weight @ values[source][0]
            constant += weight @ values[source][1]
        relaxation, phase = relaxations[k], phases[layers.slices[k]]
        fixed = np.flatnonzero(phase)
        if len(fixed):
            sign = phase[fixed].astype(np.float64)
            block = sign[:, None] * matrix[fixed]
            program.literal[k] = program.add(block, -sign * constant[fixed], np.inf)
        neurons = np.flatnonzero(relaxation.unstable[0])
        active = relaxation.slope[0] * ~relaxation.unstable[0]
        after, shift = active[:, None] * matrix, active * constant
        if len(neurons):
            program.neurons[k] = slice(column, column + len(neurons))
            after[neurons, np.arange(column, column + len(neurons))] = 1.0
            column += len(neurons)
            y, z, z0 = after[neurons], matrix[neurons], constant[neurons]
            slope, offset = relaxation.slope[0][neurons], relaxation.offset[0][neurons]
            program.above[k] = program.add(y - z, z0, np.inf)
            program.below[k] = program.add(y - slope[:, None] * z, -np.inf, slope * z0 + offset)
        values[k] = (after, shift)
    return values


def _unstable_duals(
    program: _Program, k: int, relaxation: Relaxation, row_duals: Array, column_duals: Array
) -> tuple[NDArray[np.intp], Array, Array]:
    """Return (indices, alpha, q) of a layer's unstable neurons."""
    neurons = np.flatnonzero(relaxation.unstable[0])
    above = np.maximum(row_duals[program.above[k]], 0.0)
    nonnegative = np.maximum(column_duals[program.neurons[k]], 0.0)
    total = above + nonnegative
    adaptive = relaxation.alpha[0][neurons]
    alpha = np.where(total > 0.0, above / np.where(total > 0.0, total, 1.0), adaptive)
    return neurons, alpha, np.maximum(-row_duals[program.below[k]], 0.0)


def _run(
    program: _Program, lower: Array, upper: Array, seconds: float | None
) -> tuple[Array, Array, Array | None] | None:
    """Minimise the last column; return row duals, column duals and the point."""
    import highspy  # Loaded late: verification by reuse may need no program.

    matrix = np.concatenate([block for block, _, _ in program.blocks])
    rows, columns = np.nonzero(matrix)
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = matrix.shape
    cost = np.zeros(program.columns)
    cost[-1] = 1.0
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, lower, upper
    model.row_lower_ = np.concatenate([low for _, low, _ in program.blocks])
    model.row_upper_ = np.concatenate([high for _, _, high in program.blocks])
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    counts = np.bincount(rows, minlength=len(matrix))
    model.a_matrix_.start_ = np.concatenate([[0], np.cumsum(counts)])
    model.a_matrix_.index_, model.a_matrix_.value_ = columns, matrix[rows, columns]
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (("output_flag", False), ("presolve", "off"), ("threads", 1)):
        solver.setOptionValue(option, value)
    if seconds is not None:
        solver.setOptionValue("time_limit", seconds)
    solver.passModel(model)
    solver.run()
    match solver.getModelStatus():
        case highspy.HighsModelStatus.kOptimal:
            solution = solver.getSolution()
            row_duals, column_duals = np.array(solution.row_dual), np.array(solution.col_dual)
            return row_duals, column_duals, np.array(solution.col_value)
        case highspy.HighsModelStatus.kInfeasible:
            return _farkas(solver, program, matrix)
        case _:
            return None


def _farkas(
    solver: highspy.Highs, program: _Program, matrix: Array
) -> tuple[Array, Array, None] | None:
    """Return the ray that shows that the literals contradict each other, as duals of cost zero."""
    ray = solver.getDualRay()  # type: ignore[attr-defined]  # Missing from the stubs.
    values = np.array(ray[2] if isinstance(ray, tuple) else [], dtype=np.float64)
    if len(values) != len(matrix) or not np.any(values):
        return None
    at_least = np.concatenate([np.isfinite(low) for _, low, _ in program.blocks])
    # Multipliers of ``>=`` rows are positive: that fixes the ray's sign, which HiGHS leaves open.
    if values[at_least].sum() - values[~at_least].sum() < 0.0:
        values = -values
    values = values / np.abs(values).max()
    return values, -(values @ matrix), None
