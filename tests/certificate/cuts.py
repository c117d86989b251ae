# SPDX-License-Identifier: Apache-2.0
"""Random regions of random networks, with whatever a certificate may say about them."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from tests.generators import boxes, networks, points_in, rationals
from tests.oracles import evaluate_naively
from verifier.certificate.core_bound import Multipliers
from verifier.certificate.document import RegionEntry
from verifier.certificate.regions import Phases, Threshold, Tightened
from verifier.ir.evaluate import preactivations_exactly
from verifier.spec.property import Case, InputBox, LinearConstraint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.certificate.judges import Judge, R
    from verifier.ir.graph import Graph

Literal = Threshold | tuple[int, int, bool]


class Cut(NamedTuple):
    """A network, a box of inputs, and a path of literals with the choices for each region."""

    graph: Graph
    box: InputBox
    slopes: list[dict[int, Fraction]]
    literals: list[Literal]
    alphas: list[list[frozenset[int]]]
    tightened: list[Tightened]
    is_kept: list[bool]

    def phases(self, depth: int) -> Phases:
        phases: Phases = {}
        for literal in self.literals[:depth]:
            if not isinstance(literal, Threshold):
                phases.setdefault(literal[0], {})[literal[1]] = literal[2]
        return phases

    def regions(self, judge: Judge[R]) -> list[R | None]:
        """Return the root and the region after each literal, as someone bounds them."""
        slopes = tuple(self.slopes)
        entry = RegionEntry(-1, (), 0, slopes, tuple(self.alphas[0]), tuple(self.tightened))
        region = judge.root(entry)
        regions = [region]
        for depth, literal in enumerate(self.literals, start=1):
            if region is not None:
                cuts = [literal] if isinstance(literal, Threshold) else []
                layers = [] if isinstance(literal, Threshold) else [literal[0]]
                alphas, is_kept = tuple(self.alphas[depth]), self.is_kept[depth - 1]
                entry = RegionEntry(depth - 1, (), -1, (), alphas, (), is_kept)
                region = judge.child(region, entry, cuts, layers, self.phases(depth))
            regions.append(region)
        return regions

    def admits(self, depth: int, point: Sequence[Fraction]) -> bool:
        """Return whether a point of the box meets the first literals of the path."""
        preactivations = preactivations_exactly(self.graph, point)
        for literal in self.literals[:depth]:
            if isinstance(literal, Threshold):
                value = point[literal.index]
                fits = value <= literal.value if literal.is_upper else value >= literal.value
            else:
                layer, index, is_active = literal
                value = preactivations[layer][index]
                fits = value >= 0 if is_active else value <= 0
            if not fits:
                return False
        return True


@st.composite
def rational_boxes(draw: st.DrawFn, width: int) -> InputBox:
    """Draw a box whose ends no float holds."""
    ends = [sorted([draw(rationals(2)), draw(rationals(2))]) for _ in range(width)]
    return InputBox(tuple(low for low, _ in ends), tuple(high for _, high in ends))


@st.composite
def cuts(draw: st.DrawFn, *, max_literals: int = 3) -> Cut:
    graph = draw(networks(max_neurons=8))
    box = draw(st.one_of(boxes(graph.input_width), rational_boxes(graph.input_width)))
    shares = st.fractions(0, 1, max_denominator=7)
    slopes = [draw(st.dictionaries(st.integers(0, w - 1), shares)) for w in graph.layer_widths]
    literals: dict[object, Literal] = {}
    for _ in range(draw(st.integers(0, max_literals))):
        if draw(st.booleans()):
            layer = draw(st.integers(0, len(graph.relus) - 1))
            index = draw(st.integers(0, graph.layer_widths[layer] - 1))
            literals.setdefault((layer, index), (layer, index, draw(st.booleans())))
        else:
            index, value = draw(st.integers(0, graph.input_width - 1)), draw(rationals(2))
            literals.setdefault((index, value), Threshold(index, value, draw(st.booleans())))
    alphas = [
        [frozenset(draw(st.sets(st.integers(0, w - 1)))) for w in graph.layer_widths]
        for _ in range(len(literals) + 1)
    ]
    tightened = draw(tightenings(graph)) if draw(st.booleans()) else []
    is_kept = [draw(st.booleans()) for _ in literals]
    return Cut(graph, box, slopes, list(literals.values()), alphas, tightened, is_kept)


@st.composite
def tightenings(draw: st.DrawFn, graph: Graph) -> list[Tightened]:
    """Draw any slopes that a document may contain for the tightening of each layer."""
    keys = [(k, i) for k, width in enumerate(graph.layer_widths) for i in range(width)]
    entries = []
    for width in graph.layer_widths:
        neurons = sorted(draw(st.sets(st.integers(0, width - 1))))
        before = sorted(draw(st.sets(st.sampled_from(keys))))
        share = st.fractions(0, 1, max_denominator=7)
        slopes = [[draw(share) for _ in before] for _ in range(2 * len(neurons))]
        entries.append(Tightened(tuple(neurons), tuple(before), slopes))
    return entries


def some_points(data: st.DataObject, cut: Cut) -> list[tuple[Fraction, ...]]:
    """Return all corners, where bounds are attained, some points between, some on thresholds."""
    box = cut.box
    points = list(product(*zip(box.lower, box.upper, strict=True)))
    points += [data.draw(points_in(box)) for _ in range(4)]
    for literal in cut.literals:
        if isinstance(literal, Threshold):
            i, value = literal.index, literal.value
            if box.lower[i] <= value <= box.upper[i]:
                points += [(*p[:i], value, *p[i + 1 :]) for p in points[-5:]]
    return points


@st.composite
def multipliers(draw: st.DrawFn, cut: Cut, rows: int) -> Multipliers[Fraction]:
    """Draw any multipliers that a document may contain for the last region of the path."""
    weights = st.one_of(st.just(Fraction(0)), st.fractions(0, 3, max_denominator=5))
    keys = [(k, i) for k, width in enumerate(cut.graph.layer_widths) for i in range(width)]
    demanded = [(k, i) for k, phases in cut.phases(len(cut.literals)).items() for i in phases]
    lines = st.tuples(st.fractions(0, 1, max_denominator=5), weights)
    masses = st.dictionaries(st.sampled_from(demanded), weights) if demanded else st.just({})
    return Multipliers(
        tuple(draw(weights) for _ in range(rows)),
        draw(st.dictionaries(st.sampled_from(keys), lines)),
        draw(masses),
    )


@st.composite
def cases_solved_by(draw: st.DrawFn, cut: Cut, point: Sequence[Fraction]) -> Case:
    output = evaluate_naively(cut.graph, point)
    constraints = []
    for _ in range(draw(st.integers(1, 3))):
        rows = [
            tuple(
                (i, draw(rationals().filter(bool)))
                for i in sorted(draw(st.sets(st.integers(0, width - 1))))
            )
            for width in (cut.graph.input_width, cut.graph.output_width)
        ]
        value = sum((c * point[i] for i, c in rows[0]), Fraction(0))
        value += sum((c * output[j] for j, c in rows[1]), Fraction(0))
        is_strict = draw(st.booleans())
        slack = Fraction(1, 10**9) if is_strict else Fraction(0)
        constraints.append(LinearConstraint(rows[0], rows[1], value + slack, is_strict))
    return Case(cut.box, tuple(constraints))
