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

Rows of different regions are processed together: ``owner`` names each row's region, so a batch is
a few large matrix products, and a region pays only for the rows it asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.layers import HUGE, INPUT, TINY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from verifier.bounds.box import Box
    from verifier.bounds.layers import Layers
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
class LayerMultipliers:
    """Chosen multipliers of one layer for each row; all of shape (rows, width).

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
        slopes: Shape (rows, input width): coefficients of the linear function below the row.
        slack: Shape (rows,): what ``value`` is less than the computed bound, for rounding.
        gaps: Layer to shape (rows, width): how much each unstable neuron's upper line costs.
    """

    value: Array
    slopes: Array
    slack: Array
    gaps: Mapping[int, Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Scales:
    """What rounding errors and the last step are measured against.

    Attributes:
        box: The input boxes of the batch of regions.
        input: Shape (input width,): at least ``|x|`` anywhere in the property's input box.
        layers: For each layer, shape (width,): at least ``|W| |y| + |b|`` anywhere in the
            property's input box, hence at least ``|z|`` and ``|y|`` in every region of it.
    """

    box: Box
    input: Array
    layers: Sequence[Array]

    def of(self, source: int) -> Array:
        """Return the magnitudes of one source."""
        return self.input if source == INPUT else self.layers[source]

    def weigh(self, source: int, coefficients: Array) -> Array:
        """Return the magnitude of each row of non-negative coefficients, underflow included."""
        return (coefficients + TINY) @ self.of(source)


def neuron_rows(
    layers: Layers, layer: int, owner: NDArray[np.intp], neurons: NDArray[np.intp], sign: float
) -> Rows:
    """Return the rows ``sign * z`` for the given neurons of a layer."""
    source = layers.hidden[layer]
    weights = {s: sign * w[neurons] for s, w in source.weights.items()}
    constant = sign * source.bias[neurons]
    return Rows(owner, weights, constant, source.bias_magnitude[neurons])


@np.errstate(over="ignore", invalid="ignore")
def lower_bounds(
    layers: Layers,
    rows: Rows,
    relaxations: Sequence[Relaxation],
    scales: Scales,
    multipliers: Mapping[int, LayerMultipliers] | None = None,
) -> LinearBound:
    """Bound each row from below over its region.

    Args:
        layers: The network.
        rows: What to bound; it may read the layers that ``relaxations`` covers, and the input.
        relaxations: One for each layer, for the batch of regions.
        scales: The input boxes and the magnitudes that bound rounding errors.
        multipliers: Layer to chosen multipliers; the default is adaptive alpha, q = beta = 0.
    """
    coefficients = dict(rows.coefficients)
    constant, magnitude = rows.constant, rows.magnitude
    for source, values in coefficients.items():
        magnitude = magnitude + scales.weigh(source, np.abs(values))
    gaps: dict[int, Array] = {}
    for k in range(len(relaxations) - 1, -1, -1):
        chosen = multipliers.get(k) if multipliers else None
        if k not in coefficients and chosen is None:
            continue
        relaxation = relaxations[k]
        slope, offset = relaxation.slope[rows.owner], relaxation.offset[rows.owner]
        alpha = relaxation.alpha[rows.owner]
        nu = coefficients.pop(k, None)
        nu = np.zeros_like(slope) if nu is None else nu
        upper_mass = np.maximum(-nu, 0.0)
        beta = None
        if chosen is not None:
            alpha = np.where(relaxation.unstable[rows.owner], chosen.alpha, alpha)
            upper_mass, beta = np.maximum(upper_mass, chosen.q), chosen.beta
        lower_mass = nu + upper_mass
        gaps[k] = upper_mass * offset
        constant = constant - gaps[k].sum(axis=1)
        nu = alpha * lower_mass - slope * upper_mass
        mass = lower_mass + upper_mass
        if beta is not None:
            nu, mass = nu - beta, mass + np.abs(beta)
        magnitude = magnitude + scales.weigh(k, mass) + gaps[k].sum(axis=1)
        layer = layers.hidden[k]
        constant = constant + nu @ layer.bias
        for source, weight in layer.weights.items():
            step = nu @ weight
            coefficients[source] = coefficients[source] + step if source in coefficients else step
    return _concretize(layers, rows.owner, coefficients, scales, (constant, magnitude, gaps))


def _concretize(
    layers: Layers,
    owner: NDArray[np.intp],
    coefficients: Mapping[int, Array],
    scales: Scales,
    parts: tuple[Array, Array, Mapping[int, Array]],
) -> LinearBound:
    """Take the least value of the linear function over the box, then subtract the slack.

    Every term so far, partial sums included, is at most the magnitude. So where that is no more
    than ``HUGE`` nothing has overflowed, and elsewhere, NaN included, there is no bound.
    """
    constant, magnitude, gaps = parts
    slopes = coefficients.get(INPUT)
    if slopes is None:
        slopes = np.zeros((len(owner), layers.input_width))
    box = scales.box.take(owner)
    least = np.where(slopes >= 0.0, box.lower, box.upper)
    value = constant + np.einsum("rn,rn->r", slopes, least)
    magnitude = magnitude + np.einsum("rn,rn->r", np.abs(slopes) + TINY, box.magnitude)
    slack = layers.error * magnitude + TINY
    sound = np.where(magnitude <= HUGE, value - slack, -np.inf)
    return LinearBound(sound, slopes, slack, gaps)
