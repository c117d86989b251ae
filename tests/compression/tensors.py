# SPDX-License-Identifier: Apache-2.0
"""The numbers of a network, and networks made by hand, for the tests of compression."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tests.generators import stack
from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from fractions import Fraction

    from verifier.ir.graph import Graph, Neuron


def weights(graph: Graph) -> Iterator[RationalArray]:
    """Yield every weight matrix, in graph order."""
    for node in graph.nodes:
        if isinstance(node.operator, Affine):
            yield from node.operator.weights


def biases(graph: Graph) -> Iterator[RationalArray]:
    """Yield every bias, in graph order."""
    for node in graph.nodes:
        if isinstance(node.operator, Affine):
            yield node.operator.bias


def all_fractions(graph: Graph) -> list[Fraction]:
    """Return every number of the network, weights first."""
    return [f for tensor in (*weights(graph), *biases(graph)) for f in tensor.fractions()]


def masked(graph: Graph, neurons: Collection[Neuron], *, bias: bool) -> Graph:
    """Return the network with the incoming weights of some neurons zero, and maybe their bias."""
    nodes = list(graph.nodes)
    for layer, relu in enumerate(graph.relus):
        position = graph.nodes[relu].inputs[0]
        affine = nodes[position].operator
        assert isinstance(affine, Affine)
        rows = [n.index for n in neurons if n.layer == layer]
        matrices = tuple(without_rows(weight, rows) for weight in affine.weights)
        offset = without_rows(affine.bias, rows) if bias else affine.bias
        nodes[position] = replace(nodes[position], operator=Affine(matrices, offset))
    return replace(graph, nodes=tuple(nodes))


def without_rows(values: RationalArray, rows: list[int]) -> RationalArray:
    """Return the array with some rows zero."""
    numerators = np.array(values.numerators)
    numerators[rows] = 0
    return RationalArray(numerators, values.denominator)


def single_affine(matrix: list[list[Fraction]], bias: list[Fraction]) -> Graph:
    """Return a network that is one affine map."""
    values = {
        (len(matrix), len(matrix[0])): [v for row in matrix for v in row],
        (len(bias),): bias,
    }
    return stack(
        len(matrix[0]),
        [],
        len(matrix),
        lambda shape: RationalArray.from_fractions(values[shape], shape),
    )
