# SPDX-License-Identifier: Apache-2.0
"""Interval bounds: each layer's box from the boxes it reads, the cheapest sound bound there is.

One sentence of soundness each: an affine map is extreme where every term is, and ReLU is monotone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.box import Box
from verifier.bounds.layers import INPUT, TINY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier.bounds.layers import Layer, Layers


def affine(layer: Layer, sources: Mapping[int, Box], error: float) -> Box:
    """Bound a layer by sending each term to the end of its box that the weight's sign prefers."""
    batch = next(iter(sources.values())).lower.shape[0]
    centre = np.zeros((batch, layer.width)) + layer.bias
    radius = np.zeros((batch, layer.width))
    magnitude = np.zeros((batch, layer.width)) + layer.bias_magnitude
    for source, weight in layer.weights.items():
        box = sources[source]
        absolute = layer.magnitudes[source].T
        half = (box.upper - box.lower) / 2
        centre = centre + (box.lower + half) @ weight.T
        radius = radius + half @ absolute
        magnitude = magnitude + (box.magnitude + TINY) @ absolute
    # |centre| and radius are both at most the magnitude, so this covers every rounding above.
    slack = error * magnitude + TINY
    return Box(centre - radius - slack, centre + radius + slack)


def relu(preactivation: Box) -> Box:
    """Bound the postactivation: ReLU is monotone and exact in floating point."""
    return Box(np.maximum(preactivation.lower, 0.0), np.maximum(preactivation.upper, 0.0))


def propagate(layers: Layers, box: Box) -> list[Box]:
    """Return interval bounds of each layer's preactivation, the output last."""
    sources = {INPUT: box}
    bounds = []
    for position, layer in enumerate((*layers.hidden, layers.output)):
        bounds.append(affine(layer, sources, layers.error))
        sources[position] = relu(bounds[-1])
    return bounds
