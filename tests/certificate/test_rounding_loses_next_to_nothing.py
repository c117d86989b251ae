# SPDX-License-Identifier: Apache-2.0
"""The passes of docs/certificate-format.md in plain fractions, as a reference for the fixed point.

A certificate is made with float64 bounds. The checker's own must not be looser, so what it rounds
has to vanish beside what float64 loses: 1e-15 of a layer's magnitude is allowed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.generators import random_box, random_network
from verifier.certificate.integer_matrix import FlintArithmetic
from verifier.certificate.regions import child_region, root_region
from verifier.certificate.scaled_network import FRACTION_BITS, power_of_two
from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from verifier.certificate.region_bounds import Region
    from verifier.ir.graph import Graph
    from verifier.spec.property import InputBox

Interval = tuple[Fraction, Fraction]
Bounds = list[list[Interval]]
# From layer, index and bounds of an unstable neuron to the slopes of its lower and upper line.
Lines = Callable[[int, int, Interval], tuple[Fraction, Fraction]]
TOLERANCE = Fraction(1, 10**15)
ZERO = Fraction(0)


def affine_of(graph: Graph, layer: int) -> tuple[Affine, tuple[int, ...]]:
    """Return the affine map of a ReLU layer, and what it reads: 0 is the input, k + 1 layer k."""
    node = graph.nodes[graph.nodes[graph.relus[layer]].inputs[0]]
    assert isinstance(node.operator, Affine)
    return node.operator, tuple(
        0 if position == 0 else graph.relus.index(position) + 1 for position in node.inputs
    )


def terms(graph: Graph, layer: int, index: int) -> tuple[dict[tuple[int, int], Fraction], Fraction]:
    """Return a preactivation as coefficients by source and entry, and its bias."""
    affine, sources = affine_of(graph, layer)
    coefficients = {
        (source, k): weight.fraction(index, k)
        for weight, source in zip(affine.weights, sources, strict=True)
        for k in range(weight.shape[1])
    }
    return coefficients, affine.bias.fraction(index)


class Reference:
    """The two passes, one fraction at a time."""

    def __init__(self, graph: Graph, box: InputBox) -> None:
        self.graph = graph
        self.box = list(zip(box.lower, box.upper, strict=True))

    def least(self, done: Bounds, layer: int, index: int, sign: int) -> Fraction:
        """Return the interval lower bound of ``sign * z``."""
        coefficients, constant = terms(self.graph, layer, index)
        total = sign * constant
        for (source, k), c in coefficients.items():
            low, high = self.box[k] if source == 0 else done[source - 1][k]
            ends = (low, high) if source == 0 else (max(low, ZERO), max(high, ZERO))
            total += min(sign * c * end for end in ends)
        return total

    def backward(
        self,
        done: Bounds,
        start: tuple[int, int, int],
        lines: Lines,
    ) -> Fraction:
        """Return the backward lower bound of ``sign * z`` for ``start = (layer, index, sign)``."""
        layer, index, sign = start
        first, bias = terms(self.graph, layer, index)
        row = {key: sign * c for key, c in first.items()}
        total = sign * bias
        for below in range(layer - 1, -1, -1):
            for i, (low, high) in enumerate(done[below]):
                c = row.pop((below + 1, i), ZERO)
                if low < 0 < high:
                    lower, upper = lines(below, i, (low, high))
                    slope = lower if c >= 0 else upper
                    total += min(c * max(-upper * low, (1 - upper) * high), ZERO)
                elif low >= 0:
                    slope = Fraction(1)
                else:
                    slope = ZERO
                inner, constant = terms(self.graph, below, i)
                total += c * slope * constant
                for key, weight in inner.items():
                    row[key] = row.get(key, ZERO) + c * slope * weight
        return total + sum(min(c * end for end in self.box[k]) for (_, k), c in row.items())

    def bounds(
        self,
        before: Bounds | None,
        demanded: dict[tuple[int, int], bool],
        lines: Lines,
    ) -> Bounds:
        """Return pass A's bounds, or, with bounds to start from, pass B's."""
        done: Bounds = []
        for layer, width in enumerate(self.graph.layer_widths):
            row = []
            for i in range(width):
                low, high = self.least(done, layer, i, 1), -self.least(done, layer, i, -1)
                if before is not None:
                    low, high = max(low, before[layer][i][0]), min(high, before[layer][i][1])
                low, high = impose(low, high, demanded.get((layer, i)))
                if before is None or low < 0 < high:
                    low = max(low, self.backward(done, (layer, i, 1), lines))
                    high = min(high, -self.backward(done, (layer, i, -1), lines))
                row.append(impose(low, high, demanded.get((layer, i))))
            done.append(row)
        return done


def impose(low: Fraction, high: Fraction, is_active: bool | None) -> Interval:
    if is_active is None:
        return low, high
    return (max(low, ZERO), high) if is_active else (low, min(high, ZERO))


def chord(interval: Interval) -> Fraction:
    low, high = interval
    return high / (high - low)


def assert_close(region: Region, exact: Bounds) -> None:
    for layer, row in enumerate(exact):
        unit = power_of_two(region.network.exponents[layer + 1] - FRACTION_BITS)
        scale = max(abs(end) for interval in row for end in interval)
        bounds = region.layers[layer]
        for i, (low, high) in enumerate(row):
            assert abs(int(bounds.lower[i]) * unit - low) <= scale * TOLERANCE
            assert abs(int(bounds.upper[i]) * unit - high) <= scale * TOLERANCE


def scaled(graph: Graph, factors: Sequence[Fraction]) -> Graph:
    """Return the network with factors on its affine maps, each felt by all biases after it."""
    left, so_far = list(factors), Fraction(1)
    nodes = []
    for node in graph.nodes:
        operator = node.operator
        if isinstance(operator, Affine):
            so_far *= left[0]
            factor, grown = (RationalArray.from_fractions([f], (1,)) for f in (left[0], so_far))
            weights = tuple(weight * factor for weight in operator.weights)
            operator, left = Affine(weights, operator.bias * grown), left[1:]
        nodes.append(replace(node, operator=operator))
    return replace(graph, nodes=tuple(nodes))


FACTORS: dict[str, tuple[Fraction | int, ...]] = {
    "plain": (1, 1, 1, 1),
    "tiny": (Fraction(1, 10**30), Fraction(1, 10**25), 1, 1),
    "huge": (10**30, 10**20, Fraction(1, 10**45), 1),
    "thirds": (Fraction(1, 3), Fraction(7, 11), Fraction(5, 3), 1),
}


@pytest.mark.parametrize("skips", [0.0, 0.5])
@pytest.mark.parametrize("kind", FACTORS)
def test_bounds_are_those_of_exact_arithmetic(kind: str, skips: float) -> None:
    rng = np.random.default_rng(5)
    graph = random_network(rng, 3, (6, 6, 5), 2, skip_probability=skips)
    graph = scaled(graph, [Fraction(f) for f in FACTORS[kind]])
    box = random_box(rng, 3, 1.0)
    slopes = [
        {i: Fraction(int(rng.integers(9)), 8) for i in range(w) if rng.random() < 0.6}
        for w in graph.layer_widths
    ]
    alphas = [frozenset(rng.choice(w, w // 2, replace=False).tolist()) for w in graph.layer_widths]
    reference = Reference(graph, box)

    def first(layer: int, i: int, interval: Interval) -> tuple[Fraction, Fraction]:
        slope = slopes[layer].get(i, chord(interval))
        return slope, slope

    exact = reference.bounds(reference.bounds(None, {}, first), {}, second(alphas))
    region = root_region(graph, box, slopes, alphas, FlintArithmetic())

    assert region is not None
    assert_close(region, exact)
    # A child may take other lower lines than its parent, and then all layers are bounded anew.
    others = [frozenset(range(w)) - a for w, a in zip(graph.layer_widths, alphas, strict=True)]
    literals = [(k, i) for k, row in enumerate(region.layers) for i in row.unstable[:2]]
    assert literals
    for (layer, index), is_active, own in product(literals, (True, False), (alphas, others)):
        child = child_region(region, [], [layer], {layer: {index: is_active}}, own)
        bounds = reference.bounds(exact, {(layer, index): is_active}, second(own))
        assert (child is None) == any(low > high for row in bounds for low, high in row)
        if child is not None:
            assert_close(child, bounds)


def second(alphas: Sequence[AbstractSet[int]]) -> Lines:
    """Return the lines of pass B."""
    return lambda layer, i, interval: (Fraction(i in alphas[layer]), chord(interval))
