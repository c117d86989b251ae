# SPDX-License-Identifier: Apache-2.0
"""Backward linear bounds: the one way in which everything is proved.

To bound a linear form of some layer from below, substitute backwards. Where the accumulated
coefficient of a postactivation ``y`` is ``nu``, split it as ``nu = (nu + q) - q`` with
``q >= max(0, -nu)``: the part ``q`` goes on the upper line ``y <= s z + t``, the part
``nu + q >= 0`` on the lower line ``y >= alpha z``. What is left is a linear form of the input,
which a box bounds at once. With ``q = max(0, -nu)`` and the adaptive ``alpha`` this is CROWN
(Zhang et al. 2018); a phase literal ``z >= 0`` adds ``-beta z`` for any ``beta >= 0`` (Wang et al.
2021, beta-CROWN); and free ``q`` makes the form as strong as the triangle LP, whose duals are
exactly (alpha, q, beta). Any alpha in [0, 1], q >= 0, beta >= 0 give a *valid* bound on any
network of the same shape: that is what makes a stored proof portable.

Rounding. Whatever coefficients floating point produces *are* the ones used, so an error made in
one step is a wrong coefficient on a value whose magnitude is bounded. Summing coefficient
magnitude times value magnitude over all layers and scaling by ``Layers.error`` covers every
rounding, the float64 view of the weights included; ``TINY`` on each coefficient covers underflow.

Two ways do the same: products of matrices over whole batches here, which cost nothing to start,
and compiled loops in ``kernels``, where the work is large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.kernel_data import workspace
from verifier.bounds.layers import HUGE, TINY
from verifier.bounds.loading import load_kernels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from verifier.bounds.box import Box
    from verifier.bounds.layers import Layers
    from verifier.bounds.region_bounds import RegionBounds
    from verifier.bounds.relaxation import Relaxation

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Linear forms ``sum_s coefficients[s] . y_s + constant``, one for each row.

    Attributes:
        owner: Shape (rows,): the region of each row, an index into the batch.
        coefficients: Source (a layer's postactivation, or the input) to shape (rows, width).
        constant: Shape (rows,).
        magnitude: Shape (rows,): at least the magnitude of all terms that made the constant.
    """

    owner: NDArray[np.intp]
    coefficients: Mapping[int, Array]
    constant: Array
    magnitude: Array


@dataclass(frozen=True, eq=False)
class RowMultipliers:
    """Chosen multipliers of all neurons for each row; all of shape (rows, neurons).

    Attributes:
        alpha: Slope of the lower line, in [0, 1]; used where the neuron is unstable.
        q: Least mass on the upper line, at least 0.
        beta: Signed mass of phase literals: positive on ``z >= 0``, negative on ``z <= 0``.
    """

    alpha: Array
    q: Array
    beta: Array


@dataclass(frozen=True, eq=False)
class LinearBound:
    """Lower bounds, as numbers and as linear functions of the input.

    Attributes:
        value: Shape (rows,): a sound lower bound of each row over its region.
        slack: Shape (rows,): what ``value`` is less than the computed bound, for rounding.
        slopes: Shape (rows, input width): coefficients of the linear function below the row.
        gaps: Shape (rows, neurons): how much each neuron's upper line costs.
    """

    value: Array
    slack: Array
    slopes: Array
    gaps: Array


def lower_bounds(
    layers: Layers, rows: Rows, bounds: RegionBounds, multipliers: RowMultipliers, scale: Array
) -> LinearBound:
    """Bound each row from below over its region.

    Args:
        layers: The network.
        rows: What to bound.
        bounds: Bounds over the batch of regions.
        multipliers: For each row.
        scale: At least the magnitude of each entry of a source vector in all of the regions.
    """
    coefficients = np.zeros((len(rows.owner), len(scale)))
    for source, part in rows.coefficients.items():
        coefficients[:, layers.place(source)] = part
    chosen = (multipliers.alpha, multipliers.q, multipliers.beta)
    parts = (coefficients, rows.constant, rows.magnitude)
    if layers.compiled:
        work, kernels = workspace(layers.flat, scale, rows=1), load_kernels()
        found = kernels.lower_bounds(layers.flat, bounds.flat, rows.owner, parts, chosen, work)
        return LinearBound(*found)
    lines = bounds.relaxation.take(rows.owner)
    box = bounds.box.take(rows.owner)
    return LinearBound(*substitute(layers, parts, lines, box, scale, chosen))


@np.errstate(over="ignore", invalid="ignore")
def substitute(
    layers: Layers,
    rows: tuple[Array, Array, Array],
    lines: Relaxation,
    box: Box,
    scale: Array,
    chosen: tuple[Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array, Array]:
    """Bound rows from below as products of matrices, all rows at once.

    Args:
        layers: The network.
        rows: Coefficients over the source vector up to the last layer that is read, which are
            overwritten; constants; and magnitudes of all terms behind the constants.
        lines: The relaxation of each row's region.
        box: Its input box.
        scale: At least the magnitude of each entry of a source vector.
        chosen: For each row alpha, q and beta of all neurons; by default those of ``lines`` and 0.

    Returns:
        Bounds, their slacks, coefficients on the inputs, and what each neuron's upper line costs.
    """
    coefficients, constant, magnitude = rows
    magnitude = magnitude + (np.abs(coefficients) + TINY) @ scale[: coefficients.shape[1]]
    gaps = np.zeros((len(constant), coefficients.shape[1] - layers.input_width))
    for k in range(len(layers.hidden) - 1, -1, -1):
        place, entries = layers.slices[k], layers.place(k)
        if entries.start >= coefficients.shape[1]:
            continue
        nu, alpha = coefficients[:, entries], lines.alpha[:, place]
        above, beta = np.maximum(-nu, 0.0), None
        if chosen is not None:
            alpha = np.where(lines.unstable[:, place], chosen[0][:, place], alpha)
            above, beta = np.maximum(above, chosen[1][:, place]), chosen[2][:, place]
        below = nu + above
        gaps[:, place] = above * lines.offset[:, place]
        nu, mass = alpha * below - lines.slope[:, place] * above, below + above
        if beta is not None:
            nu, mass = nu - beta, mass + np.abs(beta)
        cost = gaps[:, place].sum(axis=1)
        constant = constant - cost + nu @ layers.hidden[k].bias
        magnitude = magnitude + (mass + TINY) @ scale[entries] + cost
        for source, weight in layers.hidden[k].weights.items():
            coefficients[:, layers.place(source)] += nu @ weight
    slopes = coefficients[:, : layers.input_width]
    return (*_concretize(layers, slopes, box, (constant, magnitude)), slopes, gaps)


def _concretize(
    layers: Layers, slopes: Array, box: Box, parts: tuple[Array, Array]
) -> tuple[Array, Array]:
    """Take the least value of the linear function over the box, then subtract the slack.

    Every term so far, partial sums included, is at most the magnitude. So where that is no more
    than ``HUGE`` nothing has overflowed, and elsewhere, NaN included, there is no bound.
    """
    constant, magnitude = parts
    least = np.where(slopes >= 0.0, box.lower, box.upper)
    value = constant + np.einsum("rn,rn->r", slopes, least)
    magnitude = magnitude + np.einsum("rn,rn->r", np.abs(slopes) + TINY, box.magnitude)
    slack = layers.error * magnitude + TINY
    return np.where(magnitude <= HUGE, value - slack, -np.inf), slack
