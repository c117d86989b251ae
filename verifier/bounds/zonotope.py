# SPDX-License-Identifier: Apache-2.0
"""Zonotope bounds: affine forms over shared noise symbols, so that correlations survive.

A value is ``c + sum_i g_i e_i`` with ``e_i`` in [-1, 1]: one symbol for each input, one more for
each unstable ReLU (Singh et al. 2018, DeepZ). Affine maps are exact; an unstable ReLU becomes
``s z + t/2`` plus a fresh symbol of radius ``t/2``: the band between ``y = s z`` and the chord.

One forward pass bounds every neuron, where a backward pass costs one row each; it is the first
look at a region, and what it leaves unstable goes to ``backward``. It is the same relaxation as a
backward pass with parallel lines, which is how a certificate states it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.box import Box
from verifier.bounds.layers import INPUT, TINY
from verifier.bounds.relaxation import relax

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from verifier.bounds.layers import Layer, Layers

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Zonotope:
    """A batch of zonotopes of one layer.

    Attributes:
        centre: Shape (batch, width).
        generators: Shape (batch, symbols, width).
        radius: Shape (batch, width): symbols of one entry only, and all rounding errors.
    """

    centre: Array
    generators: Array
    radius: Array

    @property
    def spread(self) -> Array:
        """Largest deviation from the centre, shape (batch, width)."""
        deviation: Array = np.abs(self.generators).sum(axis=1) + self.radius
        return deviation

    def box(self, error: float) -> Box:
        """Return the interval hull."""
        spread = self.spread
        slack = error * (np.abs(self.centre) + spread) + TINY
        return Box(self.centre - spread - slack, self.centre + spread + slack)


def of_box(box: Box) -> Zonotope:
    """Return the box as a zonotope, one symbol for each entry.

    The centre and the half width are rounded; half the magnitude's last place covers both.
    """
    half = (box.upper - box.lower) / 2
    centre = box.lower + half
    batch, width = half.shape
    generators = np.zeros((batch, width, width))
    diagonal = np.arange(width)
    generators[:, diagonal, diagonal] = half
    return Zonotope(centre, generators, 4 * np.finfo(np.float64).eps * box.magnitude + TINY)


def affine(layer: Layer, sources: Mapping[int, Zonotope], error: float) -> Zonotope:
    """Map exactly, then add to the radius what rounding may have cost."""
    symbols = max(z.generators.shape[1] for z in sources.values())
    batch = next(iter(sources.values())).centre.shape[0]
    centre = np.zeros((batch, layer.width)) + layer.bias
    generators = np.zeros((batch, symbols, layer.width))
    radius = np.zeros((batch, layer.width))
    magnitude = np.zeros((batch, layer.width)) + layer.bias_magnitude
    for source, weight in layer.weights.items():
        zonotope = sources[source]
        absolute = layer.magnitudes[source].T
        centre = centre + zonotope.centre @ weight.T
        generators[:, : zonotope.generators.shape[1]] += zonotope.generators @ weight.T
        radius = radius + zonotope.radius @ absolute
        magnitude = magnitude + (np.abs(zonotope.centre) + zonotope.spread) @ absolute
    return Zonotope(centre, generators, radius + error * magnitude + TINY)


def relu(zonotope: Zonotope, preactivation: Box, first: int, error: float) -> Zonotope:
    """Map through ReLU, given bounds at least as tight as the zonotope's own hull.

    Fresh symbols are numbered from ``first``, a number no other layer of the pass has used: two
    branches that shared a symbol by accident would look correlated, which is unsound.
    """
    relaxation = relax(preactivation)
    slope, half = relaxation.slope, relaxation.offset / 2
    centre = zonotope.centre * slope + half
    scaled = zonotope.generators * slope[:, None, :]
    owners, entries = np.nonzero(relaxation.unstable)
    # Symbols are numbered per region, so the batch needs as many as its busiest member.
    order = np.cumsum(relaxation.unstable, axis=1)[owners, entries] - 1
    count = int(order.max(initial=-1)) + 1
    generators = np.zeros((len(centre), first + count, centre.shape[1]))
    generators[:, : scaled.shape[1]] = scaled
    generators[owners, first + order, entries] = half[owners, entries]
    magnitude = np.abs(centre) + np.abs(scaled).sum(axis=1) + half + zonotope.radius
    slack = np.where(slope > 0, error * magnitude + TINY, 0.0)
    return Zonotope(centre, generators, zonotope.radius * slope + slack)


def propagate(
    layers: Layers, box: Box, tighten: Callable[[int, Box], Box] | None = None
) -> list[Box]:
    """Return zonotope bounds of each layer's preactivation, the output last.

    Args:
        layers: The network.
        box: Input boxes.
        tighten: Called with each layer and its bounds; what it returns (at least as tight, and
            sound) is used from there on.
    """
    sources = {INPUT: of_box(box)}
    bounds = []
    symbols = layers.input_width
    for position, layer in enumerate((*layers.hidden, layers.output)):
        zonotope = affine(layer, sources, layers.error)
        preactivation = zonotope.box(layers.error)
        if tighten is not None:
            preactivation = tighten(position, preactivation)
        bounds.append(preactivation)
        if position < len(layers.hidden):
            sources[position] = relu(zonotope, preactivation, symbols, layers.error)
            symbols = sources[position].generators.shape[1]
    return bounds
