# SPDX-License-Identifier: Apache-2.0
"""Random changes of a network: every compression method, and what nobody would call compression.

A change is data (its kind, its seed), so that a failing case can be written down, simplified and
run again. The maps come along: the true one, and arbitrary ones, which must never matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.random_networks import random_network
from compression.registry import METHODS, make_method
from verifier.change.match import infer_map
from verifier.change.neuron_map import NeuronMap
from verifier.errors import RefusedError, UsageError
from verifier.ir.graph import Graph, Neuron
from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.random import Generator


class ChangeKind(StrEnum):
    """What happens to a network."""

    COMPRESS = "compress"
    PERTURB = "perturb"
    PERMUTE = "permute"
    REPLACE = "replace"


@dataclass(frozen=True)
class Change:
    """A step from one network to the next.

    Attributes:
        kind: What happens.
        seed: Of its chances.
        method: The compression method, if it is one.
        options: Its options.
    """

    kind: ChangeKind
    seed: int
    method: str = ""
    options: tuple[str, ...] = ()

    def apply(self, graph: Graph) -> tuple[Graph, NeuronMap] | None:
        """Return the next network and the map to it, or nothing where the change is refused."""
        rng = np.random.default_rng(self.seed)
        match self.kind:
            case ChangeKind.COMPRESS:
                try:
                    result = make_method(self.method, self.options).apply(graph)
                except (UsageError, RefusedError):
                    return None  # A layer would be empty, or a number too large for the format.
                return result.graph, result.neuron_map
            case ChangeKind.PERTURB:
                return _perturbed(rng, graph), NeuronMap.identity(graph)
            case ChangeKind.PERMUTE:
                return _permuted(rng, graph)
            case ChangeKind.REPLACE:
                other = random_network(rng, (graph.input_width, graph.output_width))
                return other, infer_map(graph, other)


def random_change(rng: Generator) -> Change:
    """Return a change, mostly a compression."""
    kind = list(ChangeKind)[int(rng.choice(4, p=[0.75, 0.12, 0.08, 0.05]))]
    seed = int(rng.integers(2**31))
    if kind is not ChangeKind.COMPRESS:
        return Change(kind, seed)
    method = str(rng.choice(sorted(METHODS)))
    chosen = {key: str(rng.choice(values)) for key, values in _OPTIONS[method].items()}
    options = tuple(f"{key}={value}" for key, value in chosen.items())
    if method == "neuron_pruning":
        # Exactly one of the two says how many.
        drop = "fraction=" if rng.random() < 0.6 else "count="
        options = tuple(option for option in options if not option.startswith(drop))
    return Change(kind, seed, method, options)


_OPTIONS: Mapping[str, Mapping[str, list[str]]] = {
    "fixed_point": {
        "total_bits": ["2", "3", "4", "6", "8", "12", "16", "24"],
        "fraction_bits": ["auto", "auto", "2", "8"],
        "rounding": ["nearest", "truncate", "floor"],
        "biases": ["keep", "quantise"],
    },
    "float_rounding": {"format": ["float16", "bfloat16", "float32"]},
    "integer_quantisation": {
        "bits": ["2", "3", "4", "6", "8", "12", "16"],
        "granularity": ["tensor", "channel"],
        "symmetry": ["symmetric", "asymmetric"],
        "scale": ["short", "power_of_two", "float32"],
        "rounding": ["nearest", "truncate", "floor"],
        "biases": ["keep", "quantise"],
    },
    "magnitude_pruning": {
        "sparsity": ["0.05", "0.1", "0.2", "1/3", "0.5", "0.8"],
        "scope": ["layer", "global"],
    },
    "neuron_pruning": {
        "count": ["1", "1", "2", "3"],
        "fraction": ["0.1", "0.25", "0.5"],
        "scope": ["layer", "global", "global"],
        "norm": ["l1", "l2"],
        "score": ["incoming", "outgoing", "product"],
        "constant": ["zero", "fold"],
    },
}


def random_map(rng: Generator, original: Graph, compressed: Graph) -> NeuronMap:
    """Return a map that knows nothing: some neurons go anywhere, some are constants, some lost."""
    sources, targets = _neurons(original), _neurons(compressed)
    order = [targets[int(i)] for i in rng.permutation(len(targets))]
    kept: dict[Neuron, Neuron] = {}
    removed: dict[Neuron, Fraction] = {}
    for number in rng.permutation(len(sources)):
        source = sources[int(number)]
        chance = rng.random()
        if chance < 0.7 and order:
            kept[source] = order.pop()
        elif chance < 0.9:
            removed[source] = Fraction(int(rng.integers(-2, 3)), 2)
    return NeuronMap(kept, removed)


def _neurons(graph: Graph) -> list[Neuron]:
    return [Neuron(k, i) for k, width in enumerate(graph.layer_widths) for i in range(width)]


def _perturbed(rng: Generator, graph: Graph) -> Graph:
    """Move every weight and bias a little, or a lot, as training goes on."""
    scale = 2.0 ** rng.integers(-12, 1)

    def moved(array: RationalArray) -> RationalArray:
        noise = 1.0 + scale * rng.standard_normal(array.shape)
        factors = [Fraction(float(np.float32(f))) for f in noise.ravel()]
        entries = [v * f for v, f in zip(array.fractions(), factors, strict=True)]
        return RationalArray.from_fractions(entries, array.shape)

    nodes = tuple(
        replace(node, operator=Affine(tuple(map(moved, weights)), moved(bias)))
        if isinstance(node.operator, Affine)
        and (weights := node.operator.weights)
        and (bias := node.operator.bias)
        else node
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)


def _permuted(rng: Generator, graph: Graph) -> tuple[Graph, NeuronMap]:
    """Shuffle the neurons of every layer: the same function."""
    order = {
        relu: [int(i) for i in rng.permutation(width)]
        for relu, width in zip(graph.relus, graph.layer_widths, strict=True)
    }
    rows = {graph.nodes[relu].inputs[0]: shuffled for relu, shuffled in order.items()}
    nodes = []
    for position, node in enumerate(graph.nodes):
        if isinstance(node.operator, Affine):
            own = rows.get(position, list(range(node.width)))
            weights = tuple(
                weight[np.ix_(own, order.get(source, range(weight.shape[1])))]
                for weight, source in zip(node.operator.weights, node.inputs, strict=True)
            )
            nodes.append(replace(node, operator=Affine(weights, node.operator.bias[own])))
        else:
            nodes.append(node)
    kept = {
        Neuron(layer, old): Neuron(layer, new)
        for layer, relu in enumerate(graph.relus)
        for new, old in enumerate(order[relu])
    }
    return replace(graph, nodes=tuple(nodes)), NeuronMap(kept, {})
