# SPDX-License-Identifier: Apache-2.0
"""Bring a graph into normal form: one Affine, then one Relu, and skip edges.

    requires  any graph
    ensures   every Relu reads an Affine that nothing else reads; every Affine reads only the Input
              and Relus, each at most once and at least one; the output is an Affine; every node
              but the Input is needed for the output; the function computed is the same, exactly;
              the live Relus are the same, in the same order, with their entries in the same order
    changes   nothing in place: graphs are immutable, and the same graph comes back if it is fit

Each node's value is written as an affine expression over the *anchors*, which are the Input and
the Relus. A chain of Affines thereby fuses by exact matrix products; an Affine with two readers is
written out for each of them; a Relu that reads an anchor gets an identity Affine. The identity is
kept as a mark rather than a matrix, so anchors that are merely passed on cost nothing.

A Relu whose outgoing weights are all zero stays: compressed networks must keep the neurons that
their original has, and it is the pruning passes' business to remove them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.ir.graph import Graph, Node
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, eq=False)
class _Expression:
    """``sum_a terms[a] @ anchor a + bias``; the term ``None`` is the identity, bias ``None`` zero.

    The anchors are positions in the *new* graph.
    """

    terms: Mapping[int, RationalArray | None]
    bias: RationalArray | None


def is_normal_form(graph: Graph) -> bool:
    """Return whether the graph is in the normal form that ``verifier.ir.graph`` describes."""
    readers = [0] * len(graph.nodes)
    for node in graph.nodes:
        for position in node.inputs:
            readers[position] += 1
    operators = [node.operator for node in graph.nodes]
    for node in graph.nodes:
        read = [operators[i] for i in node.inputs]
        if isinstance(node.operator, Relu) and not (
            isinstance(read[0], Affine) and readers[node.inputs[0]] == 1
        ):
            return False
        if isinstance(node.operator, Affine) and (
            not read or any(isinstance(op, Affine) for op in read)
        ):
            return False
    return isinstance(operators[-1], Affine) and readers[-1] == 0


def normalize(graph: Graph) -> Graph:
    """Return the same function in normal form; the same object if nothing had to change."""
    live = _live(graph)
    duplicates = any(len(set(node.inputs)) != len(node.inputs) for node in graph.nodes)
    if len(live) == len(graph.nodes) and not duplicates and is_normal_form(graph):
        return graph
    nodes = [graph.nodes[0]]
    values: dict[int, _Expression] = {0: _Expression({0: None}, None)}
    for position, node in enumerate(graph.nodes):
        if position not in live:
            continue
        match node.operator:
            case Input():
                pass
            case Affine() as affine:
                values[position] = _compose(affine, [values[i] for i in node.inputs])
            case Relu():
                source = graph.nodes[node.inputs[0]]
                name = source.name if isinstance(source.operator, Affine) else f"{node.name}/in"
                nodes.append(_affine_node(name, node.width, values[node.inputs[0]], nodes[0].width))
                nodes.append(replace(node, inputs=(len(nodes) - 1,)))
                values[position] = _Expression({len(nodes) - 1: None}, None)
    last = graph.nodes[-1]
    name = last.name if isinstance(last.operator, Affine) else f"{last.name}/out"
    nodes.append(_affine_node(name, last.width, values[len(graph.nodes) - 1], nodes[0].width))
    return replace(graph, nodes=tuple(nodes))


def _live(graph: Graph) -> set[int]:
    """Return the nodes that the output needs, and the Input."""
    live = {0, len(graph.nodes) - 1}
    for position in range(len(graph.nodes) - 1, -1, -1):
        if position in live:
            live.update(graph.nodes[position].inputs)
    return live


def _compose(affine: Affine, inputs: list[_Expression]) -> _Expression:
    """Return the affine map applied to expressions, as one expression."""
    terms: dict[int, RationalArray | None] = {}
    bias = affine.bias
    for weight, expression in zip(affine.weights, inputs, strict=True):
        for anchor, matrix in expression.terms.items():
            product = weight if matrix is None else weight @ matrix
            present = terms.get(anchor)
            terms[anchor] = (product if present is None else present + product).reduced()
        if expression.bias is not None:
            bias = bias + weight @ expression.bias
    return _Expression(terms, bias.reduced())


def _affine_node(name: str, width: int, expression: _Expression, input_width: int) -> Node:
    # A constant reads the input with weight 0, so that no layer is without inputs.
    terms = expression.terms or {0: RationalArray.zeros((width, input_width))}
    anchors = sorted(terms)
    matrices = [terms[anchor] for anchor in anchors]
    weights = tuple(identity(width) if matrix is None else matrix for matrix in matrices)
    bias = RationalArray.zeros((width,)) if expression.bias is None else expression.bias
    return Node(name, Affine(weights, bias), tuple(anchors), width)


def identity(width: int) -> RationalArray:
    """Return the identity matrix of that width."""
    numerators = np.zeros((width, width), dtype=object)
    np.fill_diagonal(numerators, 1)
    return RationalArray(numerators, 1)
