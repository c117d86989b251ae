# SPDX-License-Identifier: Apache-2.0
"""Bounds on every preactivation in a region, as the certificate tells how to find them.

A region is a box of inputs and a set of phases. Its bounds come layer by layer: intervals from the
layer before, then *backward rows*: a linear lower bound on ``+z`` or ``-z`` that is substituted
down to the inputs. On the way each ReLU ``y = max(z, 0)`` with coefficient ``c`` is replaced by its
preactivation ``z``:

    active                  c y  =  c z
    inactive                c y  =  0
    unstable, c >= 0        c y >=  a z                                   for any a in [0, c]
    unstable, c <  0        c y >=  a z + min(-a l, (c - a) u)            for any a in [c, 0]

The third line is ``y >= s z`` with ``s = a / c`` in [0, 1]. The fourth is the upper line
``y <= s z + t`` with ``t = max(-s l, (1 - s) u)``: ``y - s z`` is convex in ``z``, so it is largest
at an end of ``[l, u]``. As any ``a`` in the interval will do, rounding ``a`` down is harmless, and
for all else ``scaled_network`` says why rounding a coefficient down is. So every number here is
either exact or on the safe side, and nothing depends on where slopes came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from verifier.certificate.integer_matrix import quotients_rounded_down
from verifier.certificate.scaled_network import FRACTION_BITS, INPUT, ONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verifier.certificate.integer_matrix import Packed, Rows
    from verifier.certificate.scaled_network import Edge, ScaledNetwork

Ends = tuple[list[int], list[int]]


@dataclass(frozen=True, eq=False)
class LayerBounds:
    """Final bounds of one ReLU layer's preactivations in one region.

    A neuron whose phase is demanded has that phase, even where its bounds allow the value 0 alone.

    Attributes:
        lower: In fixed point, one for each neuron.
        upper: The same.
        demanded: The neurons whose phase is demanded, and whether that is the active one.
        packed: Cache of the parts of edges that backward rows need, by number of the edge.
    """

    lower: list[int]
    upper: list[int]
    demanded: Mapping[int, bool]
    packed: dict[int, Packed] = field(default_factory=dict)

    @cached_property
    def live(self) -> list[int]:
        """The neurons that are not inactive."""
        return [
            i for i, u in enumerate(self.upper) if self.demanded.get(i, u > 0 or self.lower[i] >= 0)
        ]

    @cached_property
    def unstable(self) -> list[int]:
        """The neurons whose phase is open."""
        return [i for i, low in enumerate(self.lower) if low < 0 < self.upper[i]]

    @cached_property
    def chords(self) -> dict[int, int]:
        """For each unstable neuron, the slope ``u / (u - l)`` in fixed point, rounded up."""
        return {
            i: -((-self.upper[i] << FRACTION_BITS) // (self.upper[i] - self.lower[i]))
            for i in self.unstable
        }

    @cached_property
    def values(self) -> Ends:
        """Bounds on the postactivations; neither end is negative."""
        zero = 0 * self.lower[0] if self.lower else 0
        return (
            [low if low > 0 else zero for low in self.lower],
            [high if high > 0 else zero for high in self.upper],
        )


@dataclass(frozen=True, eq=False)
class Region:
    """A region with its bounds, which may still lack the last layers.

    Attributes:
        network: The network seen from the root's box.
        box: Bounds on the inputs' ``v``, in fixed point.
        layers: Bounds of the layers that are finished.
        lower_slopes: For each layer, slope of the lower line by neuron, in fixed point, from 0 to
            ``ONE``; 0 where none is given.
        upper_slopes: The same for the upper line; the chord where none is given.
    """

    network: ScaledNetwork
    box: Ends
    layers: list[LayerBounds]
    lower_slopes: Sequence[Mapping[int, int]]
    upper_slopes: Sequence[Mapping[int, int]] | None = None

    def source_values(self, anchor: int) -> Ends:
        """Return bounds on what an affine layer reads; neither end is negative."""
        return self.box if anchor == INPUT else self.layers[anchor - 1].values

    def live_entries(self, anchor: int) -> Sequence[int]:
        """Return which entries of a source can differ from 0."""
        return range(len(self.box[0])) if anchor == INPUT else self.layers[anchor - 1].live

    def slopes(self, layer: int, index: int) -> tuple[int, int]:
        """Return the slopes of the lower and the upper line of an unstable neuron."""
        lower = self.lower_slopes[layer].get(index, 0)
        if self.upper_slopes is not None and index in self.upper_slopes[layer]:
            return lower, self.upper_slopes[layer][index]
        return lower, self.layers[layer].chords[index]


def interval_bounds(region: Region, layer: int) -> Ends:
    """Bound a layer's preactivations by sending each source to the end that a weight prefers."""
    network = region.network
    width = network.layers[layer].width
    lower, upper = [0] * width, [0] * width
    for edge in network.layers[layer].edges:
        low, high = region.source_values(edge.anchor)
        constant = [ONE] if edge.has_bias else []
        low, high = [*low, *constant], [*high, *constant]
        # Positive weights take the first half, negative ones the second.
        ends = [
            *([a, -b] for a, b in zip(low, high, strict=True)),
            *([b, -a] for a, b in zip(low, high, strict=True)),
        ]
        pairs = quotients_rounded_down(network.arithmetic.product(edge.by_sign, ends), edge.divisor)
        lower = [a + least for a, (least, _) in zip(lower, pairs, strict=True)]
        upper = [b - negated for b, (_, negated) in zip(upper, pairs, strict=True)]
    return lower, upper


def backward_bounds(
    region: Region,
    layer: int,
    neurons: Sequence[int],
    own_slopes: Mapping[tuple[int, int], Sequence[int]] | None = None,
) -> Ends:
    """Bound some preactivations of a layer by backward rows over the finished layers below it.

    Args:
        region: The region.
        layer: The layer.
        neurons: Which of its neurons.
        own_slopes: For neurons before them, slopes of the lower line that are not the region's:
            one for each lower bound, then one for each upper bound.

    Returns:
        Lower and upper bounds in fixed point, in the order of ``neurons``.
    """
    rows = _BackwardRows(region, layer, neurons, own_slopes or {})
    for below in range(layer - 1, -1, -1):
        rows.substitute_layer(below)
    bounds = rows.concretize()
    return bounds[: len(neurons)], [-bound for bound in bounds[len(neurons) :]]


class _BackwardRows:
    """Lower bounds of ``+z`` of some neurons, then of ``-z``, as linear forms over sources.

    For each source and each of its live entries there is the list of its coefficients in all the
    forms, so that a neuron is relaxed in one sweep. Each form has fractional bits of its own; its
    constant has those and a value's.
    """

    def __init__(
        self,
        region: Region,
        layer: int,
        neurons: Sequence[int],
        own_slopes: Mapping[tuple[int, int], Sequence[int]],
    ) -> None:
        self._region, self._own_slopes = region, own_slopes
        self._coefficients: dict[int, Rows] = {}
        self._constants: list[int] = [0] * (2 * len(neurons))
        scaled = region.network.layers[layer]
        self._bits = [scaled.coefficient_bits[neuron] for neuron in neurons] * 2
        for edge in scaled.edges:
            positive, negative = edge.starting_rows(scaled.coefficient_bits)
            entries = region.live_entries(edge.anchor)
            chosen = [*entries, -1] if edge.has_bias else entries
            rows = [
                [*(positive[k][i] for i in neurons), *(negative[k][i] for i in neurons)]
                for k in chosen
            ]
            self._add(edge, rows)

    def _add(self, edge: Edge, rows: Rows) -> None:
        """Add coefficients on an edge's source, the bias to the constants."""
        if edge.has_bias:
            biases = rows.pop()
            self._constants = [
                c + (b << FRACTION_BITS) for c, b in zip(self._constants, biases, strict=True)
            ]
        present = self._coefficients.get(edge.anchor)
        if present is not None:
            rows = [
                [a + b for a, b in zip(old, new, strict=True)]
                for old, new in zip(present, rows, strict=True)
            ]
        self._coefficients[edge.anchor] = rows

    def substitute_layer(self, layer: int) -> None:
        """Replace the values of a ReLU layer by what it reads."""
        rows = self._coefficients.pop(layer + 1, None)
        if not rows:
            return
        self._relax(layer, rows)
        region = self._region
        bounds = region.layers[layer]
        for number, edge in enumerate(region.network.layers[layer].edges):
            entries = region.live_entries(edge.anchor)
            if not entries and not edge.has_bias:
                continue
            if number not in bounds.packed:
                part = edge.part(entries, bounds.live)
                bounds.packed[number] = region.network.arithmetic.pack(part)
            product = region.network.arithmetic.product(bounds.packed[number], rows)
            self._add(edge, quotients_rounded_down(product, edge.divisor))

    def _relax(self, layer: int, rows: Rows) -> None:
        """Turn coefficients on ``y`` into coefficients on ``z``, in place."""
        region = self._region
        bounds = region.layers[layer]
        position = {neuron: p for p, neuron in enumerate(bounds.live)}
        for neuron in bounds.unstable:
            row = rows[position[neuron]]
            minus_lower, upper = -bounds.lower[neuron], bounds.upper[neuron]
            below, above = region.slopes(layer, neuron)
            own = self._own_slopes.get((layer, neuron))
            # The usual lower lines are y >= z and y >= 0; shifting their products is for the rest.
            if own is not None:
                relaxed = [
                    (c * (above if c < 0 else slope)) >> FRACTION_BITS
                    for c, slope in zip(row, own, strict=True)
                ]
            elif below == ONE:
                relaxed = [(c * above) >> FRACTION_BITS if c < 0 else c for c in row]
            else:
                relaxed = [(c * (above if c < 0 else below)) >> FRACTION_BITS for c in row]
            rows[position[neuron]] = relaxed
            forms = zip(self._constants, row, relaxed, strict=True)
            if above * (upper + minus_lower) >= upper << FRACTION_BITS:
                # From s >= u / (u - l) follows a (u - l) <= c u: the first end is the smaller one.
                self._constants = [k + a * minus_lower if c < 0 else k for k, c, a in forms]
            else:
                self._constants = [
                    k + min(a * minus_lower, (c - a) * upper) if c < 0 else k for k, c, a in forms
                ]

    def concretize(self) -> list[int]:
        """Return the least value over the box of each form, in fixed point."""
        totals = self._constants
        box = zip(*self._region.box, strict=True)
        rows = self._coefficients.get(INPUT, [[0] * len(totals)] * len(self._region.box[0]))
        for row, (low, high) in zip(rows, box, strict=True):
            totals = [t + c * (low if c >= 0 else high) for t, c in zip(totals, row, strict=True)]
        return [total >> bits for total, bits in zip(totals, self._bits, strict=True)]


def box_is_empty(box: Ends) -> bool:
    """Return whether some side of a box has its ends crossed."""
    return any(low > high for low, high in zip(*box, strict=True))
