# SPDX-License-Identifier: Apache-2.0
"""Take neurons out of a network, and say exactly what was put in their place.

A neuron is a row of the Affine before its Relu and a column of every Affine that reads the Relu,
directly or by a skip edge. Removing it drops these. Folding first adds to each reader's bias what
the neuron contributes when its incoming weights are zero: ``column * ReLU(b)``.

With several neurons removed at once, each one's constant is its *original* bias, whatever was
folded into it from earlier layers: the reference is the original network with the incoming weights
of all of them set to zero, and there a removed neuron hears of no other neuron.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from compression.float_format import FloatFormat, smallest_format
from compression.rewriting import Place, round_tensor
from verifier.change.neuron_map import NeuronMap
from verifier.ir.graph import Graph, Neuron
from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet


@dataclass(frozen=True, eq=False)
class Removal:
    """A network without some of its neurons.

    Attributes:
        graph: The network.
        neuron_map: Each removed neuron has the constant preactivation that stands for it.
        largest_rounding: The largest change of a bias by rounding a folded sum.
        same_function: Whether the network provably computes what the original does.
    """

    graph: Graph
    neuron_map: NeuronMap
    largest_rounding: Fraction
    same_function: bool


def remove_neurons(graph: Graph, removed: AbstractSet[Neuron], *, fold: bool) -> Removal:
    """Remove neurons.

    Args:
        graph: In normal form.
        removed: Neurons of the graph; every layer keeps at least one.
        fold: Whether ``ReLU(bias)`` takes the place of a removed neuron's output, rather than 0.

    Raises:
        RefusedError: A folded bias is too large for the format of the network's numbers.
    """
    constants = {
        neuron: _affine_before(graph, neuron).bias.fraction(neuron.index) if fold else Fraction(0)
        for neuron in sorted(removed)
    }
    kept = _kept_indices(graph, removed)
    affines, rounding = restrict(graph, removed), Fraction(0)
    if any(constant > 0 for constant in constants.values()):
        affines, rounding = _fold(graph, affines, constants)
    nodes = tuple(
        replace(
            node,
            operator=affines.get(position, node.operator),
            width=len(_kept_rows(graph, position, kept)),
        )
        for position, node in enumerate(graph.nodes)
    )
    neuron_map = NeuronMap(
        {
            Neuron(layer, old): Neuron(layer, new)
            for layer, relu in enumerate(graph.relus)
            for new, old in enumerate(kept[relu])
        },
        constants,
    )
    same = rounding == 0 and all(_is_redundant(graph, n, c) for n, c in constants.items())
    return Removal(replace(graph, nodes=nodes), neuron_map, rounding, same)


def restrict(graph: Graph, removed: AbstractSet[Neuron]) -> dict[int, Affine]:
    """Return every Affine, by position, without the rows and columns of removed neurons."""
    kept = _kept_indices(graph, removed)
    restricted: dict[int, Affine] = {}
    for position, node in enumerate(graph.nodes):
        if isinstance(node.operator, Affine):
            rows = _kept_rows(graph, position, kept)
            weights = tuple(
                weight[np.ix_(rows, kept.get(source, range(weight.shape[1])))]
                for weight, source in zip(node.operator.weights, node.inputs, strict=True)
            )
            restricted[position] = Affine(weights, node.operator.bias[rows])
    return restricted


def _fold(
    graph: Graph, affines: Mapping[int, Affine], constants: Mapping[Neuron, Fraction]
) -> tuple[dict[int, Affine], Fraction]:
    """Add what positive constants contribute to the biases of those that read them.

    Returns:
        The Affines, by position, and the largest rounding of a bias.
    """
    target = smallest_format(graph)
    kept = _kept_indices(graph, constants.keys())
    folded: dict[int, Affine] = {}
    largest = Fraction(0)
    for position, affine in affines.items():
        node = graph.nodes[position]
        rows = _kept_rows(graph, position, kept)
        contribution = _contribution(graph, position, constants)
        if contribution is None:
            folded[position] = affine
            continue
        exact = affine.bias + contribution[rows]
        bias = exact if target is None else _rounded(exact, target, node.name)
        change = max((abs(d) for d in (bias - exact).fractions()), default=Fraction(0))
        largest = max(largest, change)
        folded[position] = Affine(affine.weights, bias.reduced())
    return folded, largest


def _contribution(
    graph: Graph, position: int, constants: Mapping[Neuron, Fraction]
) -> RationalArray | None:
    """Return what positive constants add to an Affine's value, or ``None`` if it reads none."""
    node = graph.nodes[position]
    total: RationalArray | None = None
    for weight, source in zip(_affine(graph, position).weights, node.inputs, strict=True):
        if source not in graph.relus:
            continue
        layer = graph.relus.index(source)
        active = [(n.index, c) for n, c in constants.items() if n.layer == layer and c > 0]
        if active:
            values = RationalArray.from_fractions([c for _, c in active], (len(active),))
            product = weight[:, [index for index, _ in active]] @ values
            total = product if total is None else total + product
    return total


def _rounded(bias: RationalArray, target: FloatFormat, node_name: str) -> RationalArray:
    return round_tensor(Place(node_name, "bias", is_bias=True), bias, target)


def _is_redundant(graph: Graph, neuron: Neuron, constant: Fraction) -> bool:
    """Return whether putting the constant in the neuron's place changes no output.

    It does not if nothing listens to the neuron, or if the neuron hears nothing, so that it is
    ``ReLU(bias)`` for every input, and the constant's ReLU is that number.
    """
    relu = graph.relus[neuron.layer]
    before = _affine_before(graph, neuron)
    outgoing = [
        weight[:, [neuron.index]]
        for node in graph.nodes
        if isinstance(node.operator, Affine)
        for weight, source in zip(node.operator.weights, node.inputs, strict=True)
        if source == relu
    ]
    if not any(column.numerators.any() for column in outgoing):
        return True
    incoming = [weight[neuron.index] for weight in before.weights]
    constant_now = max(before.bias.fraction(neuron.index), Fraction(0))
    return not any(row.numerators.any() for row in incoming) and constant_now == max(
        constant, Fraction(0)
    )


def _kept_indices(graph: Graph, removed: AbstractSet[Neuron]) -> dict[int, list[int]]:
    """Return for the position of every Relu the indices that stay, ascending."""
    return {
        relu: [i for i in range(width) if Neuron(layer, i) not in removed]
        for layer, (relu, width) in enumerate(zip(graph.relus, graph.layer_widths, strict=True))
    }


def _kept_rows(graph: Graph, position: int, kept: Mapping[int, list[int]]) -> list[int]:
    """Return the entries of a node's value that stay."""
    readers = [relu for relu in graph.relus if graph.nodes[relu].inputs[0] == position]
    if position in kept or readers:
        return kept[readers[0] if readers else position]
    return list(range(graph.nodes[position].width))


def _affine_before(graph: Graph, neuron: Neuron) -> Affine:
    return _affine(graph, graph.nodes[graph.relus[neuron.layer]].inputs[0])


def _affine(graph: Graph, position: int) -> Affine:
    operator = graph.nodes[position].operator
    if not isinstance(operator, Affine):  # Ruled out by the normal form.
        msg = f"node {graph.nodes[position].name!r} is no Affine"
        raise TypeError(msg)
    return operator
