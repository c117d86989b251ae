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

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds import backward, interval, zonotope
from verifier.bounds.backward import Scales
from verifier.bounds.box import Box
from verifier.bounds.layers import HUGE, INPUT
from verifier.bounds.relaxation import Relaxation, relax
from verifier.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.bounds.layers import Layers

    Array = NDArray[np.float64]
    Phases = Sequence[NDArray[np.int8]]
    """For each layer, shape (batch, width): 1 for a literal ``z >= 0``, -1 for ``z <= 0``."""


@dataclass(frozen=True, eq=False)
class RegionBounds:
    """Bounds over a batch of regions.

    Attributes:
        box: Input boxes.
        preactivations: For each ReLU layer, bounds with the region's phase literals applied.
        empty: Shape (batch,): whether bounds contradict each other, so that no point is left.
    """

    box: Box
    preactivations: tuple[Box, ...]
    empty: NDArray[np.bool_]

    @cached_property
    def relaxations(self) -> tuple[Relaxation, ...]:
        """Adaptive relaxations of all layers."""
        return tuple(relax(box) for box in self.preactivations)

    @cached_property
    def unstable_count(self) -> NDArray[np.intp]:
        """Number of unstable neurons of each region, shape (batch,)."""
        total = np.zeros(len(self.empty), dtype=np.intp)
        for relaxation in self.relaxations:
            total += relaxation.unstable.sum(axis=1)
        return total

    def take(self, members: NDArray[np.intp]) -> RegionBounds:
        """Return the given members of the batch."""
        boxes = tuple(box.take(members) for box in self.preactivations)
        return RegionBounds(self.box.take(members), boxes, self.empty[members])

    @classmethod
    def stack(cls, parts: Sequence[RegionBounds]) -> RegionBounds:
        """Return one batch of several."""
        return cls(
            _stack([part.box for part in parts]),
            tuple(_stack(boxes) for boxes in zip(*(p.preactivations for p in parts), strict=True)),
            np.concatenate([part.empty for part in parts]),
        )


@np.errstate(over="ignore", invalid="ignore")
def magnitudes(layers: Layers, box: Box) -> tuple[Array, ...]:
    """Return at least ``|W| |y| + |b|`` of each layer over the given boxes, the output's last.

    Raises:
        RefusedError: A value may be so large that float64 bounds would overflow.
    """
    sources = {INPUT: box.magnitude.max(axis=0)}
    _check_range(sources[INPUT], "an input")
    bounds = interval.propagate(layers, box)
    result = []
    for position, layer in enumerate((*layers.hidden, layers.output)):
        scale = layer.bias_magnitude
        for source, weight in layer.magnitudes.items():
            scale = scale + weight @ sources[source]
        is_hidden = position < len(layers.hidden)
        _check_range(scale, f"a neuron of ReLU layer {position}" if is_hidden else "an output")
        result.append(scale)
        sources[position] = interval.relu(bounds[position]).magnitude.max(axis=0)
    return tuple(result)


def _check_range(scale: Array, what: str) -> None:
    # Not ``any(scale > HUGE)``: that would let NaN pass.
    if not np.all(scale <= HUGE):
        msg = (
            f"{what} may be as large as {scale.max():.3g} in the input box: bounds are computed in "
            f"float64 and stop at {HUGE:.3g}; scale the network or shrink the box"
        )
        raise RefusedError(msg)


@np.errstate(over="ignore", invalid="ignore")
def bound_property(layers: Layers, box: Box) -> tuple[RegionBounds, Scales, tuple[Relaxation, ...]]:
    """Bound a whole property's box: intervals, zonotopes and backward rows.

    Args:
        layers: The network.
        box: A batch of one.

    Returns:
        The bounds, the scales of rounding errors, and the relaxations that the zonotopes used.

    Raises:
        RefusedError: A value may be so large that float64 bounds would overflow.
    """
    scales = Scales(box, box.magnitude.max(axis=0), magnitudes(layers, box)[:-1])
    limits = interval.propagate(layers, box)
    first = zonotope.propagate(layers, box, lambda k, bounds: bounds.intersection(limits[k]))
    parent = RegionBounds(box, tuple(first[:-1]), np.zeros(1, dtype=np.bool_))
    phases = [np.zeros((1, width), dtype=np.int8) for width in layers.widths]
    used = tuple(relax(bounds) for bounds in first[:-1])
    return bound_regions(layers, parent, phases, scales), scales, used


def bound_regions(
    layers: Layers, parent: RegionBounds, phases: Phases, scales: Scales
) -> RegionBounds:
    """Bound a batch of regions.

    Args:
        layers: The network.
        parent: The regions' own boxes, with the bounds of the regions they were split from.
        phases: The regions' phase literals.
        scales: With the same boxes.
    """
    found: list[Box] = []
    relaxations: list[Relaxation] = []
    sources = {INPUT: parent.box}
    empty = parent.empty
    for k, layer in enumerate(layers.hidden):
        bounds = interval.affine(layer, sources, layers.error).intersection(
            parent.preactivations[k]
        )
        bounds, first = _impose(bounds, phases[k])
        bounds, second = _impose(_backward(layers, k, bounds, relaxations, scales), phases[k])
        empty = empty | first | second
        found.append(bounds)
        relaxations.append(relax(bounds))
        sources[k] = interval.relu(bounds)
    return RegionBounds(parent.box, tuple(found), empty)


def _backward(
    layers: Layers, k: int, bounds: Box, relaxations: Sequence[Relaxation], scales: Scales
) -> Box:
    owner, neurons = np.nonzero((bounds.lower < 0.0) & (bounds.upper > 0.0))
    if k == 0 or not len(owner):
        return bounds  # The first layer's intervals are exact: no relaxation to improve on.
    lower, upper = bounds.lower.copy(), bounds.upper.copy()
    for sign, ends in ((1.0, lower), (-1.0, upper)):
        rows = backward.neuron_rows(layers, k, owner, neurons, sign)
        value = sign * backward.lower_bounds(layers, rows, relaxations, scales).value
        better = np.maximum if sign > 0 else np.minimum
        ends[owner, neurons] = better(ends[owner, neurons], value)
    return Box(lower, upper)


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


def _stack(boxes: Sequence[Box]) -> Box:
    return Box(
        np.concatenate([box.lower for box in boxes]), np.concatenate([box.upper for box in boxes])
    )
