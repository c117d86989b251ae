# SPDX-License-Identifier: Apache-2.0
"""Tighten the bounds of a whole box with slopes of its own for each bound.

Default slopes cut off the least area of each relaxation, whatever the neuron is that is bounded. On
wide networks those bounds explode from layer to layer. Here each bound of each unstable neuron gets
its own slopes, by ascent, layer by layer from the first. Slopes that all bounds of a layer share
would be far fewer, but leave bounds so much wider that searches on MNIST 256x4 did not end.

They are a rule, like default slopes: anyone who bounds the box computes them afresh, so that a
proof needs none of them; a certificate states them, for a checker to be independent of rounding.
They are multiples of ``GRID``, so that it stays short. The bounds that they give are computed by
``backward`` like all others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds import backward
from verifier.bounds.accelerator import PROCESSOR
from verifier.bounds.ascent import Forms, Regions, Start, ascend
from verifier.bounds.box import Box
from verifier.bounds.region_bounds import RegionBounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verifier.bounds.layers import Layers

    Array = NDArray[np.float64]

STEPS = 40
GRID = 2.0**-8


@dataclass(frozen=True, eq=False)
class Tightened:
    """How the bounds of one layer were tightened.

    Attributes:
        neurons: Shape (neurons,): which.
        slopes: Shape (2 neurons, all neurons of the layers before): slopes of lower lines, for the
            lower bounds of the neurons and then for the upper.
    """

    neurons: NDArray[np.intp]
    slopes: Array


def tighten(
    layers: Layers, root: RegionBounds, scale: Array
) -> tuple[RegionBounds, tuple[Tightened, ...]]:
    """Return tighter bounds of a batch of one, and how each layer was tightened.

    Args:
        layers: The network.
        root: Bounds of a box.
        scale: At least the magnitude of each entry of a source vector in the box.
    """
    chosen = []
    for k, place in enumerate(layers.slices):
        neurons = np.flatnonzero(root.unstable[0, place])
        if all(source < 0 for source in layers.hidden[k].weights):
            neurons = neurons[:0]  # Intervals are exact.
        tightened = Tightened(neurons, np.empty((0, place.start)))
        if len(neurons):
            root, tightened = _tighten_layer(layers, k, neurons, root, scale)
        chosen.append(tightened)
    return root, tuple(chosen)


def _tighten_layer(
    layers: Layers, k: int, neurons: NDArray[np.intp], root: RegionBounds, scale: Array
) -> tuple[RegionBounds, Tightened]:
    place, layer, count = layers.slices[k], layers.hidden[k], len(neurons)
    signs, both = np.repeat([1.0, -1.0], count), np.tile(neurons, 2)
    forms = Forms(
        {source: signs[:, None] * weight[both] for source, weight in layer.weights.items()},
        signs * layer.bias[both],
    )
    known = RegionBounds(
        root.box, root.neurons.columns(slice(0, place.start)), root.empty, root.slices[:k]
    )
    lines = known.relaxation.take(np.zeros(2 * count, dtype=np.intp))
    start = Start(np.eye(2 * count), lines.alpha, np.zeros_like(lines.alpha))
    regions = Regions(lines, root.box, np.zeros(lines.alpha.shape, dtype=np.int8))
    below = replace(layers, hidden=layers.hidden[:k])
    slopes = ascend(below, forms, regions, start, STEPS, PROCESSOR).best.alpha
    slopes = np.round(slopes / GRID) * GRID
    coefficients = np.zeros((2 * count, layers.input_width + place.start))
    for source, weight in forms.coefficients.items():
        coefficients[:, layers.place(source)] = weight
    lines = replace(lines, alpha=np.where(lines.unstable, slopes, lines.alpha))
    rows = (coefficients, forms.constant, layer.bias_magnitude[both])
    values, *_ = backward.substitute(layers, rows, lines, root.box, scale)
    return _cut(root, place.start + neurons, values), Tightened(neurons, slopes)


def _cut(root: RegionBounds, neurons: NDArray[np.intp], values: Array) -> RegionBounds:
    """Cut bounds of some neurons with lower bounds of them and of their negatives."""
    least, minus_most = np.split(values, 2)
    lower, upper = root.neurons.lower.copy(), root.neurons.upper.copy()
    lower[0, neurons] = np.fmax(lower[0, neurons], least)
    upper[0, neurons] = np.fmin(upper[0, neurons], -minus_most)
    crossed = lower > upper
    # A box with such a neuron has no point, so any bounds are sound there.
    lower[crossed], upper[crossed] = 0.0, 0.0
    return RegionBounds(root.box, Box(lower, upper), root.empty | crossed.any(axis=1), root.slices)
