# SPDX-License-Identifier: Apache-2.0
"""From a box to the bounds of its root region, and from a region to its children's, in float64.

The passes are those of ``regions``. Bounds are only ever cut, so that children of a root whose
numbers are within the limits of ``float_network`` are within them too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.certificate.float_bounds import (
    Ends,
    FloatLayerBounds,
    FloatRegion,
    backward_bounds,
    interval_bounds,
    with_lines,
)
from verifier.certificate.float_network import (
    INPUT,
    float_above,
    float_below,
    require_within_limits,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    from verifier.certificate.float_network import FloatNetwork, Floats
    from verifier.certificate.regions import Phases, Threshold, Tightened
    from verifier.certificate.values import Number
    from verifier.spec.property import InputBox


def float_root(
    network: FloatNetwork,
    box: InputBox,
    slopes: Sequence[Mapping[int, Number]],
    alphas: Sequence[AbstractSet[int]],
) -> FloatRegion | None:
    """Return the root region of a box, or nothing if it is empty; see ``regions.root_region``.

    Raises:
        BeyondFloatsError: Some number is too large.
    """
    ends = (
        np.array([float_below(value) for value in box.lower]),
        np.array([float_above(value) for value in box.upper]),
    )
    for values in ends:
        require_within_limits(values)
    whole = FloatRegion(network, ends)
    for layer, given in enumerate(slopes):
        affine = network.layers[layer]
        size = whole.sizes(affine)
        require_within_limits(size)
        found = interval_bounds(whole, affine, size)
        if _reads_a_layer(network, layer):
            everyone = np.arange(len(size))
            found = _cut(found, everyone, backward_bounds(whole, layer, everyone, size))
        if _is_empty(found):
            return None
        whole.layers.append(_with_given_slopes(found, size, given))
    return _bound(whole, ends, {}, _lower_slopes(network, alphas), 0)


def float_child(
    parent: FloatRegion,
    cuts: Sequence[Threshold],
    layers: Iterable[int],
    phases: Phases,
    alphas: Sequence[AbstractSet[int]],
) -> FloatRegion | None:
    """Return the region that literals cut out; see ``regions.child_region``."""
    slopes = _lower_slopes(parent.network, alphas)
    if not cuts:
        return _bound(parent, parent.box, phases, slopes, min(layers, default=len(slopes)))
    lower, upper = parent.box[0].copy(), parent.box[1].copy()
    for cut in cuts:
        if cut.is_upper:
            upper[cut.index] = min(upper[cut.index], float_above(cut.value))
        else:
            lower[cut.index] = max(lower[cut.index], float_below(cut.value))
    box = lower, upper
    return None if _is_empty(box) else _bound(parent, box, phases, slopes, 0)


def float_kept(
    parent: FloatRegion, phases: Phases, alphas: Sequence[AbstractSet[int]]
) -> FloatRegion | None:
    """Return the region with its parent's bounds, cut; see ``regions.kept_region``."""
    region = FloatRegion(parent.network, parent.box)
    for layer, slopes in enumerate(_lower_slopes(parent.network, alphas)):
        before, demanded = parent.layers[layer], dict(phases.get(layer, {}))
        ends = _imposed((before.lower, before.upper), demanded)
        if _is_empty(ends):
            return None
        region.layers.append(with_lines(ends, before.size, demanded, slopes))
    return region


def float_tightened(root: FloatRegion, tightened: Sequence[Tightened]) -> FloatRegion | None:
    """Return a root after pass C; see ``regions.tightened_region``."""
    region = FloatRegion(root.network, root.box)
    for layer, entry in enumerate(tightened):
        before = root.layers[layer]
        ends = before.lower, before.upper
        if entry.neurons and _reads_a_layer(root.network, layer):
            neurons = np.array(entry.neurons)
            own = _own_slopes(region, entry)
            ends = _cut(ends, neurons, backward_bounds(region, layer, neurons, before.size, own))
            if _is_empty(ends):
                return None
        region.layers.append(with_lines(ends, before.size, {}, before.lower_slopes))
    return region


def _bound(
    parent: FloatRegion, box: Ends, phases: Phases, slopes: Sequence[Floats], first: int
) -> FloatRegion | None:
    """Pass B; layers before ``first`` are the parent's, as far as lower lines below them are."""
    region = FloatRegion(parent.network, box)
    is_changed = False
    for layer, before in enumerate(parent.layers):
        if layer < first and not is_changed:
            # Lines of one layer first matter in the backward rows of the next.
            is_changed = bool(np.any((before.lower_slopes != slopes[layer]) & before.is_open))
            ends = before.lower, before.upper
            region.layers.append(
                with_lines(ends, before.size, before.demanded, slopes[layer])
                if is_changed
                else before
            )
            continue
        found = _bounded_layer(region, before, layer, dict(phases.get(layer, {})), slopes[layer])
        if found is None:
            return None
        region.layers.append(found)
    return region


def _bounded_layer(
    region: FloatRegion,
    before: FloatLayerBounds,
    layer: int,
    demanded: Mapping[int, bool],
    slopes: Floats,
) -> FloatLayerBounds | None:
    """Cut the bounds that a layer has in the parent; nothing if they cross."""
    affine = region.network.layers[layer]
    size = region.sizes(affine)
    lower, upper = interval_bounds(region, affine, size)
    ends = np.maximum(before.lower, lower), np.minimum(before.upper, upper)
    ends = _imposed(ends, demanded)
    if _is_empty(ends):
        return None
    is_unsettled = (ends[0] <= 0.0) & (ends[1] >= 0.0)
    is_unsettled[list(demanded)] = False
    (unsettled,) = np.nonzero(is_unsettled)
    if len(unsettled) and _reads_a_layer(region.network, layer):
        ends = _cut(ends, unsettled, backward_bounds(region, layer, unsettled, size))
        if _is_empty(ends):
            return None
    return with_lines(ends, size, demanded, slopes)


def _with_given_slopes(ends: Ends, size: Floats, given: Mapping[int, Number]) -> FloatLayerBounds:
    """Put lines of the given slopes on both sides, or of the chord's."""
    slopes = with_lines(ends, size, {}, np.zeros_like(size)).upper_slopes
    slopes[list(given)] = [float(slope) for slope in given.values()]
    return with_lines(ends, size, {}, slopes, slopes)


def _lower_slopes(network: FloatNetwork, alphas: Sequence[AbstractSet[int]]) -> list[Floats]:
    """Return the slope 1 for neurons that are listed, 0 for the others."""
    slopes = [np.zeros_like(layer.bias) for layer in network.layers]
    for layer, listed in zip(slopes, alphas, strict=True):
        layer[list(listed)] = 1.0
    return slopes


def _own_slopes(region: FloatRegion, entry: Tightened) -> dict[int, Floats]:
    """Return, by layer, slopes of lower lines for each backward row of an entry."""
    given = np.array(entry.slopes, dtype=np.float64)
    own = {}
    for layer, bounds in enumerate(region.layers):
        places = [
            (column, neuron)
            for column, (of, neuron) in enumerate(entry.before)
            if of == layer and bounds.is_open[neuron]
        ]
        if places:
            columns, neurons = zip(*places, strict=True)
            own[layer] = np.tile(bounds.lower_slopes, (len(given), 1))
            own[layer][:, neurons] = given[:, columns]
    return own


def _reads_a_layer(network: FloatNetwork, layer: int) -> bool:
    """Return whether backward rows can say more than intervals, which are exact on the input."""
    return any(edge.anchor != INPUT for edge in network.layers[layer].edges)


def _cut(ends: Ends, neurons: NDArray[np.intp], others: Ends) -> Ends:
    """Intersect the bounds of some neurons with others."""
    lower, upper = ends[0].copy(), ends[1].copy()
    lower[neurons] = np.maximum(lower[neurons], others[0])
    upper[neurons] = np.minimum(upper[neurons], others[1])
    return lower, upper


def _imposed(ends: Ends, demanded: Mapping[int, bool]) -> Ends:
    """Cut bounds to the demanded phases."""
    if not demanded:
        return ends
    lower, upper = ends[0].copy(), ends[1].copy()
    for neuron, is_active in demanded.items():
        if is_active:
            lower[neuron] = max(lower[neuron], 0.0)
        else:
            upper[neuron] = min(upper[neuron], 0.0)
    return lower, upper


def _is_empty(ends: Ends) -> bool:
    """Return whether some bounds cross."""
    return bool((ends[0] > ends[1]).any())
