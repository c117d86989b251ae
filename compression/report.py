# SPDX-License-Identifier: Apache-2.0
"""What a compression did, in numbers that are computed from the two networks and not from intent.

The weight delta of a node compares what both networks have: for removed neurons, the rows and
columns of those that were kept. It is computed exactly and only then turned into floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compression.neuron_removal import restrict
from compression.options import option_values
from verifier.ir.operators import Affine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compression.base import Method
    from verifier.change.neuron_map import NeuronMap
    from verifier.ir.graph import Graph, Node
    from verifier.ir.operators import Operator
    from verifier.ir.rational import RationalArray


class ChangeKind(StrEnum):
    """What a method does to the structure of a network."""

    WEIGHTS_ONLY = "K1"
    NEURONS_REMOVED = "K2"


class Exactness(StrEnum):
    """Whether the compressed network computes the same function."""

    NONE = "none"  # Not known to, and in general it does not.
    CERTIFIED = "certified"  # Proved to, on every input.


class WeightDelta(NamedTuple):
    """How far the weights and biases of one Affine node moved.

    Attributes:
        node: Its name.
        max_abs: Largest change of an entry.
        fro: Root of the sum of squared changes.
        nnz: Number of entries that changed.
    """

    node: str
    max_abs: float
    fro: float
    nnz: int


class Size(NamedTuple):
    """How large a network is.

    Attributes:
        layer_widths: Number of neurons of each ReLU layer.
        parameters: Entries of all weight matrices and biases.
        nonzero_parameters: Those that are not zero.
    """

    layer_widths: tuple[int, ...]
    parameters: int
    nonzero_parameters: int

    @classmethod
    def of(cls, graph: Graph) -> Size:
        """Measure a network."""
        tensors = [tensor for node in graph.nodes for tensor in _tensors(node.operator)]
        return cls(
            graph.layer_widths,
            sum(tensor.numerators.size for tensor in tensors),
            sum(int(np.count_nonzero(tensor.numerators)) for tensor in tensors),
        )


@dataclass(frozen=True)
class CompressionReport:
    """A compression, described.

    Attributes:
        method: The method's name.
        options: Its options, defaults included.
        kind: What it does to the structure.
        exactness: Whether the function stayed the same.
        weight_delta: One entry for each Affine node, in graph order.
        original_size: Size of the original.
        compressed_size: Size of the compressed network.
        bits_per_number: Bits that a weight is stored in; None where that stays as it was.
        details: What the method tells of each tensor or neuron, such as scales and formats.
    """

    method: str
    options: Mapping[str, str | int | None]
    kind: ChangeKind
    exactness: Exactness
    weight_delta: tuple[WeightDelta, ...]
    original_size: Size
    compressed_size: Size
    bits_per_number: int | None = None
    details: tuple[Mapping[str, object], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON has."""
        return {
            "method": self.method,
            "options": dict(self.options),
            "kind": self.kind.value,
            "exactness": self.exactness.value,
            "weight_delta": [delta._asdict() for delta in self.weight_delta],
            "sizes": {
                "original": _size_dict(self.original_size),
                "compressed": _size_dict(self.compressed_size),
            },
            "bits_per_number": self.bits_per_number,
            "details": [dict(detail) for detail in self.details],
        }


def report_weights_only(
    method: Method,
    original: Graph,
    compressed: Graph,
    details: tuple[Mapping[str, object], ...] = (),
) -> CompressionReport:
    """Describe a compression that kept every neuron."""
    deltas = tuple(
        _delta(old, old.operator, new.operator)
        for old, new in zip(original.nodes, compressed.nodes, strict=True)
        if isinstance(old.operator, Affine)
    )
    unchanged = all(delta.nnz == 0 for delta in deltas)
    return CompressionReport(
        method.name,
        option_values(method),
        ChangeKind.WEIGHTS_ONLY,
        Exactness.CERTIFIED if unchanged else Exactness.NONE,
        deltas,
        Size.of(original),
        Size.of(compressed),
        method.bits_per_number,
        details,
    )


def report_neurons_removed(
    method: Method,
    networks: tuple[Graph, Graph],
    neuron_map: NeuronMap,
    exactness: Exactness,
    details: tuple[Mapping[str, object], ...] = (),
) -> CompressionReport:
    """Describe a compression that removed neurons.

    Args:
        method: What was applied.
        networks: The original and the compressed network, node by node alike.
        neuron_map: Keeps the order of neurons within a layer.
        exactness: What the method can prove.
        details: What the method has to tell.
    """
    original, compressed = networks
    survivors = restrict(original, set(neuron_map.removed))
    deltas = tuple(
        _delta(original.nodes[position], affine, compressed.nodes[position].operator)
        for position, affine in survivors.items()
    )
    return CompressionReport(
        method.name,
        option_values(method),
        ChangeKind.NEURONS_REMOVED,
        exactness,
        deltas,
        Size.of(original),
        Size.of(compressed),
        method.bits_per_number,
        details,
    )


def _delta(node: Node, old: Operator, new: Operator) -> WeightDelta:
    parts: list[tuple[Fraction, float]] = []
    count = 0
    for before, after in zip(_tensors(old), _tensors(new), strict=True):
        difference = after - before
        changes = [abs(int(n)) for n in difference.numerators.flat if n]
        if changes:
            top = max(changes)
            # Relative to the largest, so that squares neither overflow nor vanish.
            squares = math.fsum((n / top) ** 2 for n in changes)
            parts.append((Fraction(top, difference.denominator), squares))
            count += len(changes)
    largest = max((top for top, _ in parts), default=Fraction(0))
    squares = math.fsum(s * float(top / largest) ** 2 for top, s in parts)
    return WeightDelta(node.name, float(largest), float(largest) * math.sqrt(squares), count)


def _tensors(operator: Operator) -> tuple[RationalArray, ...]:
    return (*operator.weights, operator.bias) if isinstance(operator, Affine) else ()


def _size_dict(size: Size) -> dict[str, Any]:
    return {**size._asdict(), "layer_widths": list(size.layer_widths)}
