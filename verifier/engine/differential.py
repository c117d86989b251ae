# SPDX-License-Identifier: Apache-2.0
"""The differential margin: does the change stay below the proof's margin everywhere?

Every input of the property lies in the region of some core of the original, where a convex
combination of the case's rows is at least the core's margin. If compression lowers no such
combination by its margin or more, the combination stays positive on the compressed network, and
the property transfers with no search and no re-validation.

The change is bounded layer by layer, as in ReluDiff (Paulsen et al. 2020), on the neurons that
the map pairs: with ``d = y' - y``,

    z' - z = W' d + (W' - W) y - (columns of removed neurons) y + (b' - b),

and ReLU passes on a difference unchanged where both neurons are active, as zero where both are
inactive, and no larger in between. Removed neurons leave with all of their output; their constant
is in ``b'``. One pass over both networks, so it is tried first and costs nothing when it fails.

The margins must be those of cores that were evaluated on the original in this run, never those a
file claims: ``pipeline`` re-validates the stored proof on the original before it believes the
shortcut. Such a verdict has no certificate, because a certificate speaks of one network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.box import Box
from verifier.bounds.layers import INPUT, TINY
from verifier.ir.graph import Neuron

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.bounds.layers import Layer
    from verifier.change.neuron_map import NeuronMap
    from verifier.engine.problem import Problem
    from verifier.proof.muc import Core

    Array = NDArray[np.float64]


def transfers(
    original: Problem, compressed: Problem, cores: Sequence[Core], neuron_map: NeuronMap
) -> bool:
    """Tell whether the change is below the margin of every core.

    Args:
        original: The network that the cores are of.
        compressed: The compressed network with the same property.
        cores: Cores that refute the property's violation everywhere on the original.
        neuron_map: From the original's neurons to the compressed network's. Pairs may be any:
            a bad map gives a large difference, not a wrong one.
    """
    if not _same_layers(original, compressed, neuron_map):
        return False
    error = max(original.layers.error, compressed.layers.error)
    for group in range(len(original.groups)):
        # Zero times infinity is NaN here, and NaN is below no margin.
        with np.errstate(invalid="ignore", over="ignore"):
            decrease = _decrease(original, compressed, group, neuron_map, error)
        for core in cores:
            if core.case not in decrease:
                continue
            if core.multipliers is None:
                if np.isinf(core.margin):
                    continue  # The region is empty on the original: no input lies in it.
                return False  # Refuted exactly, with no known margin.
            # A row without weight may fall as it likes, without bound too.
            weights = core.multipliers.rows
            used = weights > 0.0
            loss = float(weights[used] @ np.maximum(decrease[core.case][used], 0.0))
            if not loss * (1.0 + error) + TINY < core.margin:
                return False
    return True


def _same_layers(original: Problem, compressed: Problem, neuron_map: NeuronMap) -> bool:
    """Differences go from layer to layer, so pairs must lie in the same layer of both."""
    return len(original.layers.hidden) == len(compressed.layers.hidden) and all(
        old.layer == new.layer for old, new in neuron_map.kept.items()
    )


def _decrease(
    original: Problem, compressed: Problem, group: int, neuron_map: NeuronMap, error: float
) -> dict[int, Array]:
    """Return, for each case, by how much each of its rows can decrease at most."""
    before, after = original.groups[group], compressed.groups[group]
    box = before.bounds.box
    zero = Box(np.zeros_like(box.lower), np.zeros_like(box.upper))
    values: dict[int, Box] = {INPUT: box}
    changes: dict[int, Box] = {INPUT: zero}
    pairs = {INPUT: _identity(original.graph.input_width)}
    layers = zip(original.layers.hidden, compressed.layers.hidden, strict=True)
    for k, (old, new) in enumerate(layers):
        pairs[k] = _pairs(neuron_map, k)
        kept, places = pairs[k]
        old_z, new_z = before.bounds.preactivations[k], after.bounds.preactivations[k]
        values[k] = Box(np.maximum(old_z.lower, 0.0), np.maximum(old_z.upper, 0.0))
        change = _affine(_rows(old, kept), _rows(new, places), values, changes, pairs, error)
        changes[k] = _relu(change, _columns(old_z, kept), _columns(new_z, places))
    result: dict[int, Array] = {}
    for case, rows in before.objectives.items():
        other = after.objectives[case]
        change = _affine(
            (rows.coefficients, rows.constant),
            (other.coefficients, other.constant),
            values,
            changes,
            pairs,
            error,
        )
        slack = error * (rows.magnitude + other.magnitude)
        result[case] = slack - change.lower[0]
    return result


Rows = tuple[dict[int, "Array"], "Array"]
Pairs = tuple["NDArray[np.intp]", "NDArray[np.intp]"]


def _affine(
    old: Rows,
    new: Rows,
    values: dict[int, Box],
    changes: dict[int, Box],
    pairs: dict[int, Pairs],
    error: float,
) -> Box:
    """Bound the difference of two affine maps of paired sources.

    Each coefficient's magnitude counts as ``TINY`` larger, for what underflow may have lost of it.
    """
    shift = new[1] - old[1]
    lower, upper = shift[None, :].copy(), shift[None, :].copy()
    magnitude = (np.abs(old[1]) + np.abs(new[1]))[None, :]
    for source in old[0].keys() | new[0].keys():
        kept, places = pairs[source]
        value, change = values[source], changes[source]
        count = value.lower.shape[1]
        before = old[0].get(source, np.zeros((len(shift), count)))
        after = new[0].get(source)
        moved = np.zeros_like(before)
        if after is not None:
            unpaired = np.setdiff1d(np.arange(after.shape[1]), places)
            if np.any(after[:, unpaired]):
                return Box(np.full_like(lower, -np.inf), np.full_like(upper, np.inf))
            moved[:, kept] = after[:, places]
            low, high = _interval(after[:, places], change)
            lower, upper = lower + low, upper + high
            magnitude = magnitude + change.magnitude @ (np.abs(after[:, places]) + TINY).T
        low, high = _interval(moved - before, value)
        lower, upper = lower + low, upper + high
        magnitude = magnitude + value.magnitude @ (np.abs(moved) + np.abs(before) + TINY).T
    slack = error * magnitude + TINY
    return Box(lower - slack, upper + slack)


def _interval(matrix: Array, box: Box) -> tuple[Array, Array]:
    positive, negative = np.maximum(matrix, 0.0).T, np.minimum(matrix, 0.0).T
    return box.lower @ positive + box.upper @ negative, box.upper @ positive + box.lower @ negative


def _relu(change: Box, old: Box, new: Box) -> Box:
    """Pass a difference through ReLU."""
    both_active = (old.lower >= 0.0) & (new.lower >= 0.0)
    both_inactive = (old.upper <= 0.0) & (new.upper <= 0.0)
    lower = np.where(both_active, change.lower, np.minimum(change.lower, 0.0))
    upper = np.where(both_active, change.upper, np.maximum(change.upper, 0.0))
    return Box(np.where(both_inactive, 0.0, lower), np.where(both_inactive, 0.0, upper))


def _pairs(neuron_map: NeuronMap, layer: int) -> Pairs:
    kept = sorted(neuron for neuron in neuron_map.kept if neuron.layer == layer)
    places = [neuron_map.kept[Neuron(*neuron)].index for neuron in kept]
    return (
        np.array([neuron.index for neuron in kept], dtype=np.intp),
        np.array(places, dtype=np.intp),
    )


def _identity(width: int) -> Pairs:
    return np.arange(width), np.arange(width)


def _rows(layer: Layer, rows: NDArray[np.intp]) -> Rows:
    return {source: weight[rows] for source, weight in layer.weights.items()}, layer.bias[rows]


def _columns(box: Box, columns: NDArray[np.intp]) -> Box:
    return Box(box.lower[:, columns], box.upper[:, columns])
