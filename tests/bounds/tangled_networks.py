# SPDX-License-Identifier: Apache-2.0
"""Networks made to trouble bounds: branches, skip edges, sources read twice, uneven magnitudes.

``tests.generators`` has well-behaved networks. Here a layer reads any set of earlier layers, so
branches run in parallel and meet again, and entries come in kinds whose rounding differs.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from tests.generators import random_points
from verifier.ir.graph import Graph, Node
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray
from verifier.spec.property import Case, InputBox, LinearConstraint, Property

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Entry = Callable[[np.random.Generator], Fraction]


def dyadic(rng: np.random.Generator) -> Fraction:
    """Return a small multiple of a quarter; often zero."""
    return Fraction(int(rng.integers(-8, 9)), 4) if rng.random() < 0.8 else Fraction(0)


def ninth(rng: np.random.Generator) -> Fraction:
    """Return a small fraction that no float holds."""
    return Fraction(int(rng.integers(-20, 21)), int(rng.integers(3, 10)))


def uneven(rng: np.random.Generator) -> Fraction:
    """Return a float of magnitude 1e-3 to 1e6."""
    return Fraction(float(rng.choice([-1, 1]) * 10.0 ** rng.uniform(-3, 6)))


def cancelling(rng: np.random.Generator) -> Fraction:
    """Return almost plus or minus one third, so that sums nearly cancel."""
    return int(rng.choice([-1, 1])) * (Fraction(1, 3) + Fraction(int(rng.integers(-3, 4)), 10**17))


def extreme(rng: np.random.Generator) -> Fraction:
    """Return a signed power of two or of ten far from one, subnormal floats and below included."""
    power = int(rng.choice([-1100, -540, -300, -150, -10, 0, 10, 127, 300, 500]))
    jitter = Fraction(int(rng.integers(1, 20)), int(rng.integers(1, 20)))
    return int(rng.choice([-1, 1])) * Fraction(2) ** power * jitter


KINDS: tuple[Entry, ...] = (dyadic, ninth, uneven, cancelling)


def network(
    rng: np.random.Generator,
    entry: Entry,
    *,
    input_width: int = 2,
    widths: Sequence[int] = (3, 2, 3),
    output_width: int = 2,
) -> Graph:
    """Return a normal-form network whose layers read random sources, some of them twice."""
    nodes = [Node("x", Input(), (), input_width)]
    anchors = [0]
    unread: set[int] = set()
    for layer, width in enumerate([*widths, output_width]):
        is_output = layer == len(widths)
        # Now and then none: a layer may be constant.
        chosen = [int(i) for i in rng.choice(anchors, size=int(rng.choice([0, 1, 1, 2, 2, 2, 3])))]
        sources = [*chosen, *sorted(unread - set(chosen))] if is_output else chosen
        unread -= set(sources)
        weights = tuple(_array(rng, entry, (width, nodes[i].width)) for i in sources)
        affine = Affine(weights, _array(rng, entry, (width,)))
        nodes.append(Node(f"affine{layer}", affine, tuple(sources), width))
        if not is_output:
            nodes.append(Node(f"relu{layer}", Relu(), (len(nodes) - 1,), width))
            anchors.append(len(nodes) - 1)
            unread.add(len(nodes) - 1)
    return Graph(tuple(nodes), "x", "y")


def chain(*weights: Fraction) -> Graph:
    """Return ``w_n relu(... relu(w_1 x))``, one neuron a layer, without biases."""
    nodes = [Node("x", Input(), (), 1)]
    for layer, weight in enumerate(weights):
        affine = Affine(
            (RationalArray.from_fractions([weight], (1, 1)),), RationalArray.zeros((1,))
        )
        nodes.append(Node(f"affine{layer}", affine, (len(nodes) - 1,), 1))
        if layer < len(weights) - 1:
            nodes.append(Node(f"relu{layer}", Relu(), (len(nodes) - 1,), 1))
    return Graph(tuple(nodes))


def branches() -> tuple[Graph, InputBox, list[tuple[Fraction, ...]]]:
    """Return ``relu(x) - relu(x - 1) - x / 4``, a box, and points.

    The two ReLUs are parallel branches, each with a noise symbol of its own. Taken for the same
    symbol they would cancel, and the difference would be thought to stay in [1/4, 1/2].
    """

    def affine(inputs: Sequence[int], weights: Sequence[Fraction], bias: int) -> Node:
        matrices = tuple(RationalArray.from_fractions([w], (1, 1)) for w in weights)
        shift = RationalArray.from_fractions([bias], (1,))
        return Node("affine", Affine(matrices, shift), tuple(inputs), 1)

    one = Fraction(1)
    nodes = (
        Node("x", Input(), (), 1),
        affine([0], [one], 0),
        Node("left", Relu(), (1,), 1),
        affine([0], [one], -1),
        Node("right", Relu(), (3,), 1),
        affine([2, 4, 0], [one, -one, Fraction(-1, 4)], 0),
    )
    box = InputBox((-one,), (3 * one,))
    return Graph(nodes, "x", "y"), box, [(Fraction(n, 4),) for n in range(-4, 13)]


def _array(rng: np.random.Generator, entry: Entry, shape: tuple[int, ...]) -> RationalArray:
    return RationalArray.from_fractions([entry(rng) for _ in range(int(np.prod(shape)))], shape)


def some_box(rng: np.random.Generator, width: int, scale: Fraction = Fraction(1)) -> InputBox:
    """Return a box; some sides are single points, some ends are no floats."""
    lower, upper = [], []
    for _ in range(width):
        low = Fraction(int(rng.integers(-9, 9)), int(rng.integers(3, 10))) * scale
        reach = Fraction(int(rng.integers(0, 9)), int(rng.integers(3, 10))) * scale
        lower.append(low)
        upper.append(low + (reach if rng.random() < 0.8 else 0))
    return InputBox(tuple(lower), tuple(upper))


def some_points(
    rng: np.random.Generator, box: InputBox, count: int = 6
) -> list[tuple[Fraction, ...]]:
    """Return the box's two extreme corners, a random corner, and points inside."""
    sides = list(zip(box.lower, box.upper, strict=True))
    corner = tuple(side[int(rng.integers(2))] for side in sides)
    return [box.lower, box.upper, corner, *random_points(rng, box, count)]


def some_property(
    rng: np.random.Generator, graph: Graph, box: InputBox, *, rows: int = 3, cases: int = 2
) -> Property:
    """Return a property over one box: random rows of outputs and, at times, inputs."""

    def pairs(width: int, probability: float) -> tuple[tuple[int, Fraction], ...]:
        return tuple(
            (i, ninth(rng) or Fraction(1, 3)) for i in range(width) if rng.random() < probability
        )

    def row() -> LinearConstraint:
        outputs = pairs(graph.output_width, 0.7) or ((0, Fraction(1)),)
        return LinearConstraint(pairs(graph.input_width, 0.2), outputs, ninth(rng))

    count = int(rng.integers(1, rows + 1))
    return Property(
        graph.input_width,
        graph.output_width,
        tuple(Case(box, tuple(row() for _ in range(count))) for _ in range(cases)),
    )
