# SPDX-License-Identifier: Apache-2.0
"""Find out which constant stands in for a removed neuron, from the biases of its readers.

Removing a neuron whose output is replaced by the constant ``v`` adds ``w v`` to the bias of every
neuron that reads it with weight ``w``. So the differences of the biases, ``d``, and the weights of
the removed neurons, ``M``, give ``M v = d``. Three explanations are tried, simplest first:

  1. ``v = 0``: the neuron was simply cut off;
  2. ``v = max(b, 0)`` of its own bias ``b``: its incoming weights were pruned away before it was;
  3. the only solution of the system, if it is over-determined and of full rank (as for a mean
     activation folded into the biases).

An explanation counts if it is true up to float32 rounding for every reader; where none is, the
constant is unknown and the neuron is not reported. Weights changed on top of the removal usually
mean that: a guess would be worse than no entry.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from verifier.change.layers import INPUT, Layer
from verifier.ir.graph import Neuron

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# A few float32 roundings of a sum; folding is done in the width of the stored bias.
_ROUNDING = 16 * float(np.finfo(np.float32).eps)


def folded_constants(
    original: Sequence[Layer],
    compressed: Sequence[Layer],
    target: Mapping[int, int],
    kept: Mapping[Neuron, Neuron],
) -> dict[Neuron, Fraction]:
    """Return the constant preactivation of each removed neuron for which it can be determined.

    Args:
        original: Layers of the original, the output last.
        compressed: Layers of the compressed network, the output last.
        target: Original layer to compressed layer; only neurons of these layers are considered.
        kept: Original neuron to compressed neuron.
    """
    constants: dict[Neuron, Fraction] = {}
    for reader in sorted(set(target) - {INPUT}):
        ours, theirs = original[reader], compressed[target[reader]]
        rows, partners = _paired_rows(reader, len(original) - 1, ours.width, kept)
        gone = [n for n in _removed(original, target, kept, ours) if n not in constants]
        if not rows or not gone:
            continue
        delta = theirs.bias.approximate[partners] - ours.bias.approximate[rows]
        scale = np.abs(theirs.bias.approximate[partners]) + np.abs(ours.bias.approximate[rows])
        for neuron, constant in constants.items():
            if neuron.layer in ours.blocks:
                weight = ours.blocks[neuron.layer].approximate[rows, neuron.index]
                delta = delta - weight * max(float(constant), 0.0)
        weights = np.column_stack([ours.blocks[n.layer].approximate[rows, n.index] for n in gone])
        biases = [original[n.layer].bias.fraction(n.index) for n in gone]
        found = _explain(weights, delta, scale, biases)
        if found is not None:
            constants |= dict(zip(gone, found, strict=True))
    return constants


def _paired_rows(
    reader: int, output: int, width: int, kept: Mapping[Neuron, Neuron]
) -> tuple[list[int], list[int]]:
    if reader == output:
        return list(range(width)), list(range(width))
    neurons = [Neuron(reader, index) for index in range(width)]
    pairs = [(neuron.index, kept[neuron].index) for neuron in neurons if neuron in kept]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _removed(
    original: Sequence[Layer],
    target: Mapping[int, int],
    kept: Mapping[Neuron, Neuron],
    reader: Layer,
) -> Iterator[Neuron]:
    for source in reader.blocks:
        if source != INPUT and source in target:
            for index in range(original[source].width):
                if Neuron(source, index) not in kept:
                    yield Neuron(source, index)


def _explain(
    weights: Floats, delta: Floats, scale: Floats, biases: list[Fraction]
) -> list[Fraction] | None:
    def fits(values: Floats) -> bool:
        size = scale + np.abs(weights) @ np.abs(values)
        return bool(np.all(np.abs(weights @ values - delta) <= _ROUNDING * size))

    if fits(np.zeros(len(biases))):
        return [Fraction(0)] * len(biases)
    if fits(np.array([max(float(b), 0.0) for b in biases])):
        return biases
    if weights.shape[0] <= weights.shape[1]:
        return None
    least_squares, _, rank, _ = np.linalg.lstsq(weights, delta)
    solution = np.asarray(least_squares, dtype=np.float64)
    if rank < weights.shape[1] or not fits(solution) or np.any(solution < -_ROUNDING):
        return None
    return [Fraction(max(float(v), 0.0)) for v in solution]
