# SPDX-License-Identifier: Apache-2.0
"""Tighten the bounds of a whole box with slopes that are made for each layer.

Default slopes cut off the least area of each relaxation, whatever the neuron is that is bounded. On
wide networks those bounds explode from layer to layer. Here each layer gets two vectors of slopes
of its own, one for the lower bounds of its neurons and one for the upper, found by ascent on the
sum of the bounds. Slopes of its own for each *neuron* tighten a little more, but are hundreds of
times as many: these few are a part of every certificate.

They are a rule, like default slopes: anyone who bounds the box computes them afresh, so that a
proof needs none of them. They are float32 values, and the bounds that they give are computed by
``backward`` like all others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds import backward
from verifier.bounds.ascent import Forms, ascend_together
from verifier.bounds.box import Box
from verifier.bounds.region_bounds import RegionBounds
from verifier.bounds.relaxation import Relaxation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verifier.bounds.layers import Layers

    Array = NDArray[np.float64]

STEPS = 40



def tighten(
    layers: Layers, root: RegionBounds, scale: Array
) -> tuple[RegionBounds, tuple[Array, ...]]:
    """Return tighter bounds of a batch of one, and the slopes that they come from.

    Args:
        layers: The network.
        root: Bounds of a box.
        scale: At least the magnitude of each entry of a source vector in the box.

    Returns:
        The bounds; and for each layer, of shape (2, neurons before it), slopes of lower lines for
        the lower and for the upper bounds of its neurons, or of shape (0, neurons before it) where
        there was nothing to tighten.
    """
    chosen = []
    for k in range(len(layers.hidden)):
        root, slopes = _tighten_layer(layers, k, root, scale)
        chosen.append(slopes)
    return root, tuple(chosen)


def _tighten_layer(
    layers: Layers, k: int, root: RegionBounds, scale: Array
) -> tuple[RegionBounds, Array]:
    place, layer = layers.slices[k], layers.hidden[k]
    before = layers.slices[k].start
    neurons = np.flatnonzero(root.relaxation.unstable[0, place])
    if k == 0 or not len(neurons):
        return root, np.empty((0, before))
    signs = np.repeat([1.0, -1.0], len(neurons))
    both = np.tile(neurons, 2)
    forms = Forms(
        {source: signs[:, None] * weight[both] for source, weight in layer.weights.items()},
        signs * layer.bias[both],
    )
    below = replace(layers, hidden=layers.hidden[:k])
    known = RegionBounds(
        root.box, root.neurons.columns(slice(0, before)), root.empty, root.slices[:k]
    )
    groups = np.repeat([0, 1], len(neurons))
    slopes = ascend_together(below, forms, known, groups, STEPS)
    slopes = slopes.astype(np.float32).astype(np.float64)
    coefficients = np.zeros((len(both), layers.input_width + before))
    for source, weight in forms.coefficients.items():
        coefficients[:, layers.place(source)] = weight
    rows = (coefficients, forms.constant, layer.bias_magnitude[both])
    lines = known.relaxation.take(np.zeros(len(both), dtype=np.intp))
    alpha = np.where(lines.unstable, slopes[groups], lines.alpha)
    lines = Relaxation(alpha, lines.slope, lines.offset, lines.unstable)
    values, *_ = backward.substitute(layers, rows, lines, known.box, scale)
    lower, upper = root.neurons.lower.copy(), root.neurons.upper.copy()
    at = place.start + neurons
    least, most = values[: len(neurons)], -values[len(neurons) :]
    lower[0, at], upper[0, at] = np.fmax(lower[0, at], least), np.fmin(upper[0, at], most)
    crossed = lower > upper
    empty = root.empty | crossed.any(axis=1)
    # An empty box: any bounds are sound there.
    lower[crossed], upper[crossed] = 0.0, 0.0
    return RegionBounds(root.box, Box(lower, upper), empty, root.slices), slopes
