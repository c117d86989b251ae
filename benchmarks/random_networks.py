# SPDX-License-Identifier: Apache-2.0
"""Small random networks and properties, chosen to be hard to be right about.

Entries are of kinds that go wrong in different ways: small multiples of a half, which tie exactly;
fractions that no float holds; float32 numbers of the usual size; float32 numbers of any size, whose
sums lose everything; and mostly zeros. Bounds of properties lie where the network's values are, so
that both verdicts are common, and sometimes exactly on the least value that was seen.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.graph import Graph, Node
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray
from verifier.spec.property import Case, InputBox, LinearConstraint, Property

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator

    Draw = Callable[[], Fraction]
    Values = list[tuple[tuple[Fraction, ...], tuple[Fraction, ...]]]

MOST_NEURONS = 10
MOST_INPUTS = 4
MOST_CORNERS = 16


def random_network(rng: Generator, widths: tuple[int, int] | None = None) -> Graph:
    """Return a network in normal form.

    Args:
        rng: Where chance comes from.
        widths: Of the input and the output, if they are given.
    """
    inputs, outputs = widths or (
        int(rng.integers(1, MOST_INPUTS, endpoint=True)),
        int(rng.integers(1, 4)),
    )
    draw = _entries(rng)
    skip = float(rng.choice([0.0, 0.3]))
    nodes, anchors = [Node("x", Input(), (), inputs)], [0]
    layers = _layer_widths(rng)
    for layer, width in enumerate([*layers, outputs]):
        read = [a for a in anchors[:-1] if rng.random() < skip] + anchors[-1:]
        weights = tuple(_array(draw, (width, nodes[a].width)) for a in read)
        affine = Affine(weights, _array(draw, (width,)))
        nodes.append(Node(f"affine{layer}", affine, tuple(read), width))
        if layer < len(layers):
            nodes.append(Node(f"relu{layer}", Relu(), (len(nodes) - 1,), width))
            anchors.append(len(nodes) - 1)
    return Graph(tuple(nodes), "x", "y")


def _layer_widths(rng: Generator) -> list[int]:
    most = int(rng.integers(1, MOST_NEURONS, endpoint=True))
    count = int(rng.choice([0, 1, 2, 3], p=[0.01, 0.39, 0.4, 0.2]))
    widths = [1] * min(count, most)
    for _ in range(most - len(widths)):
        if widths:
            widths[int(rng.integers(len(widths)))] += 1
    return widths


def _entries(rng: Generator) -> Draw:
    """Return where a network's entries come from."""

    def half() -> Fraction:
        return Fraction(int(rng.integers(-4, 5)), 2)

    def float32() -> Fraction:
        return Fraction(float(np.float32(rng.standard_normal())))

    def wild() -> Fraction:
        scale = 2.0 ** rng.integers(-24, 24)
        return Fraction(float(np.float32(rng.standard_normal() * scale)))

    def fraction() -> Fraction:
        return Fraction(int(rng.integers(-18, 19)), int(rng.integers(1, 10)))

    def sparse() -> Fraction:
        return float32() if rng.random() < 0.4 else Fraction(0)

    kinds: list[Draw] = [half, float32, fraction, sparse, wild]
    return kinds[int(rng.choice(len(kinds), p=[0.25, 0.35, 0.15, 0.15, 0.1]))]


def _array(draw: Draw, shape: tuple[int, ...]) -> RationalArray:
    return RationalArray.from_fractions([draw() for _ in range(int(np.prod(shape)))], shape)


def random_property(rng: Generator, graph: Graph) -> Property:
    """Return a property near the border between holding and not."""
    cases: list[Case] = []
    margin = float(rng.choice([0.0, 0.3, 1.0]))
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.01, 0.54, 0.3, 0.15]))):
        if cases and rng.random() < 0.5:
            box = cases[-1].box
            if rng.random() < 0.2:  # Equal, but another object.
                box = InputBox(box.lower, box.upper)
        else:
            box = _box(rng, graph.input_width)
        values = _values(rng, graph, box)
        count = int(rng.choice([0, 1, 2, 3], p=[0.01, 0.59, 0.25, 0.15]))
        cases.append(
            Case(box, tuple(_constraint(rng, graph, values, margin) for _ in range(count)))
        )
    return Property(graph.input_width, graph.output_width, tuple(cases))


def _box(rng: Generator, width: int) -> InputBox:
    kind = rng.choice(["halves", "thirds", "float32", "narrow"], p=[0.3, 0.2, 0.4, 0.1])
    lower, upper = [], []
    for _ in range(width):
        match kind:
            case "halves":
                low = Fraction(int(rng.integers(-4, 5)), 2)
                reach = Fraction(int(rng.integers(0, 5)), 2)
            case "thirds":
                low = Fraction(int(rng.integers(-6, 7)), 3)
                reach = Fraction(int(rng.integers(0, 5)), 7)
            case "float32":
                low = Fraction(float(np.float32(rng.uniform(-1, 1))))
                reach = Fraction(float(np.float32(rng.uniform(0, 1))))
            case _:
                low = Fraction(float(np.float32(rng.uniform(-1, 1))))
                reach = Fraction(1, 2 ** int(rng.integers(20, 60)))
        lower.append(low)
        upper.append(low + (reach if rng.random() > 0.1 else 0))
    return InputBox(tuple(lower), tuple(upper))


def _values(rng: Generator, graph: Graph, box: InputBox) -> Values:
    """Return some points of the box, corners among them, with the network's exact outputs."""
    corners = list(product(*({low, high} for low, high in zip(box.lower, box.upper, strict=True))))
    points = [corners[int(i)] for i in rng.permutation(len(corners))[:MOST_CORNERS]]
    for _ in range(6):
        shares = [Fraction(int(s), 16) for s in rng.integers(0, 17, len(box.lower))]
        sides = zip(box.lower, box.upper, shares, strict=True)
        points.append(tuple(low + share * (high - low) for low, high, share in sides))
    return [(point, evaluate_exactly(graph, point)) for point in points]


def _constraint(rng: Generator, graph: Graph, values: Values, margin: float) -> LinearConstraint:
    """Return a constraint whose bound is near the least value, or exactly on it."""
    inputs = _term(rng, graph.input_width) if rng.random() < 0.15 else {}
    outputs = _term(rng, graph.output_width) if not inputs or rng.random() < 0.9 else {}
    lefts = [
        sum((c * x[i] for i, c in inputs.items()), Fraction(0))
        + sum((c * y[j] for j, c in outputs.items()), Fraction(0))
        for x, y in values
    ]
    least, greatest = min(lefts), max(lefts)
    spread = greatest - least or Fraction(1)
    kind = rng.choice(["touching", "below", "inside"], p=[0.08, 0.62, 0.3])
    match kind:
        case "touching":
            bound = least
        case "below":
            bound = least - spread * Fraction(margin * float(rng.random())).limit_denominator(64)
        case _:
            bound = least + spread * Fraction(int(rng.integers(0, 17)), 16)
    return LinearConstraint(
        tuple(sorted(inputs.items())), tuple(sorted(outputs.items())), bound, rng.random() < 0.25
    )


def _term(rng: Generator, width: int) -> dict[int, Fraction]:
    """Return coefficients of one or two variables."""
    choices = (Fraction(1), Fraction(-1), Fraction(2), Fraction(-1, 3))
    chosen: Sequence[int] = [int(i) for i in rng.permutation(width)[: int(rng.integers(1, 3))]]
    return {i: choices[int(rng.choice(4, p=[0.4, 0.4, 0.1, 0.1]))] for i in chosen}
