# SPDX-License-Identifier: Apache-2.0
"""Bounds of all neurons over a batch of regions: cheap domains first, each cut with the last.

A *region* is an input box and a set of phase literals. Its bounds are found layer by layer:

 1. start from the bounds of the region it was split from: they hold in every part of it;
 2. cut with intervals (and, for a whole property, with zonotopes);
 3. for neurons that are still unstable, cut with two backward rows (lower and upper);
 4. apply the phase literals of that layer.

Step 1 is why step 3 is cheap: a neuron that is stable once is stable in the whole subtree and
never costs a row again. Invariant: at every point of the region that satisfies its literals, each
preactivation lies in its bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds import backward, interval, zonotope
from verifier.bounds.box import Box
from verifier.bounds.kernel_data import workspace
from verifier.bounds.layers import INPUT, require_within_range
from verifier.bounds.loading import load_kernels
from verifier.bounds.region_bounds import RegionBounds
from verifier.bounds.relaxation import relax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verifier.bounds.layers import Layers
    from verifier.bounds.relaxation import Relaxation

    Array = NDArray[np.float64]


@np.errstate(over="ignore", invalid="ignore")
def magnitudes(layers: Layers, box: Box) -> tuple[Array, ...]:
    """Return at least ``|W| |y| + |b|`` of each layer over the given boxes, the output's last.

    Raises:
        RefusedError: A value may be so large that float64 bounds would overflow.
    """
    sources = {INPUT: box.magnitude.max(axis=0)}
    require_within_range(sources[INPUT], "an input")
    bounds = interval.propagate(layers, box)
    result = []
    for position, layer in enumerate((*layers.hidden, layers.output)):
        scale = layer.bias_magnitude
        for source, weight in layer.magnitudes.items():
            scale = scale + weight @ sources[source]
        is_hidden = position < len(layers.hidden)
        require_within_range(
            scale, f"a neuron of ReLU layer {position}" if is_hidden else "an output"
        )
        result.append(scale)
        sources[position] = interval.relu(bounds[position]).magnitude.max(axis=0)
    return tuple(result)


@np.errstate(over="ignore", invalid="ignore")
def bound_property(layers: Layers, box: Box) -> tuple[RegionBounds, Array, tuple[Relaxation, ...]]:
    """Bound a whole property's box: intervals, zonotopes and backward rows by default slopes.

    Args:
        layers: The network.
        box: A batch of one.

    Returns:
        The bounds; at least the magnitude of each entry of a source vector anywhere in the box;
        and the relaxations that the zonotopes used.

    Raises:
        RefusedError: A value may be so large that float64 bounds would overflow.
    """
    scale = np.concatenate([box.magnitude.max(axis=0), *magnitudes(layers, box)[:-1]])
    limits = interval.propagate(layers, box)
    first = zonotope.propagate(layers, box, lambda k, bounds: bounds.intersection(limits[k]))
    used = tuple(relax(bounds) for bounds in first[:-1])
    lower = np.concatenate([np.zeros((1, 0)), *(b.lower for b in first[:-1])], axis=1)
    upper = np.concatenate([np.zeros((1, 0)), *(b.upper for b in first[:-1])], axis=1)
    parent = RegionBounds(box, Box(lower, upper), np.zeros(1, dtype=np.bool_), layers.slices)
    phases = np.zeros(lower.shape, dtype=np.int8)
    return _recomputed(layers, parent, phases, scale), scale, used


def bound_regions(
    layers: Layers, parent: RegionBounds, phases: NDArray[np.int8], scale: Array
) -> RegionBounds:
    """Bound a batch of regions.

    Args:
        layers: The network.
        parent: The regions' own boxes, with the bounds of the regions they were split from.
        phases: Shape (batch, neurons): 1 for a literal ``z >= 0``, -1 for ``z <= 0``, else 0.
        scale: At least the magnitude of each entry of a source vector in all of the regions.
    """
    if layers.wide:
        return _kept(parent, phases)
    return _recomputed(layers, parent, phases, scale)


def _recomputed(
    layers: Layers, parent: RegionBounds, phases: NDArray[np.int8], scale: Array
) -> RegionBounds:
    """Bound all layers of a batch of regions, one after the other."""
    if layers.compiled:
        return _compiled(layers, parent, phases, scale)
    lower, upper = parent.neurons.lower.copy(), parent.neurons.upper.copy()
    found = RegionBounds(parent.box, Box(lower, upper), parent.empty.copy(), parent.slices)
    sources = {INPUT: parent.box}
    for k, layer in enumerate(layers.hidden):
        place = layers.slices[k]
        limits = interval.affine(layer, sources, layers.error)
        bounds, first = _impose(limits.intersection(found.neurons.columns(place)), phases[:, place])
        bounds = _backward(layers, k, bounds, found, scale)
        bounds, second = _impose(bounds, phases[:, place])
        found.empty[:] |= first | second
        lower[:, place], upper[:, place] = bounds.lower, bounds.upper
        sources[k] = interval.relu(bounds)
    return found


def _kept(parent: RegionBounds, phases: NDArray[np.int8]) -> RegionBounds:
    """Cut the bounds that are there with the phase literals, and do no more."""
    neurons, empty = _impose(parent.neurons, phases)
    return RegionBounds(parent.box, neurons, parent.empty | empty, parent.slices)


def _compiled(
    layers: Layers, parent: RegionBounds, phases: NDArray[np.int8], scale: Array
) -> RegionBounds:
    neurons = Box(parent.neurons.lower.copy(), parent.neurons.upper.copy())
    found = RegionBounds(parent.box, neurons, parent.empty.copy(), parent.slices)
    work, above = workspace(layers.flat, scale, rows=0), np.full(len(found.empty), -1)
    load_kernels().bound_regions(layers.flat, found.flat, phases, found.empty, above, work)
    return found


def _backward(layers: Layers, k: int, bounds: Box, below: RegionBounds, scale: Array) -> Box:
    """Cut the bounds of a layer's unstable neurons, given those of the layers below it."""
    owner, neurons = np.nonzero((bounds.lower < 0.0) & (bounds.upper > 0.0))
    if k == 0 or not len(owner):
        return bounds  # The first layer's intervals are exact: no relaxation to improve on.
    layer, end = layers.hidden[k], layers.slices[k].start
    lines = relax(below.neurons.columns(slice(0, end))).take(owner)
    box = below.box.take(owner)
    ends = bounds.lower.copy(), bounds.upper.copy()
    for sign, better, values in ((1.0, np.maximum, ends[0]), (-1.0, np.minimum, ends[1])):
        coefficients = np.zeros((len(owner), layers.input_width + end))
        for source, weight in layer.weights.items():
            coefficients[:, layers.place(source)] = sign * weight[neurons]
        rows = (coefficients, sign * layer.bias[neurons], layer.bias_magnitude[neurons])
        bound, *_ = backward.substitute(layers, rows, lines, box, scale)
        values[owner, neurons] = better(values[owner, neurons], sign * bound)
    return Box(*ends)


def _impose(bounds: Box, phases: NDArray[np.int8]) -> tuple[Box, NDArray[np.bool_]]:
    """Cut with phase literals; tell which regions have bounds that contradict each other.

    Such a region has no point, so any bounds are sound there: the neuron gets the single point 0.
    Bounds may cross without a literal of this layer: literals of earlier ones were incompatible.
    """
    lower = np.where(phases > 0, np.maximum(bounds.lower, 0.0), bounds.lower)
    upper = np.where(phases < 0, np.minimum(bounds.upper, 0.0), bounds.upper)
    contradicted = lower > upper
    cut = Box(np.where(contradicted, 0.0, lower), np.where(contradicted, 0.0, upper))
    return cut, np.logical_or.reduce(contradicted, axis=1)
