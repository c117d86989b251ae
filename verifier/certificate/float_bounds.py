# SPDX-License-Identifier: Apache-2.0
"""Bounds on preactivations in float64, on the safe side whatever was rounded.

The bounds are those of ``region_bounds``: intervals, then backward rows. A backward row is a form

    coefficients . sources + constant - error   <=   the value that is bounded,

and the inequality survives each step, because what the step rounds goes to ``error``:

  * reading an affine layer with coefficients ``a``: each new coefficient is a rounded sum over the
    layer's neurons. Together, over all sources at their largest, they are off by at most
    ``gamma * |a| . size``, where a neuron's ``size`` is what its terms add up to in the region;
  * a ReLU: with ``c < 0`` the upper line ``y <= s z + t`` gives ``c s z + c t``. Rounding
    ``c s`` is off by at most ``u |c s| |z|``, which the reading that follows charges along with
    its own, as ``|z| <= size``. With ``c >= 0`` the lower line may have any slope in [0, 1], so
    rounding ``c s``, which stays in [0, c], costs nothing. Of ``c t`` the rounded sum is charged;
  * ``constant`` is a sum of such parts. What is charged for a part is relative to the magnitudes
    in it, and covers its own sum and its share in rounding the sum of all.

The lines are valid for any slopes in [0, 1], so ``s`` may be rounded; ``t`` is rounded up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.certificate.float_network import INPUT, UNDERFLOW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from verifier.certificate.float_network import FloatLayer, FloatNetwork, Floats

Ends = tuple["Floats", "Floats"]

_UP = 1.0 + 2.0**-50  # More than four roundings.


@dataclass(frozen=True, eq=False)
class FloatLayerBounds:
    """One ReLU layer in one region: bounds on its preactivations, and lines for its ReLUs.

    Attributes:
        lower: One for each neuron.
        upper: The same.
        size: What the magnitudes of a neuron's terms can add up to, bias and all.
        demanded: The neurons whose phase is demanded, and whether that is the active one.
        lower_slopes: Of the line below each ReLU: 1 for an active neuron, 0 for an inactive one.
        upper_slopes: Of the line above, likewise.
        intercepts: Of the line above: 0 where the phase is known.
    """

    lower: Floats
    upper: Floats
    size: Floats
    demanded: Mapping[int, bool]
    lower_slopes: Floats
    upper_slopes: Floats
    intercepts: Floats

    @cached_property
    def is_open(self) -> NDArray[np.bool_]:
        """Which neurons may have both phases."""
        return (self.lower < 0.0) & (self.upper > 0.0)

    @cached_property
    def reach(self) -> Floats:
        """The largest postactivations; none is negative."""
        return np.maximum(self.upper, 0.0)


def with_lines(
    ends: Ends,
    size: Floats,
    demanded: Mapping[int, bool],
    slopes: Floats,
    upper_slopes: Floats | None = None,
) -> FloatLayerBounds:
    """Put lines on the ReLUs of a layer.

    Args:
        ends: Bounds on the preactivations.
        size: As the layer's bounds have it.
        demanded: The same; the bounds meet these phases.
        slopes: Of the lower line of each neuron, in [0, 1].
        upper_slopes: Likewise of the upper line; the chords by default.
    """
    lower, upper = ends
    is_open = (lower < 0.0) & (upper > 0.0)
    is_active = (lower >= 0.0).astype(np.float64)
    for neuron, phase in demanded.items():
        is_active[neuron] = phase
    if upper_slopes is None:
        upper_slopes = np.minimum(upper / np.where(is_open, upper - lower, 1.0), 1.0)
    above = np.where(is_open, upper_slopes, is_active)
    most = np.maximum(-above * lower, (1.0 - above) * upper) * _UP + UNDERFLOW
    below = np.where(is_open, slopes, is_active)
    return FloatLayerBounds(
        lower, upper, size, demanded, below, above, np.where(is_open, most, 0.0)
    )


@dataclass(frozen=True, eq=False)
class FloatRegion:
    """A region with its bounds, which may still lack the last layers.

    Attributes:
        network: The network.
        box: Bounds on the inputs.
        layers: The layers that are finished.
    """

    network: FloatNetwork
    box: Ends
    layers: list[FloatLayerBounds] = field(default_factory=list)

    def source(self, anchor: int) -> Ends:
        """Return bounds on what an affine layer reads."""
        if anchor == INPUT:
            return self.box
        bounds = self.layers[anchor - 1]
        return np.maximum(bounds.lower, 0.0), bounds.reach

    def reach(self, anchor: int) -> Floats:
        """Return the largest magnitudes of what an affine layer reads."""
        return self._farthest if anchor == INPUT else self.layers[anchor - 1].reach

    @cached_property
    def _farthest(self) -> Floats:
        return np.maximum(np.abs(self.box[0]), np.abs(self.box[1]))

    def sizes(self, layer: FloatLayer) -> Floats:
        """Return what the magnitudes of each neuron's terms can add up to, bias and all."""
        size = np.abs(layer.bias) + UNDERFLOW
        for edge in layer.edges:
            size = size + edge.sizes @ self.reach(edge.anchor)
        return size


def interval_bounds(region: FloatRegion, layer: FloatLayer, size: Floats) -> Ends:
    """Bound a layer's preactivations by sending each source to the end that a weight prefers.

    Args:
        region: The region, with the layers before finished.
        layer: The layer.
        size: What ``region.sizes`` says of it.
    """
    lower = upper = layer.bias
    for edge in layer.edges:
        low, high = region.source(edge.anchor)
        # The first column is for the lower bounds, the second for the upper ones.
        ends = edge.by_sign @ np.array([[low, high], [high, low]]).reshape(2, -1).T
        lower, upper = lower + ends[:, 0], upper + ends[:, 1]
    error = region.network.epsilon * size + UNDERFLOW
    return lower - error, upper + error


def backward_bounds(
    region: FloatRegion,
    layer: int,
    neurons: NDArray[np.intp],
    size: Floats,
    own_slopes: Mapping[int, Floats] | None = None,
) -> Ends:
    """Bound some preactivations of a layer by backward rows over the finished layers below it.

    Args:
        region: The region.
        layer: The layer.
        neurons: Which of its neurons.
        size: What ``region.sizes`` says of the layer.
        own_slopes: By layer below, slopes of the lower lines of its neurons that are not the
            region's: a row for each lower bound, then one for each upper bound.

    Returns:
        Lower and upper bounds, in the order of ``neurons``.
    """
    form = FloatForms.of_neurons(region, region.network.layers[layer], neurons, size)
    for below in range(layer - 1, -1, -1):
        form.substitute(below, (own_slopes or {}).get(below))
    least = form.least_values()
    return least[: len(neurons)], -least[len(neurons) :]


class FloatForms:
    """Linear forms over sources, one for each row: see above for what they say.

    Attributes:
        region: The region.
        rows: By source, the coefficients of all forms on its entries.
        constant: One for each form.
        error: The same.
    """

    def __init__(self, region: FloatRegion, constant: Floats) -> None:
        """Start with constant forms."""
        self.region = region
        self.rows: dict[int, Floats] = {}
        self.constant = constant
        self.error = np.zeros_like(constant)

    @classmethod
    def of_neurons(
        cls, region: FloatRegion, layer: FloatLayer, neurons: NDArray[np.intp], size: Floats
    ) -> FloatForms:
        """Return ``+z`` of some neurons of a layer, then ``-z``; ``size`` is for the layer."""
        bias = layer.bias[neurons]
        forms = cls(region, np.concatenate([bias, -bias]))
        forms.charge(np.concatenate([size[neurons], size[neurons]]))
        for edge in layer.edges:
            rows = edge.weights[neurons]
            forms.rows[edge.anchor] = np.concatenate([rows, -rows])
        return forms

    def substitute(self, layer: int, own_slopes: Floats | None = None) -> None:
        """Replace the values of a ReLU layer by what it reads.

        Args:
            layer: The layer.
            own_slopes: For each form, slopes of the lower lines instead of the region's.
        """
        rows = self.rows.pop(layer + 1, None)
        if rows is None:
            return
        bounds = self.region.layers[layer]
        below = bounds.lower_slopes if own_slopes is None else own_slopes
        negative = np.minimum(rows, 0.0)
        relaxed = rows - negative
        relaxed *= below
        relaxed += negative * bounds.upper_slopes
        self.read(
            self.region.network.layers[layer], relaxed, bounds.size, negative @ bounds.intercepts
        )

    def read(self, layer: FloatLayer, rows: Floats, size: Floats, amount: Floats) -> None:
        """Add combinations of the values of an affine layer, and sums of numbers at most 0.

        Args:
            layer: The layer.
            rows: Coefficients of each form.
            size: What ``region.sizes`` says of the layer.
            amount: The sum for each form.
        """
        self.charge(np.abs(rows) @ size - amount)
        self.constant = self.constant + (amount + rows @ layer.bias)
        for edge in layer.edges:
            product = rows @ edge.weights
            if edge.anchor in self.rows:
                product += self.rows[edge.anchor]
                self.charge(np.abs(product) @ self.region.reach(edge.anchor))
            self.rows[edge.anchor] = product

    def charge(self, magnitudes: Floats) -> None:
        """Charge each form for rounding a sum of terms with these magnitudes."""
        self.error += self.region.network.epsilon * magnitudes + UNDERFLOW

    def least_values(self) -> Floats:
        """Return a lower bound of each form over the box, minus infinity where there is none."""
        if INPUT in self.rows:
            rows, (lower, upper) = self.rows[INPUT], self.region.box
            negative = np.minimum(rows, 0.0)
            self.charge(np.abs(rows) @ self.region.reach(INPUT))
            self.constant = self.constant + (negative @ upper + (rows - negative) @ lower)
        least = np.nextafter(self.constant - self.error, -np.inf)
        return np.where(np.isfinite(least), least, -np.inf)
