# SPDX-License-Identifier: Apache-2.0
"""The network in fixed point, scaled so that one unit in the last place is small everywhere.

Two exact changes of variables come before any rounding:

  * inputs become ``x = origin + 2**e * v`` with ``v >= 0`` on the whole box;
  * layer ``j`` becomes ``y_j = 2**e_j * v_j``, with the preactivation of ``v_j`` between -1 and 1
    on the whole box, which is allowed because a ReLU commutes with positive factors.

So every *source* of an affine layer, be it the input, a ReLU layer or the constant 1 that carries
the bias, is nonnegative. That gives the one rounding rule of the checker:

    a lower bound ``sum c_i v_i + ...`` stays a lower bound when any ``c_i`` is rounded *down*,

because ``v_i >= 0``. Values are integers that count ``2**-96``. The coefficients of a backward row
count a power of two of its own, some ``2**-59`` of the magnitude of the row: rounding all of them,
layer by layer, loses about a hundredth of what widening float64 bounds for rounding loses, and most
products are of machine words. Weights themselves are never rounded: an edge keeps integer
numerators over one positive divisor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import TYPE_CHECKING

from verifier.certificate.integer_matrix import quotients_rounded_down
from verifier.ir.operators import Affine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.certificate.integer_matrix import Arithmetic, Packed, Rows
    from verifier.ir.graph import Graph, Node
    from verifier.ir.rational import RationalArray
    from verifier.spec.property import InputBox

FRACTION_BITS = 96
ONE = 1 << FRACTION_BITS
# Coefficients of backward rows start with this many bits, so that most fit in a machine word.
COEFFICIENT_BITS = 59
# The origin lies on a grid this much finer than the box, so that it is a short number.
_ORIGIN_BITS = 16

INPUT = 0  # Anchors: the input is 0, ReLU layer j is j + 1.


def power_of_two(exponent: int) -> Fraction:
    """Return ``2**exponent``, for any sign."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def exponent_above(value: Fraction) -> int:
    """Return some ``e`` with ``value < 2**e <= 4 * value``; 0 for the value 0."""
    if value == 0:
        return 0
    return value.numerator.bit_length() - value.denominator.bit_length() + 1


def rounded_down(value: Fraction) -> int:
    """Return the largest fixed-point number that is at most ``value``."""
    return (value.numerator << FRACTION_BITS) // value.denominator


def rounded_up(value: Fraction) -> int:
    """Return the smallest fixed-point number that is at least ``value``."""
    return -rounded_down(-value)


@dataclass(frozen=True, eq=False)
class Edge:
    """What one source contributes to an affine layer: ``numerators / divisor`` times its values.

    Attributes:
        anchor: The source.
        by_source: The numerators, transposed: for each entry of the source, one for each neuron;
            where ``has_bias``, the bias comes last.
        divisor: A positive integer.
        has_bias: Whether the constant 1 follows the source's values.
        arithmetic: What multiplies matrices.
    """

    anchor: int
    by_source: Rows
    divisor: int
    has_bias: bool
    arithmetic: Arithmetic
    _starting_rows: list[Rows] = field(default_factory=list, repr=False)

    @cached_property
    def whole(self) -> Packed:
        """The transposed numerators: from coefficients on neurons to those on sources."""
        return self.arithmetic.pack(self.by_source)

    @cached_property
    def by_sign(self) -> Packed:
        """For each neuron, the positive numerators and then the negative ones, for intervals."""
        zero = self.arithmetic.integers([0])[0]
        return self.arithmetic.pack(
            [
                [*(n if n > 0 else zero for n in row), *(n if n < 0 else zero for n in row)]
                for row in zip(*self.by_source, strict=True)
            ]
        )

    def starting_rows(self, bits: Sequence[int]) -> tuple[Rows, Rows]:
        """Return coefficients of ``+z`` and of ``-z``, by source, with fractional bits by neuron.

        They are computed once: an edge belongs to one layer, which has one list of bits.
        """
        if not self._starting_rows:
            units = [[n << b for n, b in zip(row, bits, strict=True)] for row in self.by_source]
            opposite = [[-n for n in row] for row in units]
            self._starting_rows.append(quotients_rounded_down(units, self.divisor))
            self._starting_rows.append(quotients_rounded_down(opposite, self.divisor))
        positive, negative = self._starting_rows
        return positive, negative

    def part(self, entries: Sequence[int], neurons: Sequence[int]) -> Rows:
        """Return ``by_source`` for some entries of the source, and for the bias; some neurons."""
        chosen = [*entries, -1] if self.has_bias else entries
        return [[row[i] for i in neurons] for row in map(self.by_source.__getitem__, chosen)]


@dataclass(frozen=True, eq=False)
class ScaledLayer:
    """One affine layer of the scaled network; ``2**exponent`` times its value is the true one.

    Attributes:
        edges: What it reads.
        exponent: Of the scale.
        coefficient_bits: For each neuron, fractional bits that give its backward row a relative
            precision of ``2**-COEFFICIENT_BITS``: more for neurons far smaller than their layer.
    """

    edges: tuple[Edge, ...]
    exponent: int
    coefficient_bits: tuple[int, ...]

    @property
    def width(self) -> int:
        """Number of neurons."""
        return len(self.coefficient_bits)


@dataclass(eq=False)
class ScaledNetwork:
    """A network seen from one box of inputs.

    It is completed layer by layer, because the scale of a layer comes from bounds on the layers
    before it.

    Attributes:
        graph: The network, in normal form.
        arithmetic: What multiplies matrices.
        origin: The inputs at ``v = 0``.
        exponents: For each anchor so far, the ``e`` of ``2**e``.
        box: Bounds on ``v``, lower and upper, in fixed point.
        layers: The ReLU layers so far, then the output.
    """

    graph: Graph
    arithmetic: Arithmetic
    origin: list[Fraction]
    exponents: list[int]
    box: tuple[list[int], list[int]]
    layers: list[ScaledLayer] = field(default_factory=list)

    def scaled_input(self, index: int, value: Fraction) -> Fraction:
        """Return ``v`` where input ``index`` is ``value``."""
        return (value - self.origin[index]) / power_of_two(self.exponents[INPUT])

    def add_layer(self, source_uppers: Sequence[Sequence[int]]) -> ScaledLayer:
        """Scale the next ReLU layer, or the output layer if none is left.

        Args:
            source_uppers: For each anchor so far, upper bounds on its values, in fixed point.
        """
        node = self._next_node()
        affine = _affine(node)
        sources = [self._anchor(position) for position in node.inputs]
        bias = self._bias_at_origin(affine, sources)
        is_output = len(self.layers) == len(self.graph.relus)
        magnitudes = self._magnitudes(affine, sources, bias, source_uppers)
        exponent = 0 if is_output else exponent_above(max(magnitudes))
        edges = tuple(
            self._edge(source, weight, exponent, bias if number == 0 else None)
            for number, (source, weight) in enumerate(zip(sources, affine.weights, strict=True))
        )
        bits = (COEFFICIENT_BITS + max(0, exponent - exponent_above(m)) for m in magnitudes)
        self.layers.append(ScaledLayer(edges, exponent, tuple(bits)))
        self.exponents.append(exponent)
        return self.layers[-1]

    def _next_node(self) -> Node:
        number, nodes = len(self.layers), self.graph.nodes
        relus = self.graph.relus
        return nodes[nodes[relus[number]].inputs[0]] if number < len(relus) else nodes[-1]

    def _anchor(self, position: int) -> int:
        return INPUT if position == 0 else self.graph.relus.index(position) + 1

    def _bias_at_origin(self, affine: Affine, sources: Sequence[int]) -> list[Fraction]:
        """Return the layer's value where all sources' ``v`` are 0."""
        bias = affine.bias.fractions()
        for source, weight in zip(sources, affine.weights, strict=True):
            if source == INPUT:
                common = lcm(*(x.denominator for x in self.origin))
                point = [x.numerator * (common // x.denominator) for x in self.origin]
                for i, row in enumerate(weight.numerators.tolist()):
                    total = sum(n * x for n, x in zip(row, point, strict=True) if n)
                    bias[i] += Fraction(total, common * weight.denominator)
        return bias

    def _magnitudes(
        self,
        affine: Affine,
        sources: Sequence[int],
        bias: Sequence[Fraction],
        source_uppers: Sequence[Sequence[int]],
    ) -> list[Fraction]:
        """Return, for each neuron, what its terms can add up to on the box, signs left aside."""
        magnitudes = [abs(b) for b in bias]
        for source, weight in zip(sources, affine.weights, strict=True):
            unit = power_of_two(self.exponents[source] - FRACTION_BITS) / weight.denominator
            uppers = [int(u) for u in source_uppers[source]]
            for i, row in enumerate(weight.numerators.tolist()):
                total = sum(abs(n) * u for n, u in zip(row, uppers, strict=True) if n)
                magnitudes[i] += total * unit
        return magnitudes

    def _edge(
        self, source: int, weight: RationalArray, exponent: int, bias: list[Fraction] | None
    ) -> Edge:
        """Return ``weight * 2**(source's exponent - exponent)``, and the bias as a last column."""
        from_source = self.exponents[source]
        unit = power_of_two(from_source)
        biases = [] if bias is None else [b / unit for b in bias]
        common = lcm(weight.denominator, *(b.denominator for b in biases))
        factor = common // weight.denominator
        # 2**(exponent - from_source) goes below the line, or above it where it is a fraction.
        raised = max(from_source - exponent, 0)
        lowered = max(exponent - from_source, 0)
        rows = []
        for i, row in enumerate(weight.numerators.tolist()):
            entries = [n * factor << raised for n in row]
            if bias is not None:
                entries.append(biases[i].numerator * (common // biases[i].denominator) << raised)
            rows.append(self.arithmetic.integers(entries))
        by_source = [list(column) for column in zip(*rows, strict=True)]
        return Edge(source, by_source, common << lowered, bias is not None, self.arithmetic)


def _affine(node: Node) -> Affine:
    if not isinstance(node.operator, Affine):
        msg = f"node {node.name!r} is not affine: the graph is not in normal form"
        raise TypeError(msg)
    return node.operator


def scaled_network(graph: Graph, box: InputBox, arithmetic: Arithmetic) -> ScaledNetwork:
    """Return the network seen from a box, with no layer yet.

    Args:
        graph: A graph in normal form.
        box: As many intervals as the graph has inputs.
        arithmetic: What multiplies matrices.
    """
    widths = [high - low for low, high in zip(box.lower, box.upper, strict=True)]
    # For a single point any scale will do; its own keeps rounding small.
    widest = max(widths, default=Fraction(0)) or max(map(abs, box.lower), default=Fraction(0))
    exponent = exponent_above(max(widest, Fraction(0)))
    step = power_of_two(exponent - _ORIGIN_BITS)
    origin = [(low / step).__floor__() * step for low in box.lower]
    unit = power_of_two(exponent)
    lower = [rounded_down((a - o) / unit) for a, o in zip(box.lower, origin, strict=True)]
    upper = [rounded_up((b - o) / unit) for b, o in zip(box.upper, origin, strict=True)]
    ends = (arithmetic.integers(lower), arithmetic.integers(upper))
    return ScaledNetwork(graph, arithmetic, origin, [exponent], ends)
