# SPDX-License-Identifier: Apache-2.0
"""The network as an immutable graph of operators in topological order.

Invariants, checked when a graph is made:

  * node 0 is the only ``Input``; every other node's inputs come before it;
  * widths fit: each weight matrix is (node width, input width), a Relu is as wide as its input;
  * the last node is the output.

A graph is in *normal form* when every Relu reads an Affine that nothing else reads, every Affine
reads only the Input and Relus, and the output is an Affine (``passes/normalize.py`` makes it so).
Search, bounds, proofs and certificates work on the normal form: it is a stack of ReLU layers with
skip edges, and a *neuron* is one entry of one Relu.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from verifier.ir.operators import Affine, Input, Operator, Relu


class Neuron(NamedTuple):
    """One ReLU: its layer counts Relu nodes in graph order from 0, its index counts entries."""

    layer: int
    index: int  # type: ignore[assignment]  # It hides tuple.index, which no neuron needs.


@dataclass(frozen=True, eq=False)
class Node:
    """One operator with its place in the graph.

    Attributes:
        name: The name in the source file, for messages.
        operator: What it computes.
        inputs: Positions of its input nodes in ``Graph.nodes``.
        width: Number of entries of its (flattened) value.
    """

    name: str
    operator: Operator
    inputs: tuple[int, ...]
    width: int


@dataclass(frozen=True, eq=False)
class Graph:
    """A network.

    Attributes:
        nodes: In topological order; the first is the input, the last is the output.
        input_name: Name of the ONNX input.
        output_name: Name of the ONNX output.
        input_shape: Declared shape with every free batch axis set to 1; its product is the width.
        output_shape: The same for the output.
    """

    nodes: tuple[Node, ...]
    input_name: str = "input"
    output_name: str = "output"
    input_shape: tuple[int, ...] = ()
    output_shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check the invariants."""
        if not self.nodes or not isinstance(self.nodes[0].operator, Input):
            msg = "a graph starts with its Input node"
            raise ValueError(msg)
        for position, node in enumerate(self.nodes):
            _check(self.nodes, position, node)
        if not self.input_shape:
            object.__setattr__(self, "input_shape", (1, self.input_width))
        if not self.output_shape:
            object.__setattr__(self, "output_shape", (1, self.output_width))

    @property
    def input_width(self) -> int:
        """Number of input entries."""
        return self.nodes[0].width

    @property
    def output_width(self) -> int:
        """Number of output entries."""
        return self.nodes[-1].width

    @cached_property
    def relus(self) -> tuple[int, ...]:
        """Positions of the Relu nodes: ``relus[layer]`` is the node of that layer."""
        return tuple(i for i, node in enumerate(self.nodes) if isinstance(node.operator, Relu))

    @property
    def layer_widths(self) -> tuple[int, ...]:
        """Number of neurons of each ReLU layer."""
        return tuple(self.nodes[i].width for i in self.relus)

    @property
    def neuron_count(self) -> int:
        """Number of ReLUs."""
        return sum(self.layer_widths)


def _check(nodes: tuple[Node, ...], position: int, node: Node) -> None:
    if any(not 0 <= i < position for i in node.inputs):
        msg = f"node {node.name!r} at position {position} reads {node.inputs}: not all before it"
        raise ValueError(msg)
    widths = [nodes[i].width for i in node.inputs]
    match node.operator:
        case Input():
            fits = position == 0 and not widths
        case Affine(weights, bias):
            shapes = [weight.shape for weight in weights]
            fits = shapes == [(node.width, w) for w in widths] and bias.shape == (node.width,)
        case Relu():
            fits = widths == [node.width]
    if not fits:
        msg = f"node {node.name!r}: width {node.width} does not fit its inputs' widths {widths}"
        raise ValueError(msg)
