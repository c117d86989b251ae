# SPDX-License-Identifier: Apache-2.0
"""Variants of a network of which it is known what was done to them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.change.neuron_map import NeuronMap
from verifier.ir.graph import Graph, Neuron, Node
from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from fractions import Fraction


def rearranged(
    graph: Graph, order: Sequence[Sequence[int]], outputs: Mapping[Neuron, Fraction] | None = None
) -> tuple[Graph, NeuronMap]:
    """Keep these neurons of each layer, in this order; return the network and the true map.

    Args:
        graph: In normal form.
        order: For each layer, the original indices in their new order.
        outputs: The constant postactivation that takes the place of each removed neuron.
    """
    outputs = {} if outputs is None else outputs
    chosen: dict[int, list[int]] = {}
    for layer, relu in enumerate(graph.relus):
        chosen[relu] = chosen[graph.nodes[relu].inputs[0]] = list(order[layer])
    nodes = []
    for position, node in enumerate(graph.nodes):
        rows = chosen.get(position, list(range(node.width)))
        operator = node.operator
        if isinstance(operator, Affine):
            operator = _affine(graph, node, operator, (rows, chosen, outputs))
        nodes.append(replace(node, operator=operator, width=len(rows)))
    kept = {
        Neuron(layer, old): Neuron(layer, new)
        for layer, indices in enumerate(order)
        for new, old in enumerate(indices)
    }
    return Graph(tuple(nodes), graph.input_name, graph.output_name), NeuronMap(kept, dict(outputs))


def _affine(
    graph: Graph,
    node: Node,
    affine: Affine,
    plan: tuple[list[int], dict[int, list[int]], Mapping[Neuron, Fraction]],
) -> Affine:
    rows, chosen, outputs = plan
    weights = []
    bias = affine.bias
    for weight, source in zip(affine.weights, node.inputs, strict=True):
        columns = chosen.get(source, list(range(graph.nodes[source].width)))
        weights.append(weight[np.ix_(rows, columns)])
        for neuron, value in outputs.items():
            if graph.relus[neuron.layer] == source:
                column = weight[:, [neuron.index]]
                bias = bias + (column * RationalArray.from_fractions([value], (1, 1))).reshape(
                    bias.shape
                )
    return Affine(tuple(weights), bias[rows])


def edited(graph: Graph, layer: int, edit: Callable[[list[list[Fraction]]], None]) -> Graph:
    """Change the weights of one layer from the layer before it; the output is the last layer.

    Args:
        graph: In normal form.
        layer: Which one.
        edit: Changes the matrix, given as rows of fractions whose last entry is the bias.
    """
    positions = [graph.nodes[relu].inputs[0] for relu in graph.relus] + [len(graph.nodes) - 1]
    position = positions[layer]
    node = graph.nodes[position]
    affine = node.operator
    assert isinstance(affine, Affine)
    last = affine.weights[-1]
    rows = [
        [last.fraction(r, c) for c in range(last.shape[1])] + [affine.bias.fraction(r)]
        for r in range(node.width)
    ]
    edit(rows)
    weight = RationalArray.from_fractions([v for row in rows for v in row[:-1]], last.shape)
    bias = RationalArray.from_fractions([row[-1] for row in rows], (node.width,))
    changed = replace(node, operator=Affine((*affine.weights[:-1], weight), bias))
    nodes = (*graph.nodes[:position], changed, *graph.nodes[position + 1 :])
    return Graph(nodes, graph.input_name, graph.output_name)


def rounded(graph: Graph, to: type[np.float16 | np.float32]) -> Graph:
    """Round every weight and bias to another float format."""
    nodes = []
    for node in graph.nodes:
        operator = node.operator
        if isinstance(operator, Affine):
            operator = Affine(
                tuple(
                    RationalArray.from_floats(w.approximate.astype(to)) for w in operator.weights
                ),
                RationalArray.from_floats(operator.bias.approximate.astype(to)),
            )
        nodes.append(replace(node, operator=operator))
    return Graph(tuple(nodes), graph.input_name, graph.output_name)
