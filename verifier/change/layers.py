# SPDX-License-Identifier: Apache-2.0
"""A normal-form network as its layers: which matrix each one applies to what.

Matching and classifying compare two networks layer by layer. Graph positions differ between them,
so a layer's sources are named by what they are: the input, or the ReLU layer of that number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.errors import UnsupportedError
from verifier.ir.operators import Affine
from verifier.ir.passes.normalize import is_normal_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier.ir.graph import Graph
    from verifier.ir.rational import RationalArray

# The source that is the network's input; ReLU layers count from 0.
INPUT = -1


@dataclass(frozen=True, eq=False)
class Layer:
    """The affine part of a ReLU layer, or of the output.

    Attributes:
        name: The node's name.
        blocks: For each source, by ascending number, the matrix from it to this layer.
        bias: One entry for each neuron.
    """

    name: str
    blocks: Mapping[int, RationalArray]
    bias: RationalArray

    @property
    def width(self) -> int:
        """Number of neurons, or of outputs."""
        return self.bias.shape[0]


def layers_of(graph: Graph) -> tuple[Layer, ...]:
    """Return the ReLU layers in order, and after them the output.

    Raises:
        UnsupportedError: The graph is not in normal form.
    """
    if not is_normal_form(graph):
        msg = "only networks in normal form are compared: pass them through normalize() first"
        raise UnsupportedError(msg)
    sources = {0: INPUT} | {position: layer for layer, position in enumerate(graph.relus)}
    positions = [graph.nodes[relu].inputs[0] for relu in graph.relus]
    return tuple(
        _layer(graph, position, sources) for position in [*positions, len(graph.nodes) - 1]
    )


def _layer(graph: Graph, position: int, sources: Mapping[int, int]) -> Layer:
    node = graph.nodes[position]
    if not isinstance(node.operator, Affine):
        msg = f"node {node.name!r} is {type(node.operator).__name__}, not Affine"
        raise TypeError(msg)
    blocks: dict[int, RationalArray] = {}
    for weight, read in zip(node.operator.weights, node.inputs, strict=True):
        source = sources[read]
        blocks[source] = blocks[source] + weight if source in blocks else weight
    return Layer(node.name, dict(sorted(blocks.items())), node.operator.bias)
