# SPDX-License-Identifier: Apache-2.0
"""From a box to the bounds of its root region, and from a region to those of its children.

    pass A (roots)   intervals and backward rows for every neuron, with the root's slopes as both
                     lines of each unstable neuron; the scale of the network comes out with it
    pass B (all)     starts from the parent's bounds (a root: from pass A), cuts with intervals,
                     imposes the phases of the path, and computes backward rows for what is still
                     unstable, with the region's own choice of lower lines

    pass C (some roots)  layer by layer, backward rows for the neurons that the root names, each
                     with lower lines of its own

A region that says so keeps its parent's bounds, cut with its phases, instead of pass B.

Bounds are only ever cut, never replaced: bounds of the parent hold in the child, which is a subset.
A layer can differ from the parent's only from the first layer on whose phases, lower lines or
inputs changed; what comes before is shared. A region with crossed bounds is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.certificate.region_bounds import (
    Ends,
    LayerBounds,
    Region,
    backward_bounds,
    box_is_empty,
    interval_bounds,
)
from verifier.certificate.scaled_network import (
    INPUT,
    ONE,
    ScaledNetwork,
    rounded_down,
    rounded_up,
    scaled_network,
)
from verifier.certificate.values import as_fraction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from fractions import Fraction

    from verifier.certificate.integer_matrix import Arithmetic
    from verifier.certificate.values import Number
    from verifier.ir.graph import Graph
    from verifier.spec.property import InputBox

# For each layer, the neurons whose phase the path demands, and whether that is the active one.
Phases = dict[int, dict[int, bool]]


@dataclass(frozen=True)
class Threshold:
    """``x[index] <= value``, or ``>=`` where not ``is_upper``."""

    index: int
    value: Fraction
    is_upper: bool


@dataclass(frozen=True)
class Tightened:
    """How bounds of one layer are tightened.

    Attributes:
        neurons: Which.
        before: The neurons that slopes are given for.
        slopes: For each neuron's lower bound, then for each neuron's upper bound, the slopes of
            the lower lines of those before.
    """

    neurons: tuple[int, ...]
    before: tuple[tuple[int, int], ...]
    slopes: Sequence[Sequence[Number]]


def root_region(
    graph: Graph,
    box: InputBox,
    slopes: Sequence[Mapping[int, Number]],
    alphas: Sequence[AbstractSet[int]],
    arithmetic: Arithmetic,
) -> Region | None:
    """Return the root region of a box, or nothing if the box is empty.

    Args:
        graph: The network, in normal form.
        box: The whole box of some case.
        slopes: For each layer, slopes in [0, 1] by neuron, for pass A.
        alphas: For each layer, the neurons whose lower line is ``y >= z``, for pass B.
        arithmetic: What multiplies matrices.
    """
    network = scaled_network(graph, box, arithmetic)
    if box_is_empty(network.box):
        return None
    whole = _bound_whole_box(network, slopes)
    return None if whole is None else _bound(whole, network.box, {}, alphas, 0)


def child_region(
    parent: Region,
    cuts: Sequence[Threshold],
    layers: Sequence[int],
    phases: Phases,
    alphas: Sequence[AbstractSet[int]],
) -> Region | None:
    """Return the region that literals cut out of another, or nothing if it is empty.

    Args:
        parent: The region that is cut.
        cuts: What the literals demand of inputs.
        layers: Layers of the neurons whose phases they demand.
        phases: All phases on the path, those of the literals included.
        alphas: For each layer, the neurons whose lower line is ``y >= z``.
    """
    if cuts:
        box = _cut_box(parent, cuts)
        return None if box_is_empty(box) else _bound(parent, box, phases, alphas, 0)
    first = _first_other_lower_line(parent, alphas, min(layers, default=len(alphas)))
    return _bound(parent, parent.box, phases, alphas, first)


def tightened_region(root: Region, tightened: Sequence[Tightened]) -> Region | None:
    """Return a root after pass C, or nothing if it is empty."""
    done: list[LayerBounds] = []
    for layer, entry in enumerate(tightened):
        before = root.layers[layer]
        lower, upper = list(before.lower), list(before.upper)
        if entry.neurons and _reads_a_layer(root.network, layer):
            region = Region(root.network, root.box, done, root.lower_slopes)
            columns = zip(*entry.slopes, strict=True)
            slopes = {
                key: [rounded_down(as_fraction(slope)) for slope in column]
                for key, column in zip(entry.before, columns, strict=True)
            }
            ends = backward_bounds(region, layer, entry.neurons, slopes)
            _cut(lower, upper, entry.neurons, ends)
            if box_is_empty((lower, upper)):
                return None
        done.append(LayerBounds(lower, upper, before.demanded))
    return Region(root.network, root.box, done, root.lower_slopes)


def kept_region(
    parent: Region,
    layers: Sequence[int],
    phases: Phases,
    alphas: Sequence[AbstractSet[int]],
) -> Region | None:
    """Return the region with its parent's bounds, cut with its phases; nothing if it is empty.

    Args:
        parent: The region that is cut.
        layers: Layers of the neurons whose phases are new.
        phases: All phases on the path.
        alphas: For each layer, the neurons whose lower line is ``y >= z``.
    """
    first = min(layers, default=len(parent.layers))
    found = list(parent.layers[:first])
    for layer in range(first, len(parent.layers)):
        # Anew even where no phase is demanded: a layer remembers which of its sources were live.
        before, demanded = parent.layers[layer], dict(phases.get(layer, {}))
        lower, upper = list(before.lower), list(before.upper)
        _impose(lower, upper, demanded)
        if box_is_empty((lower, upper)):
            return None
        found.append(LayerBounds(lower, upper, demanded))
    lines = [dict.fromkeys(active, ONE) for active in alphas]
    return Region(parent.network, parent.box, found, lines)


def _bound_whole_box(
    network: ScaledNetwork, slopes: Sequence[Mapping[int, Number]]
) -> Region | None:
    """Pass A."""
    lines: list[dict[int, int]] = []
    region = Region(network, network.box, [], lines, lines)
    for layer, given in enumerate(slopes):
        uppers = [region.source_values(anchor)[1] for anchor in range(layer + 1)]
        network.add_layer(uppers)
        lower, upper = interval_bounds(region, layer)
        if _reads_a_layer(network, layer):
            everyone = range(len(lower))
            _cut(lower, upper, everyone, backward_bounds(region, layer, everyone))
        if box_is_empty((lower, upper)):
            return None
        bounds = LayerBounds(lower, upper, {})
        region.layers.append(bounds)
        chords = bounds.chords
        chosen = {i: rounded_down(as_fraction(given[i])) for i in chords if i in given}
        lines.append(chords | chosen)
    network.add_layer([region.source_values(a)[1] for a in range(len(slopes) + 1)])
    return region


def _bound(
    parent: Region,
    box: Ends,
    phases: Phases,
    alphas: Sequence[AbstractSet[int]],
    first: int,
) -> Region | None:
    """Pass B from layer ``first`` on; layers before it are the parent's."""
    network = parent.network
    lines = [dict.fromkeys(active, ONE) for active in alphas]
    region = Region(network, box, parent.layers[:first], lines)
    for layer in range(first, len(parent.layers)):
        # A copy: the path's own phases go on to change.
        before, demanded = parent.layers[layer], dict(phases.get(layer, {}))
        lower, upper = list(before.lower), list(before.upper)
        _cut(lower, upper, range(len(lower)), interval_bounds(region, layer))
        _impose(lower, upper, demanded)
        if box_is_empty((lower, upper)):
            return None
        # Those that end at 0 too: they may be cut further, and cross.
        unstable = [i for i, low in enumerate(lower) if low <= 0 <= upper[i] and i not in demanded]
        if unstable and _reads_a_layer(network, layer):
            _cut(lower, upper, unstable, backward_bounds(region, layer, unstable))
            _impose(lower, upper, demanded)
            if box_is_empty((lower, upper)):
                return None
        region.layers.append(LayerBounds(lower, upper, demanded))
    return region


def _reads_a_layer(network: ScaledNetwork, layer: int) -> bool:
    """Return whether backward rows can say more than intervals, which are exact on the input."""
    return any(edge.anchor != INPUT for edge in network.layers[layer].edges)


def _cut(lower: list[int], upper: list[int], neurons: Sequence[int], ends: Ends) -> None:
    """Intersect the bounds of some neurons with others, in place."""
    for neuron, low, high in zip(neurons, *ends, strict=True):
        lower[neuron] = max(lower[neuron], low)
        upper[neuron] = min(upper[neuron], high)


def _impose(lower: list[int], upper: list[int], demanded: Mapping[int, bool]) -> None:
    """Cut bounds to the demanded phases, in place."""
    for neuron, is_active in demanded.items():
        if is_active:
            lower[neuron] = max(lower[neuron], 0)
        else:
            upper[neuron] = min(upper[neuron], 0)


def _cut_box(parent: Region, cuts: Sequence[Threshold]) -> Ends:
    lower, upper = list(parent.box[0]), list(parent.box[1])
    for cut in cuts:
        value = parent.network.scaled_input(cut.index, cut.value)
        if cut.is_upper:
            upper[cut.index] = min(upper[cut.index], rounded_up(value))
        else:
            lower[cut.index] = max(lower[cut.index], rounded_down(value))
    return lower, upper


def _first_other_lower_line(parent: Region, alphas: Sequence[AbstractSet[int]], layer: int) -> int:
    """Return the first layer whose bounds can differ from the parent's, at most ``layer``.

    Lower lines of one layer first matter in the backward rows of the next.
    """
    for before in range(layer):
        old, new = parent.lower_slopes[before], alphas[before]
        if any((i in old) != (i in new) for i in parent.layers[before].unstable):
            return before + 1
    return layer
