# SPDX-License-Identifier: Apache-2.0
"""Tighten the bounds of a whole box with slopes of its own for each bound.

Default slopes cut off the least area of each relaxation, whatever the neuron is that is bounded. On
wide networks those bounds explode from layer to layer. Here each bound of each unstable neuron gets
its own slopes, by ascent, layer by layer from the first. Slopes that all bounds of a layer share
would be far fewer, but leave bounds so much wider that searches on MNIST 256x4 did not end.

Any slopes are valid, on any network; good ones of a network are good ones of its compressed
variants. So a proof keeps them, and where they are given, nothing is ascended: bounds are what the
given slopes make them on the network at hand, computed by ``backward`` like all others. A
certificate states them too, for a checker to be independent of rounding. They are multiples of
``GRID``, so that both stay short.
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
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.bounds.layers import Layers

    Array = NDArray[np.float64]

STEPS = 40
GRID = 2.0**-8


@dataclass(frozen=True, eq=False)
class Tightened:
    """How the bounds of one layer were tightened. Neurons are numbered through all layers.

    Attributes:
        neurons: Shape (neurons,): which.
        lines: Shape (lines,): the unstable neurons before them.
        slopes: Shape (2 neurons, lines): slopes of the lower lines, in [0, 1], for the lower bounds
            of the neurons and then for the upper.
    """

    neurons: NDArray[np.intp]
    lines: NDArray[np.intp]
    slopes: Array


def tighten(
    layers: Layers, root: RegionBounds, scale: Array, given: Sequence[Tightened] | None = None
) -> tuple[RegionBounds, tuple[Tightened, ...]]:
    """Return tighter bounds of a batch of one, and how each layer was tightened.

    Args:
        layers: The network.
        root: Bounds of a box.
        scale: At least the magnitude of each entry of a source vector in the box.
        given: Slopes to be used, of neurons of any layers; where they say nothing, default ones
            are. By default slopes are ascended to.

    Raises:
        ValueError: A given slope is not in [0, 1].
    """
    chosen = []
    for k, place in enumerate(layers.slices):
        neurons = place.start + np.flatnonzero(root.unstable[0, place])
        if all(source < 0 for source in layers.hidden[k].weights):
            neurons = neurons[:0]  # Intervals are exact.
        lines = np.flatnonzero(root.unstable[0, : place.start])
        tightened = Tightened(neurons, lines, np.empty((0, len(lines))))
        if len(neurons):
            layer = _Layer(layers, k, neurons, root)
            slopes = layer.ascended() if given is None else layer.given(given)
            tightened = replace(tightened, slopes=slopes[:, lines])
            root = _cut(root, neurons, layer.bounds(slopes, scale))
        chosen.append(tightened)
    return root, tuple(chosen)


class _Layer:
    """Lower bounds of some neurons of a layer, and then of their negatives, over a whole box."""

    def __init__(
        self, layers: Layers, k: int, neurons: NDArray[np.intp], root: RegionBounds
    ) -> None:
        place, layer, count = layers.slices[k], layers.hidden[k], len(neurons)
        signs, both = np.repeat([1.0, -1.0], count), np.tile(neurons - place.start, 2)
        self._layers, self._k, self._neurons, self._box = layers, k, neurons, root.box
        self._forms = Forms(
            {source: signs[:, None] * weight[both] for source, weight in layer.weights.items()},
            signs * layer.bias[both],
        )
        self._magnitude = layer.bias_magnitude[both]
        before = root.neurons.columns(slice(0, place.start))
        known = RegionBounds(root.box, before, root.empty, root.slices[:k])
        self._lines = known.relaxation.take(np.zeros(2 * count, dtype=np.intp))

    def ascended(self) -> Array:
        """Return slopes of all neurons before the layer, by ascent."""
        lines = self._lines
        start = Start(np.eye(len(lines.alpha)), lines.alpha, np.zeros_like(lines.alpha))
        regions = Regions(lines, self._box, np.zeros(lines.alpha.shape, dtype=np.int8))
        below = replace(self._layers, hidden=self._layers.hidden[: self._k])
        slopes = ascend(below, self._forms, regions, start, STEPS, PROCESSOR).best.alpha
        return np.round(slopes / GRID) * GRID

    def given(self, parts: Sequence[Tightened]) -> Array:
        """Return slopes of all neurons before the layer: those that parts have, else the default.

        Raises:
            ValueError: One is not in [0, 1].
        """
        slopes, count = self._lines.alpha.copy(), len(self._neurons)
        for part in parts:
            _, rows, its_rows = np.intersect1d(self._neurons, part.neurons, return_indices=True)
            columns = np.flatnonzero(part.lines < slopes.shape[1])
            rows, its_rows = (
                np.concatenate([rows, rows + count]),
                np.concatenate([its_rows, its_rows + len(part.neurons)]),
            )
            chosen = part.slopes[np.ix_(its_rows, columns)]
            # Written so that NaN does not pass.
            if not ((chosen >= 0.0) & (chosen <= 1.0)).all():
                msg = "slopes must be in [0, 1]"
                raise ValueError(msg)
            slopes[np.ix_(rows, part.lines[columns])] = chosen
        return slopes

    def bounds(self, slopes: Array, scale: Array) -> Array:
        """Return sound bounds; slopes count where a neuron is unstable."""
        layers, lines = self._layers, self._lines
        coefficients = np.zeros((len(slopes), layers.input_width + slopes.shape[1]))
        for source, weight in self._forms.coefficients.items():
            coefficients[:, layers.place(source)] = weight
        lines = replace(lines, alpha=np.where(lines.unstable, slopes, lines.alpha))
        rows = (coefficients, self._forms.constant, self._magnitude)
        values, *_ = backward.substitute(layers, rows, lines, self._box, scale)
        return values


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
