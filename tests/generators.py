# SPDX-License-Identifier: Apache-2.0
"""Random networks, boxes, points and properties, for every suite.

Each kind comes twice: as a hypothesis strategy, which shrinks, and seeded from a numpy generator,
for sizes at which shrinking is hopeless. All networks are in normal form, so the exact oracle in
``tests.oracles`` and every engine can take them as they are.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.graph import Graph, Node
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray
from verifier.spec.property import Case, InputBox, LinearConstraint, Property

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def stack(
    input_width: int,
    layer_widths: Sequence[int],
    output_width: int,
    fill: Callable[[tuple[int, ...]], RationalArray],
    skips: Callable[[int], Sequence[int]] = lambda _: (),
) -> Graph:
    """Return a normal-form network whose entries ``fill`` makes.

    Args:
        input_width: Number of inputs.
        layer_widths: Number of neurons of each ReLU layer.
        output_width: Number of outputs.
        fill: Makes the entries of a weight matrix or bias of a given shape.
        skips: For a layer (the output counts as the last one), which earlier anchors it reads
            beside the one before it: 0 is the input, ``k`` the k-th ReLU layer counted from 1.
    """
    nodes = [Node("x", Input(), (), input_width)]
    anchors = [0]
    for layer, width in enumerate([*layer_widths, output_width]):
        earlier = sorted({anchors[k] for k in skips(layer) if k < layer} | {anchors[-1]})
        weights = tuple(fill((width, nodes[i].width)) for i in earlier)
        nodes.append(Node(f"affine{layer}", Affine(weights, fill((width,))), tuple(earlier), width))
        if layer < len(layer_widths):
            nodes.append(Node(f"relu{layer}", Relu(), (len(nodes) - 1,), width))
            anchors.append(len(nodes) - 1)
    return Graph(tuple(nodes), "x", "y")


def dyadics(limit: int = 4, denominator: int = 4) -> st.SearchStrategy[Fraction]:
    """Return multiples of ``1 / denominator`` of magnitude up to ``limit``."""
    steps = limit * denominator
    return st.integers(-steps, steps).map(lambda n: Fraction(n, denominator))


def float32s(limit: float = 4.0) -> st.SearchStrategy[Fraction]:
    """Return the exact values of float32 numbers."""
    return st.floats(-limit, limit, width=32, allow_subnormal=False).map(Fraction)


def rationals(limit: int = 4) -> st.SearchStrategy[Fraction]:
    """Return fractions that no float holds exactly, as folded divisions leave them."""
    return st.fractions(-limit, limit, max_denominator=9)


@st.composite
def networks(
    draw: st.DrawFn,
    *,
    max_neurons: int = 8,
    max_layers: int = 3,
    max_inputs: int = 3,
    max_outputs: int = 3,
    entries: st.SearchStrategy[Fraction] | None = None,
) -> Graph:
    """Draw a normal-form network with at least one ReLU, possibly with skip edges.

    Args:
        draw: Given by hypothesis.
        max_neurons: Most ReLUs in all layers together.
        max_layers: Most ReLU layers.
        max_inputs: Most inputs.
        max_outputs: Most outputs.
        entries: Where weights and biases come from; by default one of three kinds per network.
    """
    layer_count = draw(st.integers(1, min(max_layers, max_neurons)))
    widths: list[int] = []
    for layer in range(layer_count):
        left = max_neurons - sum(widths) - (layer_count - layer - 1)
        widths.append(draw(st.integers(1, max(1, min(left, 5)))))
    kinds = [dyadics(2, 2), float32s(), rationals()]
    kind = draw(st.sampled_from(kinds)) if entries is None else entries

    def fill(shape: tuple[int, ...]) -> RationalArray:
        size = int(np.prod(shape))
        return RationalArray.from_fractions(
            draw(st.lists(kind, min_size=size, max_size=size)), shape
        )

    def skips(layer: int) -> list[int]:
        return draw(st.lists(st.integers(0, layer), max_size=2)) if layer else []

    return stack(
        draw(st.integers(1, max_inputs)), widths, draw(st.integers(1, max_outputs)), fill, skips
    )


@st.composite
def boxes(draw: st.DrawFn, width: int, *, limit: int = 2) -> InputBox:
    """Draw a box of that many inputs; some sides may be single points."""
    ends = [sorted([draw(dyadics(limit, 4)), draw(dyadics(limit, 4))]) for _ in range(width)]
    return InputBox(tuple(low for low, _ in ends), tuple(high for _, high in ends))


@st.composite
def points_in(draw: st.DrawFn, box: InputBox) -> tuple[Fraction, ...]:
    """Draw a point of the box, corners included."""
    shares = [draw(st.integers(0, 8)) for _ in box.lower]
    return tuple(
        low + (high - low) * Fraction(share, 8)
        for low, high, share in zip(box.lower, box.upper, shares, strict=True)
    )


@st.composite
def properties(
    draw: st.DrawFn, graph: Graph, *, max_cases: int = 2, max_constraints: int = 3
) -> Property:
    """Draw a property of the network, near the border between holding and not.

    Each bound is what the constraint's left side is at some point of the box, moved a little, so
    that both verdicts are common.
    """
    cases = []
    for _ in range(draw(st.integers(1, max_cases))):
        box = draw(boxes(graph.input_width))
        count = draw(st.integers(1, max_constraints))
        cases.append(Case(box, tuple(draw(_constraints(graph, box)) for _ in range(count))))
    return Property(graph.input_width, graph.output_width, tuple(cases))


@st.composite
def _constraints(draw: st.DrawFn, graph: Graph, box: InputBox) -> LinearConstraint:
    outputs = {draw(st.integers(0, graph.output_width - 1)): draw(st.sampled_from([1, -1, 2]))}
    if draw(st.booleans()):
        outputs.setdefault(draw(st.integers(0, graph.output_width - 1)), -1)
    inputs = {}
    if draw(st.integers(0, 4)) == 0:
        inputs[draw(st.integers(0, graph.input_width - 1))] = draw(st.sampled_from([1, -1]))
    return _constraint_near(
        graph,
        draw(points_in(box)),
        (inputs, outputs),
        draw(dyadics(1, 4)),
        strict=draw(st.integers(0, 4)) == 0,
    )


def _constraint_near(
    graph: Graph,
    point: Sequence[Fraction],
    coefficients: tuple[dict[int, int], dict[int, int]],
    shift: Fraction,
    *,
    strict: bool,
) -> LinearConstraint:
    inputs, outputs = coefficients
    value = evaluate_exactly(graph, point)
    left = sum((c * point[i] for i, c in inputs.items()), Fraction(0))
    left += sum((c * value[j] for j, c in outputs.items()), Fraction(0))
    return LinearConstraint(
        tuple((i, Fraction(c)) for i, c in sorted(inputs.items())),
        tuple((j, Fraction(c)) for j, c in sorted(outputs.items())),
        left + shift,
        strict,
    )


def random_network(
    rng: np.random.Generator,
    input_width: int = 3,
    layer_widths: Sequence[int] = (6, 6),
    output_width: int = 2,
    *,
    skip_probability: float = 0.0,
) -> Graph:
    """Return a network with float32 weights of the usual initial size."""

    def fill(shape: tuple[int, ...]) -> RationalArray:
        scale = np.sqrt(2.0 / shape[1]) if len(shape) > 1 else 0.2
        return RationalArray.from_floats((rng.standard_normal(shape) * scale).astype(np.float32))

    def skips(layer: int) -> list[int]:
        return [k for k in range(layer) if rng.random() < skip_probability]

    return stack(input_width, layer_widths, output_width, fill, skips)


def random_box(rng: np.random.Generator, width: int, radius: float = 0.5) -> InputBox:
    """Return a box around a random centre in [-1, 1], with float32 ends."""
    centre = rng.uniform(-1, 1, width)
    reach = rng.uniform(0, radius, width)
    lower, upper = (centre - reach).astype(np.float32), (centre + reach).astype(np.float32)
    return InputBox(
        tuple(Fraction(float(v)) for v in lower), tuple(Fraction(float(v)) for v in upper)
    )


def random_points(
    rng: np.random.Generator, box: InputBox, count: int
) -> list[tuple[Fraction, ...]]:
    """Return points of the box, exact."""
    shares = rng.integers(0, 2**10, (count, len(box.lower)), endpoint=True)
    return [
        tuple(
            low + (high - low) * Fraction(int(share), 2**10)
            for low, high, share in zip(box.lower, box.upper, row, strict=True)
        )
        for row in shares
    ]


def random_property(
    rng: np.random.Generator, graph: Graph, *, radius: float = 0.5, margin: float = 0.0
) -> Property:
    """Return a property of one case: over a box, one output combination is at most a bound.

    The bound is the least value among 64 sampled points, less ``margin``: a large margin makes it
    hold, none leaves it open, a negative one makes it violated.
    """
    box = random_box(rng, graph.input_width, radius)
    outputs = {int(rng.integers(graph.output_width)): 1}
    if graph.output_width > 1 and rng.random() < 0.5:
        outputs.setdefault(int(rng.integers(graph.output_width)), -1)
    values = [
        sum((c * y[j] for j, c in outputs.items()), Fraction(0))
        for y in (evaluate_exactly(graph, point) for point in random_points(rng, box, 64))
    ]
    rows = tuple((j, Fraction(c)) for j, c in sorted(outputs.items()))
    constraint = LinearConstraint((), rows, min(values) - Fraction(margin))
    return Property(graph.input_width, graph.output_width, (Case(box, (constraint,)),))
