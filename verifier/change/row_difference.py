# SPDX-License-Identifier: Apache-2.0
"""The incoming weights of paired neurons, compared: exactly where it says *whether*.

The columns of a compressed layer are first brought into the order of the original's, by the neuron
map; a source without a partner has a column of zeros that is marked as lost. Two entries ``a / p``
and ``b / q`` are equal if ``a q = b p`` in integers, so no rounding hides a change or invents one.

A bias that absorbed the constants of removed neurons is expected to be ``b + sum w max(c, 0)``.
Only there a few float32 roundings are forgiven, because the tool that folded them rounded too.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from verifier.change.layers import INPUT, Layer
from verifier.ir.graph import Neuron

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    from verifier.change.neuron_map import NeuronMap

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

_FOLDING_ERROR = 16 * float(np.finfo(np.float32).eps)
# Shorter rows have few distinct weights by chance.
_LONG_ROW = 8


@dataclass(frozen=True)
class RowDifference:
    """How one neuron's row, with its bias, differs from its partner's.

    Attributes:
        partner: The neuron of the compressed network, or the output.
        reads_touched: Whether it reads a neuron that computes something else now.
        changed: Connections with another weight, not 0.
        zeroed: Connections whose weight became 0.
        lost: Connections from neurons without partner.
        added: Connections from compressed neurons that nothing maps to.
        bias_changed: Whether the bias is another than folded constants explain.
        became_stuck: Whether the partner is constant, or read by nothing, and the neuron was not.
        max_change: Largest absolute change of a kept weight or the bias.
        norm_change: Euclidean norm of those changes.
        relative_change: The same over the root mean square norm of the layer's rows.
    """

    partner: Neuron
    reads_touched: bool
    changed: int
    zeroed: int
    lost: int
    added: int
    bias_changed: bool
    became_stuck: bool
    max_change: float
    norm_change: float
    relative_change: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two networks and the map between their neurons.

    Attributes:
        ours: Layers of the original, the output last.
        theirs: Layers of the compressed network, the output last.
        neuron_map: From the former to the latter.
    """

    ours: Sequence[Layer]
    theirs: Sequence[Layer]
    neuron_map: NeuronMap

    def partners(self, number: int) -> dict[int, Neuron]:
        """Return the partner of each neuron of a layer that has one; outputs stay in place."""
        if number == len(self.ours) - 1:
            last = len(self.theirs) - 1
            return {index: Neuron(last, index) for index in range(self.theirs[last].width)}
        kept = self.neuron_map.kept
        own = (Neuron(number, index) for index in range(self.ours[number].width))
        return {neuron.index: kept[neuron] for neuron in own if neuron in kept}

    def is_exhausted(self, number: int) -> bool:
        """Return whether the compressed layers that a layer maps to have no neuron to spare.

        An original neuron without partner was then removed; else it may be one that the map missed.
        """
        taken = set(self.neuron_map.kept.values())
        targets = {partner.layer for partner in self.partners(number).values()}
        return bool(targets) and all(
            Neuron(target, index) in taken
            for target in targets
            for index in range(self.theirs[target].width)
        )


@dataclass(frozen=True, eq=False)
class _Block:
    """Weights from one source to some rows, before and after, in the original's column order.

    Attributes:
        before: Object integers over ``denominators[0]``.
        after: Object integers over ``denominators[1]``; zeros where the column has no partner.
        sizes: The same two as floats.
        denominators: Of both.
        kept: Which columns have a partner.
        touched: Which columns are neurons that compute something else now.
    """

    before: NDArray[np.object_]
    after: NDArray[np.object_]
    sizes: tuple[Floats, Floats]
    denominators: tuple[int, int]
    kept: NDArray[np.bool_]
    touched: NDArray[np.bool_]


def compare_rows(
    comparison: Comparison, number: int, touched: AbstractSet[Neuron]
) -> dict[int, RowDifference]:
    """Compare the rows of one original layer with those of their partners.

    Args:
        comparison: The networks.
        number: Which layer; the output is the last.
        touched: Neurons of earlier layers that compute something else now.

    Returns:
        For each neuron with a partner, by its index.
    """
    partners = comparison.partners(number)
    found: dict[int, RowDifference] = {}
    for target in sorted({partner.layer for partner in partners.values()}):
        rows = [index for index, partner in partners.items() if partner.layer == target]
        paired = [partners[index].index for index in rows]
        blocks = list(_blocks(comparison, (number, target), (rows, paired), touched))
        found |= _differences(comparison, (number, target), (rows, paired), blocks)
    return found


def _blocks(
    comparison: Comparison,
    layers: tuple[int, int],
    rows: tuple[list[int], list[int]],
    touched: AbstractSet[Neuron],
) -> Iterator[_Block]:
    ours, theirs = comparison.ours[layers[0]], comparison.theirs[layers[1]]
    for source, block in ours.blocks.items():
        width = block.shape[1]
        shape = (len(rows[1]), width)
        after, sizes = np.zeros(shape, dtype=object), np.zeros(shape)
        partners = _column_partners(comparison, source, width)
        denominator = 1
        for read in {partner.layer for partner in partners.values()} & theirs.blocks.keys():
            columns = [c for c, partner in partners.items() if partner.layer == read]
            chosen = np.ix_(rows[1], [partners[c].index for c in columns])
            part = theirs.blocks[read]
            scale = np.lcm(denominator, part.denominator, dtype=object)
            after *= scale // denominator
            after[:, columns] = part.numerators[chosen] * (scale // part.denominator)
            sizes[:, columns] = part.approximate[chosen]
            denominator = int(scale)
        kept = np.zeros(width, dtype=np.bool_)
        kept[list(partners)] = True
        yield _Block(
            block.numerators[rows[0]],
            after,
            (block.approximate[rows[0]], sizes),
            (block.denominator, denominator),
            kept,
            np.array([Neuron(source, c) in touched for c in range(width)], dtype=np.bool_),
        )


def _column_partners(comparison: Comparison, source: int, width: int) -> dict[int, Neuron]:
    if source == INPUT:
        return {column: Neuron(INPUT, column) for column in range(width)}
    return comparison.partners(source)


def _differences(
    comparison: Comparison,
    layers: tuple[int, int],
    rows: tuple[list[int], list[int]],
    blocks: list[_Block],
) -> dict[int, RowDifference]:
    ours, theirs = comparison.ours[layers[0]], comparison.theirs[layers[1]]
    counts = _count(len(rows[0]), blocks)
    largest, norms = _sizes(
        ours.bias.approximate[rows[0]], theirs.bias.approximate[rows[1]], blocks
    )
    row_size = layer_norm(ours) / np.sqrt(ours.width)
    new_bias = _bias_changes(comparison, layers, rows)
    was_stuck = _stuck(comparison.ours, layers[0])[rows[0]]
    is_stuck = _stuck(comparison.theirs, layers[1])[rows[1]]
    nonzero = _nonzero_per_row(theirs)[rows[1]]
    return {
        index: RowDifference(
            partner=Neuron(layers[1], rows[1][k]),
            reads_touched=bool(counts.reads_touched[k]),
            changed=int(counts.changed[k]),
            zeroed=int(counts.zeroed[k]),
            lost=int(counts.lost[k]),
            added=int(nonzero[k] - counts.known[k]),
            bias_changed=bool(new_bias[k]),
            became_stuck=bool(is_stuck[k] and not was_stuck[k]),
            max_change=float(largest[k]),
            norm_change=float(norms[k]),
            relative_change=float(norms[k] / row_size) if row_size else float(norms[k] > 0),
        )
        for k, index in enumerate(rows[0])
    }


def _sizes(before: Floats, after: Floats, blocks: list[_Block]) -> tuple[Floats, Floats]:
    """Return the largest change and the norm of all changes of each row, with its bias."""
    largest, squares = np.abs(before - after), np.square(before - after)
    for block in blocks:
        change = np.where(block.kept, np.abs(block.sizes[0] - block.sizes[1]), 0.0)
        largest = np.maximum(largest, change.max(axis=1, initial=0.0))
        squares = squares + np.square(change).sum(axis=1)
    return largest, np.sqrt(squares)


class _Counts(NamedTuple):
    """For each row, connections by what became of them, as in ``RowDifference``.

    ``known`` are the partner's connections that an original connection maps to.
    """

    changed: Counts
    zeroed: Counts
    lost: Counts
    known: Counts
    reads_touched: NDArray[np.bool_]


def _count(row_count: int, blocks: list[_Block]) -> _Counts:
    changed, zeroed, lost, known = (np.zeros(row_count, dtype=np.int64) for _ in range(4))
    reads = np.zeros(row_count, dtype=np.bool_)
    for block in blocks:
        was, now = block.before != 0, block.after != 0
        same = _equal(block.before, block.after, block.denominators)
        changed += (~same & now).sum(axis=1)
        zeroed += (was & ~now & block.kept).sum(axis=1)
        lost += (was & ~block.kept).sum(axis=1)
        known += now.sum(axis=1)
        reads |= (was & block.touched).any(axis=1)
    return _Counts(changed, zeroed, lost, known, reads)


def _equal(
    left: NDArray[np.object_], right: NDArray[np.object_], denominators: tuple[int, int]
) -> NDArray[np.bool_]:
    if denominators[0] == denominators[1]:
        return np.asarray(left == right, dtype=np.bool_)
    return np.asarray(left * denominators[1] == right * denominators[0], dtype=np.bool_)


def _bias_changes(
    comparison: Comparison, layers: tuple[int, int], rows: tuple[list[int], list[int]]
) -> NDArray[np.bool_]:
    ours, theirs = comparison.ours[layers[0]], comparison.theirs[layers[1]]
    before, after = ours.bias, theirs.bias
    same = _equal(
        before.numerators[rows[0]],
        after.numerators[rows[1]],
        (before.denominator, after.denominator),
    )
    expected = before.approximate[rows[0]]
    size = np.abs(expected)
    for neuron, constant in comparison.neuron_map.removed.items():
        if neuron.layer in ours.blocks and constant > 0:
            weight = ours.blocks[neuron.layer].approximate[rows[0], neuron.index]
            folded = weight * float(constant)
            expected, size = expected + folded, size + np.abs(folded)
    explained = np.abs(expected - after.approximate[rows[1]]) <= _FOLDING_ERROR * size
    has_folded = size > np.abs(before.approximate[rows[0]])
    return np.asarray(~np.where(has_folded, explained, same), dtype=np.bool_)


def _stuck(layers: Sequence[Layer], number: int) -> NDArray[np.bool_]:
    """Return which neurons of a layer are constant, or read by nothing; never an output."""
    width = layers[number].width
    if number == len(layers) - 1:
        return np.zeros(width, dtype=np.bool_)
    is_read = np.zeros(width, dtype=np.bool_)
    for layer in layers:
        if number in layer.blocks:
            is_read |= (layer.blocks[number].numerators != 0).any(axis=0)
    return np.asarray((_nonzero_per_row(layers[number]) == 0) | ~is_read, dtype=np.bool_)


def _nonzero_per_row(layer: Layer) -> Counts:
    total = np.zeros(layer.width, dtype=np.int64)
    for block in layer.blocks.values():
        total += (block.numerators != 0).sum(axis=1)
    return total


def layer_norm(layer: Layer) -> float:
    """Return the Euclidean norm of a layer's weights and bias."""
    squares = [float(np.square(block.approximate).sum()) for block in layer.blocks.values()]
    return float(np.sqrt(sum(squares) + np.square(layer.bias.approximate).sum()))


def distinct_weights(layer: Layer) -> int:
    """Return how many different weights a layer has, counted exactly, over all its blocks."""
    values: set[tuple[int, int]] = set()
    for block in layer.blocks.values():
        reduced = block.reduced()
        values.update((int(n), reduced.denominator) for n in set(reduced.numerators.ravel()))
    return len(values) if len(layer.blocks) < 2 else len({Fraction(n, d) for n, d in values})


def is_ternary(layer: Layer) -> bool:
    """Return whether every row has only weights ``-a``, 0 and ``a``, for an ``a`` of its own."""
    rows = np.hstack([np.abs(block.approximate) for block in layer.blocks.values()])
    if rows.shape[1] < _LONG_ROW:
        return False
    top = rows.max(axis=1, keepdims=True)
    return bool(np.all((rows == 0) | (rows == top)))
