# SPDX-License-Identifier: Apache-2.0
"""Several networks as one, so that a property can speak of all of them.

The inputs of the networks are entries of one input vector, and may share entries; the output is
all their outputs in a row. Nodes stay as they are, so a network's layers follow those of the one
before it; only what reads the input gets columns for all of it. The same network at the same input
stands there once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.ir.graph import Graph, Node
from verifier.ir.operators import Affine, Input
from verifier.ir.passes.normalize import normalize
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Sequence


def product(graphs: Sequence[Graph], inputs: Sequence[Sequence[int]], width: int) -> Graph:
    """Return the networks side by side, in normal form.

    Args:
        graphs: The networks, at least one.
        inputs: For each network, which entry of the input vector each of its inputs is.
        width: Number of entries of the input vector.

    Raises:
        ValueError: A network has another number of inputs, or an entry does not exist.
    """
    nodes = [Node("input", Input(), (), width)]
    outputs: list[int] = []
    made: dict[tuple[Graph, tuple[int, ...]], int] = {}
    for graph, entries in zip(graphs, inputs, strict=True):
        if len(entries) != graph.input_width or not all(0 <= i < width for i in entries):
            msg = f"{len(entries)} entries of {width} are no input of {graph.input_width}"
            raise ValueError(msg)
        if (graph, tuple(entries)) in made:
            outputs.append(made[graph, tuple(entries)])
            continue
        places = {0: 0}
        for position, node in enumerate(graph.nodes[1:], start=1):
            places[position] = len(nodes)
            moved = replace(node, inputs=tuple(places[i] for i in node.inputs))
            nodes.append(_widened(moved, np.array(entries, dtype=np.intp), width))
        made[graph, tuple(entries)] = len(nodes) - 1
        outputs.append(len(nodes) - 1)
    nodes.append(_row(nodes, outputs))
    return normalize(Graph(tuple(nodes)))


def _widened(node: Node, entries: np.ndarray[tuple[int], np.dtype[np.intp]], width: int) -> Node:
    """Return the node with a column for every entry of the input vector where it reads that."""
    if not isinstance(node.operator, Affine):
        return node
    weights = [
        _scattered(weight, entries, width) if position == 0 else weight
        for weight, position in zip(node.operator.weights, node.inputs, strict=True)
    ]
    return replace(node, operator=replace(node.operator, weights=tuple(weights)))


def _scattered(
    weight: RationalArray, entries: np.ndarray[tuple[int], np.dtype[np.intp]], width: int
) -> RationalArray:
    columns = np.zeros((width, weight.shape[0]), dtype=object)
    # Two inputs may be one entry, so columns are added.
    np.add.at(columns, entries, weight.numerators.T)
    return RationalArray(columns.T, weight.denominator)


def _row(nodes: Sequence[Node], outputs: Sequence[int]) -> Node:
    """Return the node that has all outputs in a row."""
    widths = [nodes[i].width for i in outputs]
    total = sum(widths)
    weights: list[RationalArray] = []
    start = 0
    for width in widths:
        block = np.zeros((total, width), dtype=object)
        block[start + np.arange(width), np.arange(width)] = 1
        weights.append(RationalArray(block, 1))
        start += width
    bias = RationalArray.zeros((total,))
    return Node("outputs", Affine(tuple(weights), bias), tuple(outputs), total)
