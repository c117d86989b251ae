# SPDX-License-Identifier: Apache-2.0
"""The float64 view of a network in normal form, as every bound reads it.

A normal-form graph is a stack of ReLU layers with skip edges. Layer ``k`` has the preactivation
``z_k = sum_s W_{k,s} y_s + b_k`` where the sources ``s`` are earlier layers or the input
(``INPUT``); ``y_s`` is the postactivation of layer ``s``. The output is one more affine layer.

Rounding. ``W`` and ``b`` are the float64 nearest to the exact values, so each entry is off by at
most a relative ``UNIT``. Bounds stay sound by subtracting a slack once at the end: ``error``, a
multiple of ``UNIT`` that grows with the number of terms, times the sum of magnitudes of all terms
(Higham 2002, section 3.1: a sum of n products in any order is off by at most
``gamma_n = n u / (1 - n u)`` times the sum of their magnitudes).

Underflow. A relative error says nothing of a product that is lost below the smallest float, and
a lost *coefficient* goes on to meet values of any size: three weights of 1e-120 lose the last of
a path that 1e300 enters. So wherever magnitudes are summed, each coefficient counts as ``TINY``
larger than it is: ``error * TINY`` is more than any number of such losses.

Overflow. Nothing here computes with values that may exceed ``HUGE``: they are refused at the
start (``magnitudes``, ``objective``), and a bound whose terms grow beyond it is given up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.kernel_data import Network
from verifier.errors import RefusedError, UnsupportedError
from verifier.ir.graph import Neuron
from verifier.ir.operators import Affine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction

    from numpy.typing import NDArray

    from verifier.ir.graph import Graph, Node
    from verifier.ir.rational import RationalArray

    Array = NDArray[np.float64]

INPUT = -1
"""The source that stands for the network's input."""

UNIT = 2.0**-53
"""Largest relative error of one rounding to float64."""

TINY = 2.0**-900
"""Stands for what underflow may lose. So far above the smallest float that ``UNIT * TINY`` is
still more than thousands of losses, even on a machine that flushes subnormals to zero."""

HUGE = 2.0**1000
"""Largest magnitude that bounds compute with: sums of many such values do not overflow."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One affine layer.

    Attributes:
        weights: Source to matrix of shape (width, source width).
        bias: Shape (width,).
    """

    weights: Mapping[int, Array]
    bias: Array

    @property
    def width(self) -> int:
        """Number of entries of the layer's value."""
        return len(self.bias)

    @cached_property
    def magnitudes(self) -> Mapping[int, Array]:
        """Source to ``|W|`` with ``TINY`` added, shape (width, source width)."""
        return {source: np.abs(weight) + TINY for source, weight in self.weights.items()}

    @cached_property
    def bias_magnitude(self) -> Array:
        """``|b|`` with ``TINY`` added, shape (width,)."""
        return np.abs(self.bias) + TINY


@dataclass(frozen=True, eq=False)
class Layers:
    """A network in normal form.

    Attributes:
        hidden: The affine map in front of each ReLU layer.
        output: The affine map that ends the network.
        input_width: Number of input entries.
        error: Relative error that covers any one bound computed on this network: many times
            ``UNIT`` times the longest chain of additions.
        compiled: Whether bounds are computed by ``kernels``, which take half a second to load.
        wide: Whether the network is treated as wide (ADR-0011): the bounds of a whole box are
            tightened, and those of a region are the box's, cut with its phases.
    """

    hidden: tuple[Layer, ...]
    output: Layer
    input_width: int
    error: float
    compiled: bool = False
    wide: bool = False

    @classmethod
    def of(cls, graph: Graph) -> Layers:
        """Return the layers of a graph in normal form.

        Raises:
            UnsupportedError: The graph is not in normal form.
        """
        source_of = {0: INPUT} | {node: layer for layer, node in enumerate(graph.relus)}
        hidden = tuple(
            _layer(graph.nodes[graph.nodes[node].inputs[0]], source_of) for node in graph.relus
        )
        output = _layer(graph.nodes[-1], source_of)
        terms = sum(layer.width for layer in hidden) + graph.input_width + output.width
        return cls(hidden, output, graph.input_width, 8 * (terms + 64) * UNIT)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons of each ReLU layer."""
        return tuple(layer.width for layer in self.hidden)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each ReLU layer's neurons are among all neurons."""
        ends = list(accumulate(self.widths, initial=0))
        return tuple(slice(start, end) for start, end in pairwise(ends))

    @cached_property
    def neurons(self) -> tuple[Neuron, ...]:
        """All neurons in the order in which they are numbered, layer after layer."""
        return tuple(Neuron(k, i) for k, width in enumerate(self.widths) for i in range(width))

    @cached_property
    def flat(self) -> Network:
        """The layers in front of ReLUs as compiled code reads them."""
        matrices = [weight for layer in self.hidden for weight in layer.weights.values()]
        return Network(
            place=_indices(accumulate([self.input_width, *self.widths], initial=0)),
            edges=_indices(accumulate((len(layer.weights) for layer in self.hidden), initial=0)),
            source=_indices(source + 1 for layer in self.hidden for source in layer.weights),
            matrix=_indices(accumulate((matrix.size for matrix in matrices), initial=0)),
            weights=np.concatenate([np.zeros(0), *(matrix.ravel() for matrix in matrices)]),
            transposed=np.concatenate([np.zeros(0), *(matrix.T.ravel() for matrix in matrices)]),
            bias=np.concatenate([np.zeros(0), *(layer.bias for layer in self.hidden)]),
            error=self.error,
        )

    def place(self, source: int) -> slice:
        """Return where a source is in a source vector: the input, then all neurons."""
        if source == INPUT:
            return slice(0, self.input_width)
        place = self.slices[source]
        return slice(self.input_width + place.start, self.input_width + place.stop)


def _indices(values: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(values), dtype=np.int64)


def _layer(node: Node, source_of: Mapping[int, int]) -> Layer:
    operator = node.operator
    if not isinstance(operator, Affine) or any(i not in source_of for i in node.inputs):
        msg = f"node {node.name!r} is not in normal form: bounds need an affine map of ReLUs"
        raise UnsupportedError(msg)
    # A source read twice is summed exactly: rounded weights could cancel to nothing.
    exact: dict[int, RationalArray] = {}
    for position, weight in zip(node.inputs, operator.weights, strict=True):
        source = source_of[position]
        exact[source] = exact[source] + weight if source in exact else weight
    weights = {source: weight.approximate for source, weight in exact.items()}
    return Layer(weights, operator.bias.approximate)


def nearest(value: Fraction, what: str) -> float:
    """Return the float64 nearest to a number of a property.

    Raises:
        RefusedError: The number is too large for float64; ``what`` names it.
    """
    try:
        return value.numerator / value.denominator
    except OverflowError as error:
        power = value.numerator.bit_length() - value.denominator.bit_length()
        msg = f"{what} is about 2**{power}: bounds are computed in float64, which ends at 2**1024"
        raise RefusedError(msg) from error


def require_within_range(scale: Array, what: str) -> None:
    """Check that no magnitude is beyond what bounds compute with.

    Raises:
        RefusedError: One is; ``what`` names it.
    """
    # Not ``any(scale > HUGE)``: that would let NaN pass.
    if not np.all(scale <= HUGE):
        msg = (
            f"{what} may be as large as {scale.max():.3g} in the input box: bounds are computed in "
            f"float64 and stop at {HUGE:.3g}; scale the network or shrink the box"
        )
        raise RefusedError(msg)
