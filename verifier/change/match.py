# SPDX-License-Identifier: Apache-2.0
"""Infer which neuron of a compressed network stands for which neuron of the original.

A compression that we did not run ourselves comes without a map. Most keep every neuron in place,
so equal shapes suggest the identity, and it is taken if the neurons agree well. Otherwise, layer by
layer from the input, neurons are paired by a linear assignment that maximises their *similarity*

    1 - |a - b| / (|a| + |b|)        (1 where both are 0)

averaged over up to three vectors: the incoming weights and bias, with columns paired as the layers
before were; the preactivations on random inputs, which see through many small changes at once; and,
from the second round on, the outgoing weights, with rows paired as the layers after were. This is
the weight matching of Ainsworth et al. ("Git Re-Basin", arXiv 2209.04836) with activations added,
for widths that may differ. A similarity in place of a product keeps long vectors from winning.

Where the number of layers differs, layers are aligned in order by their preactivations alone, and
only where these agree closely. A pair that does not resemble is left out: the map is a guide, and
no entry is better than a guess. Confidence is the mean similarity over the compressed neurons,
where one without a partner counts 0. A wrong map costs time and never soundness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from verifier.change.folding import folded_constants
from verifier.change.layers import INPUT, Layer, layers_of
from verifier.change.neuron_map import NeuronMap
from verifier.ir.graph import Neuron

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from verifier.ir.graph import Graph

    Floats = NDArray[np.float64]
    # For each original layer: indices of its neurons and of their partners.
    Pairs = dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]]

_SAMPLES = 128
_ROUNDS = 3
# Unrelated random neurons have a similarity near 0.3, and the best of hundreds near 0.4; a neuron
# that lost four of five weights by magnitude keeps some 0.6.
_RESEMBLES = 0.5
_ALIGNS = 0.8
# Above this, the identity is not doubted; below, another matching must be better by so much, as
# leaving out a few neurons that became constant always is by a little.
_AGREES = 0.9
_BETTER = 0.05
# Below this a matching is a guess.
_PLAUSIBLE = 0.4


@dataclass(frozen=True, eq=False)
class _Network:
    """A network's layers and what each of them computes on the samples (neuron, sample)."""

    layers: tuple[Layer, ...]
    preactivations: tuple[Floats, ...]

    @property
    def depth(self) -> int:
        return len(self.layers) - 1


@dataclass(frozen=True, eq=False)
class _Matching:
    """Paired layers, and paired neurons in them; the output layers are paired from the start.

    Attributes:
        target: Original layer to compressed layer, with the input and the output.
        pairs: Original layer to the indices of paired neurons, for ReLU layers and the output.
    """

    target: Mapping[int, int]
    pairs: Pairs


def infer_map(original: Graph, compressed: Graph, seed: int = 0) -> NeuronMap:
    """Return the most plausible map, with its confidence.

    Args:
        original: In normal form.
        compressed: In normal form.
        seed: Of the sample inputs; the same seed gives the same map.

    Returns:
        The identity, or an inferred partial map. Where shapes differ and no matching is plausible,
        or the networks differ in inputs or outputs, it is empty, with confidence 0.

    Raises:
        UnsupportedError: A network is not in normal form.
    """
    widths = (original.input_width, original.output_width)
    if widths != (compressed.input_width, compressed.output_width):
        layers_of(original), layers_of(compressed)
        return NeuronMap({}, {}, source="inferred", confidence=0.0)
    samples = _samples(original.input_width, seed)
    first, second = _network(original, samples), _network(compressed, samples)
    identity = _identity(first, second)
    agreement = 0.0 if identity is None else _confidence(first, second, identity)
    if agreement < _AGREES:
        matching = _match(first, second)
        confidence = _confidence(first, second, matching)
        if confidence >= max(_PLAUSIBLE, agreement + _BETTER):
            return _as_map(first, second, matching, confidence)
    if identity is None:
        return NeuronMap({}, {}, source="inferred", confidence=0.0)
    return NeuronMap(NeuronMap.identity(original).kept, {}, source="identity", confidence=agreement)


def _samples(width: int, seed: int) -> Floats:
    """Return inputs (width, sample): half like pixels in [0, 1], half like normalised values."""
    rng = np.random.default_rng(seed)
    half = _SAMPLES // 2
    return np.hstack([rng.uniform(0, 1, (width, half)), rng.normal(0, 0.5, (width, half))])


def _network(graph: Graph, samples: Floats) -> _Network:
    layers = layers_of(graph)
    values: dict[int, Floats] = {INPUT: samples}
    preactivations: list[Floats] = []
    for number, layer in enumerate(layers):
        z = np.repeat(layer.bias.approximate[:, None], samples.shape[1], axis=1)
        for source, weight in layer.blocks.items():
            z += weight.approximate @ values[source]
        preactivations.append(z)
        values[number] = np.maximum(z, 0.0)
    return _Network(layers, tuple(preactivations))


def _identity(original: _Network, compressed: _Network) -> _Matching | None:
    """Return the matching that leaves all in place, if widths and connections are the same."""
    shapes = [
        [(layer.width, tuple(layer.blocks)) for layer in network.layers]
        for network in (original, compressed)
    ]
    if shapes[0] != shapes[1]:
        return None
    pairs = {k: _in_place(layer.width) for k, layer in enumerate(original.layers)}
    return _Matching({k: k for k in (INPUT, *pairs)}, pairs)


def _in_place(width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.arange(width), np.arange(width)


def _match(original: _Network, compressed: _Network) -> _Matching:
    target = _align(original, compressed) | {INPUT: INPUT, original.depth: compressed.depth}
    empty = np.zeros(0, dtype=np.int64)
    pairs: Pairs = dict.fromkeys(range(original.depth), (empty, empty))
    pairs[original.depth] = _in_place(original.layers[-1].width)
    matching = _Matching(target, pairs)
    for round_number in range(_ROUNDS):
        before = dict(pairs)
        for layer in sorted(set(target) - {INPUT, original.depth}):
            parts = [
                _activation_similarity(original, compressed, layer, target[layer]),
                _similarity(*_incoming(original, compressed, matching, layer)),
            ]
            if round_number:
                parts.append(_similarity(*_outgoing(original, compressed, matching, layer)))
            similarity = np.mean(parts, axis=0)
            rows, columns = linear_sum_assignment(similarity, maximize=True)
            # In the first round the layers after depend on every pair, sure or not.
            sure = similarity[rows, columns] >= (_RESEMBLES if round_number else 0.0)
            pairs[layer] = rows[sure], columns[sure]
        if round_number and all(np.array_equal(before[k], pairs[k]) for k in pairs):
            break
    return matching


def _align(original: _Network, compressed: _Network) -> dict[int, int]:
    """Pair layers in order: all if there are as many, else those whose preactivations agree."""
    if original.depth == compressed.depth:
        return {layer: layer for layer in range(original.depth)}
    gains = np.zeros((original.depth, compressed.depth))
    for row, column in np.ndindex(gains.shape):
        similarity = _activation_similarity(original, compressed, row, column)
        found = similarity[linear_sum_assignment(similarity, maximize=True)]
        gains[row, column] = found.mean() if found.mean() >= _ALIGNS else 0.0
    best = np.zeros((original.depth + 1, compressed.depth + 1))
    for row, column in np.ndindex(gains.shape):
        take = best[row, column] + gains[row, column]
        best[row + 1, column + 1] = max(best[row, column + 1], best[row + 1, column], take)
    aligned: dict[int, int] = {}
    row, column = gains.shape
    while row and column:
        if best[row, column] == best[row - 1, column]:
            row -= 1
        elif best[row, column] == best[row, column - 1]:
            column -= 1
        else:
            row, column = row - 1, column - 1
            aligned[row] = column
    return aligned


def _activation_similarity(
    original: _Network, compressed: _Network, layer: int, target: int
) -> Floats:
    return _similarity(original.preactivations[layer], compressed.preactivations[target])


def _similarity(left: Floats, right: Floats) -> Floats:
    """Return the similarity of each row of ``left`` with each row of ``right``."""
    squares = np.square(left).sum(axis=1)[:, None], np.square(right).sum(axis=1)[None, :]
    distance = np.sqrt(np.maximum(squares[0] + squares[1] - 2.0 * (left @ right.T), 0.0))
    return _one_minus_ratio(distance, np.sqrt(squares[0]) + np.sqrt(squares[1]))


def _one_minus_ratio(distance: Floats, size: Floats) -> Floats:
    ratio = np.divide(distance, size, out=np.zeros_like(distance), where=size > 0)
    return 1.0 - np.minimum(ratio, 1.0)


def _incoming(
    original: _Network, compressed: _Network, matching: _Matching, layer: int
) -> tuple[Floats, Floats]:
    """Return incoming weights and bias of all neurons, with columns paired."""
    ours, theirs = original.layers[layer], compressed.layers[matching.target[layer]]
    left, right = [ours.bias.approximate[:, None]], [theirs.bias.approximate[:, None]]
    for source, target in matching.target.items():
        if source >= layer or not (source in ours.blocks or target in theirs.blocks):
            continue
        columns = matching.pairs.get(source)
        left.append(_columns(ours, source, None if columns is None else columns[0]))
        right.append(_columns(theirs, target, None if columns is None else columns[1]))
    return _joined(left, right)


def _outgoing(
    original: _Network, compressed: _Network, matching: _Matching, layer: int
) -> tuple[Floats, Floats]:
    """Return outgoing weights of all neurons, with the rows of the layers after paired."""
    left, right = [], []
    target = matching.target[layer]
    for reader, (rows, partners) in matching.pairs.items():
        if reader not in matching.target:
            continue
        ours, theirs = original.layers[reader], compressed.layers[matching.target[reader]]
        if layer in ours.blocks and target in theirs.blocks:
            left.append(ours.blocks[layer].approximate[rows].T)
            right.append(theirs.blocks[target].approximate[partners].T)
    if not left:
        widths = original.layers[layer].width, compressed.layers[target].width
        return np.zeros((widths[0], 1)), np.zeros((widths[1], 1))
    return _joined(left, right)


def _joined(left: list[Floats], right: list[Floats]) -> tuple[Floats, Floats]:
    shared = [
        (a, b) if a.shape[1] == b.shape[1] else _padded(a, b)
        for a, b in zip(left, right, strict=True)
    ]
    return np.hstack([a for a, _ in shared]), np.hstack([b for _, b in shared])


def _padded(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Fill up the side that does not read a source at all: its weights there are 0."""
    width = max(left.shape[1], right.shape[1])
    return (
        left if left.shape[1] else np.zeros((left.shape[0], width)),
        right if right.shape[1] else np.zeros((right.shape[0], width)),
    )


def _columns(layer: Layer, source: int, chosen: NDArray[np.int64] | None) -> Floats:
    """Return the weights from a source: some columns, or all; none if it is not read."""
    if source not in layer.blocks:
        return np.zeros((layer.width, 0))
    block = layer.blocks[source].approximate
    return block if chosen is None else block[:, chosen]


def _confidence(original: _Network, compressed: _Network, matching: _Matching) -> float:
    """Return the mean similarity of the compressed network's neurons with their partners."""
    total = 0.0
    for layer in set(matching.target) - {INPUT, original.depth}:
        rows, partners = matching.pairs[layer]
        target = matching.target[layer]
        weights = _incoming(original, compressed, matching, layer)
        runs = original.preactivations[layer], compressed.preactivations[target]
        for left, right in (weights, runs):
            a, b = left[rows], right[partners]
            size = np.linalg.norm(a, axis=1) + np.linalg.norm(b, axis=1)
            total += float(_one_minus_ratio(np.linalg.norm(a - b, axis=1), size).sum()) / 2.0
    count = sum(layer.width for layer in compressed.layers[:-1])
    return total / count if count else 1.0


def _as_map(
    original: _Network, compressed: _Network, matching: _Matching, confidence: float
) -> NeuronMap:
    kept = {
        Neuron(layer, int(a)): Neuron(matching.target[layer], int(b))
        for layer in sorted(set(matching.target) - {INPUT, original.depth})
        for a, b in zip(*matching.pairs[layer], strict=True)
    }
    removed = folded_constants(original.layers, compressed.layers, matching.target, kept)
    return NeuronMap(kept, removed, source="inferred", confidence=confidence)
