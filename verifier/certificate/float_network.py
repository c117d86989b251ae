# SPDX-License-Identifier: Apache-2.0
"""The network in float64, and what rounding may do to it.

Integers decide what a certificate is worth (``region_bounds``), but most cores are refuted by more
than rounding could ever make up for. So float64 looks at all of them first and tells which are
refuted *whatever it rounded*; only what it leaves open goes to the integers. Filters of this kind
are how exact geometry is made fast (Fortune and Van Wyk 1993; Shewchuk 1997).

Everything rests on one fact (Higham 2002, theorem 3.1 and its remarks): a sum of ``n`` products,
added in any order, with fused steps or without, is off by at most

    gamma_n * (the sum of the magnitudes of the products),  gamma_n = n u / (1 - n u), u = 2**-53,

unless something under- or overflows. From it follows all that is charged to a bound:

  * ``epsilon``, four times what rounding each of the network's sums and its weights can do. The
    charges are computed in float64 as well, which takes a vanishing part of that;
  * ``UNDERFLOW``, far above what products lose that are below the smallest normal number, even
    where the processor replaces them by 0. Magnitudes of at most ``MOST`` and sums of at most
    ``MOST_TERMS`` products keep that below ``2**-850``;
  * an overflow leaves an infinity or a NaN in the bound or in what is charged, as nothing here
    divides by a coefficient: such a bound counts for nothing.

What exceeds these limits is refused here or by ``float_regions``, and goes to the integers.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verifier.certificate.values import Number
    from verifier.ir.graph import Graph
    from verifier.spec.property import Case

    Floats = NDArray[np.float64]

MOST = 2.0**80
MOST_TERMS = 1 << 20
UNDERFLOW = 2.0**-800

INPUT = 0  # Anchors: the input is 0, ReLU layer j is j + 1.


class BeyondFloatsError(ArithmeticError):
    """A network, property or box has numbers that the error bounds here do not cover."""


@dataclass(frozen=True, eq=False)
class FloatEdge:
    """What an affine layer reads of one source.

    Attributes:
        anchor: The source.
        weights: The float64 nearest to each weight, neurons by entries of the source.
    """

    anchor: int
    weights: Floats

    @cached_property
    def by_sign(self) -> Floats:
        """The positive weights, and the negative ones beside them."""
        return np.hstack([np.maximum(self.weights, 0.0), np.minimum(self.weights, 0.0)])

    @cached_property
    def sizes(self) -> Floats:
        """The magnitudes of the weights."""
        return np.abs(self.weights)


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """An affine layer.

    Attributes:
        edges: What it reads; no source twice.
        bias: The float64 nearest to each bias.
    """

    edges: tuple[FloatEdge, ...]
    bias: Floats

    @property
    def terms(self) -> int:
        """How many products a value of the layer is the sum of, its bias included."""
        return 1 + sum(len(edge.weights[0]) for edge in self.edges)


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """A network in float64.

    Attributes:
        graph: The network, in normal form.
        layers: The affine layers that ReLUs read.
        epsilon: What is charged for rounding, relative to the magnitudes that are summed.
    """

    graph: Graph
    layers: tuple[FloatLayer, ...]
    epsilon: float

    def case_layer(self, case: Case) -> FloatLayer:
        """Return the left sides ``outputs . y + inputs . x - bound`` as a layer.

        Raises:
            BeyondFloatsError: Some number is too large.
        """
        graph, rows = self.graph, case.constraints
        outputs = _matrix([row.outputs for row in rows], graph.output_width)
        bounds = RationalArray.from_fractions([-row.bound for row in rows], (len(rows),))
        last = graph.nodes[-1]
        affine = _affine(graph, len(graph.nodes) - 1)
        weights = {
            _anchor(graph, position): outputs @ weight
            for position, weight in zip(last.inputs, affine.weights, strict=True)
        }
        if any(row.inputs for row in rows):
            direct = _matrix([row.inputs for row in rows], graph.input_width)
            weights[INPUT] = weights[INPUT] + direct if INPUT in weights else direct
        return _layer(weights, outputs @ affine.bias + bounds)


def float_network(graph: Graph) -> FloatNetwork:
    """Return the network in float64.

    Args:
        graph: A graph in normal form.

    Raises:
        BeyondFloatsError: A weight is too large, or a layer too wide.
    """
    layers = []
    for relu in graph.relus:
        position = graph.nodes[relu].inputs[0]
        affine = _affine(graph, position)
        anchors = [_anchor(graph, source) for source in graph.nodes[position].inputs]
        layers.append(_layer(dict(zip(anchors, affine.weights, strict=True)), affine.bias))
    # Sums run over a layer's sources, over its neurons, or over parts of a constant.
    last = 1 + sum(graph.nodes[i].width for i in graph.nodes[-1].inputs) + graph.input_width
    parts = 4 * (len(layers) + 2)
    longest = max([last, *graph.layer_widths, *(layer.terms for layer in layers)])
    if longest + parts > MOST_TERMS:
        msg = f"sums of {longest} products"
        raise BeyondFloatsError(msg)
    return FloatNetwork(graph, tuple(layers), (longest + parts + 64) * 2.0**-51)


def nearest(value: Number) -> float:
    """Return a float next to ``value``, infinity if it is too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def float_below(value: Fraction) -> float:
    """Return a float that is at most ``value``, and next to it."""
    found = nearest(value)
    if math.isinf(found):
        return sys.float_info.max if value > 0 else -math.inf
    return found if Fraction(found) <= value else math.nextafter(found, -math.inf)


def float_above(value: Fraction) -> float:
    """Return a float that is at least ``value``, and next to it."""
    return -float_below(-value)


def require_within_limits(values: Floats) -> None:
    """Check that every number may take part in bounds.

    Raises:
        BeyondFloatsError: One is larger than ``MOST``, or is none.
    """
    if not np.all(np.abs(values) <= MOST):
        msg = f"a number beyond {MOST}"
        raise BeyondFloatsError(msg)


def _layer(weights: dict[int, RationalArray], bias: RationalArray) -> FloatLayer:
    try:
        edges = tuple(FloatEdge(anchor, w.approximate) for anchor, w in weights.items())
        layer = FloatLayer(edges, bias.approximate)
    except OverflowError as error:
        msg = "a weight that no float64 is near to"
        raise BeyondFloatsError(msg) from error
    for values in (layer.bias, *(edge.weights for edge in edges)):
        require_within_limits(values)
    return layer


def _matrix(rows: list[tuple[tuple[int, Fraction], ...]], width: int) -> RationalArray:
    entries = [dict(row).get(i, Fraction(0)) for row in rows for i in range(width)]
    return RationalArray.from_fractions(entries, (len(rows), width))


def _affine(graph: Graph, position: int) -> Affine:
    operator = graph.nodes[position].operator
    if not isinstance(operator, Affine):
        msg = f"node {graph.nodes[position].name!r} is not affine: the graph is not in normal form"
        raise TypeError(msg)
    return operator


def _anchor(graph: Graph, position: int) -> int:
    return INPUT if position == 0 else graph.relus.index(position) + 1
