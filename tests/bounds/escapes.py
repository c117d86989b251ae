# SPDX-License-Identifier: Apache-2.0
"""What the soundness tests look for: exact values that escape a bound.

Each function returns the escapes it found, as text; a sound bound has none. No tolerance: points
are evaluated in rational arithmetic, and a float bound is the rational number that it is. The
functions are apart from the tests so that ``test_faults_are_noticed`` can show, by seeding faults,
that they would notice.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds import backward, interval, zonotope
from verifier.bounds.backward import RowMultipliers, Rows
from verifier.bounds.box import Box
from verifier.bounds.intersection import bound_property
from verifier.bounds.layers import Layers
from verifier.bounds.tighten import GRID, Tightened
from verifier.engine.evaluate import Query, evaluate
from verifier.engine.problem import Problem
from verifier.engine.region import Region, root, split
from verifier.engine.region_tree import ALONG, RegionTree
from verifier.ir.evaluate import evaluate_exactly, preactivations_exactly
from verifier.ir.graph import Neuron
from verifier.proof.literals import HalfSpace, Literal, Path, Phase
from verifier.proof.muc import Core, Multipliers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.ir.graph import Graph
    from verifier.spec.property import Case, InputBox, Property

Point = tuple[Fraction, ...]


def exceeds(bound: float, exact: Fraction) -> bool:
    """Return whether a float lower bound is above an exact value; NaN and -inf are not."""
    if np.isinf(bound):
        return bool(bound > 0)
    return not np.isnan(bound) and Fraction(float(bound)) > exact


def outside(bounds: Sequence[Box], exact: Sequence[Point], row: int = 0) -> list[str]:
    """Return the entries of each layer that lie outside of one member of its box."""
    found = []
    for layer, (box, values) in enumerate(zip(bounds, exact, strict=True)):
        ends = zip(box.lower[row], values, box.upper[row], strict=True)
        found += [
            f"layer {layer}, neuron {index}: {float(value)!r} not in [{low!r}, {high!r}]"
            for index, (low, value, high) in enumerate(ends)
            if exceeds(low, value) or exceeds(-high, -value) or np.isnan(low) or np.isnan(high)
        ]
    return found


def trace(graph: Graph, point: Point) -> list[Point]:
    """Return the exact preactivations of every layer, then the output."""
    return [*preactivations_exactly(graph, point), evaluate_exactly(graph, point)]


def from_domains(graph: Graph, box: InputBox, points: Sequence[Point]) -> list[str]:
    """Return escapes from intervals, zonotopes, and all domains cut with each other."""
    layers, floats = Layers.of(graph), Box.around(box.lower, box.upper)
    limits = interval.propagate(layers, floats)
    plain = zonotope.propagate(layers, floats)
    cut = zonotope.propagate(layers, floats, lambda k, bounds: bounds.intersection(limits[k]))
    bounds, _, _ = bound_property(layers, floats)
    found = []
    for point in points:
        exact = trace(graph, point)
        found += [f"interval: {text}" for text in outside(limits, exact)]
        found += [f"zonotope: {text}" for text in outside(plain, exact)]
        found += [f"cut zonotope: {text}" for text in outside(cut, exact)]
        found += [f"all: {text}" for text in outside(bounds.preactivations, exact[:-1])]
    return found


def satisfies(graph: Graph, path: Path, point: Point) -> bool:
    """Return whether a point satisfies every literal of a path, exactly."""
    values = preactivations_exactly(graph, point)
    for literal in path:
        if isinstance(literal, Phase):
            layer, index = literal.neuron
            value = values[layer][index]
            holds = value >= 0 if literal.active else value <= 0
        else:
            coordinate, threshold = point[literal.input], Fraction(literal.threshold)
            holds = coordinate <= threshold if literal.below else coordinate >= threshold
        if not holds:
            return False
    return True


def literals_at(rng: np.random.Generator, graph: Graph, point: Point, count: int) -> Path:
    """Return random literals that a point satisfies, of both kinds, each neuron once."""
    values = preactivations_exactly(graph, point)
    neurons = [Neuron(k, i) for k, width in enumerate(graph.layer_widths) for i in range(width)]
    chosen: list[Literal] = []
    for place in rng.permutation(len(neurons))[:count]:
        neuron = neurons[place]
        value = values[neuron.layer][neuron.index]
        chosen.append(Phase(neuron, value > 0 or (value == 0 and bool(rng.integers(2)))))
    for i, coordinate in enumerate(point):
        if rng.random() < 0.5:
            chosen.append(_half_space(rng, i, coordinate))
    return tuple(chosen[i] for i in rng.permutation(len(chosen)))


def _half_space(rng: np.random.Generator, index: int, coordinate: Fraction) -> HalfSpace:
    """Return a half-space with the coordinate inside, at times on its border."""
    threshold = float(coordinate) + float(rng.choice([0.0, 0.1, -0.1]))
    return HalfSpace(index, threshold, below=coordinate <= Fraction(threshold))


def region_of(problem: Problem, path: Path, group: int = 0) -> Region:
    """Return the region of a path, bounded literal by literal as a search does."""
    region = root(problem, group)
    for literal in path:
        (region,) = split(problem, [(region, literal)])
    return region


def from_region(graph: Graph, region: Region, points: Sequence[Point]) -> list[str]:
    """Return escapes from a region's bounds, among the points that satisfy its literals."""
    found = []
    for point in points:
        if not satisfies(graph, region.path, point):
            continue
        values = preactivations_exactly(graph, point)
        found += [f"region: {text}" for text in outside(region.bounds.preactivations, values)]
        found += [f"input: {text}" for text in outside([region.bounds.box], [point])]
        if region.is_empty:
            found.append(f"the region is called empty, but {point} is in it")
    return found


def from_tree(
    rng: np.random.Generator, graph: Graph, problem: Problem, points: Sequence[Point]
) -> list[str]:
    """Return escapes from the regions of several paths that are bounded together, as a tree."""
    paths = [literals_at(rng, graph, point, int(rng.integers(0, 4))) for point in points[:3]]
    paths += [path[: len(path) // 2] for path in paths]
    tree = RegionTree.of(problem, 0, paths, stride=int(rng.integers(1, 3)))
    regions = [tree.region(number) for number in range(len(paths))]
    return [text for region in regions for text in from_region(graph, region, points)]


def some_multipliers(rng: np.random.Generator, problem: Problem, rows: int) -> Multipliers:
    """Return random multipliers for all neurons: any are valid."""
    size = float(rng.choice([0.0, 0.1, 1.0, 100.0]))
    count = sum(problem.layers.widths)
    neurons = np.flatnonzero(rng.random(count) < 0.7)
    return Multipliers(
        rng.random(rows) * float(rng.choice([0.0, 1.0, 50.0])),
        neurons,
        rng.choice([0.0, 1.0, 0.5, 0.3], size=len(neurons)),
        size * rng.random(len(neurons)),
        np.arange(count),
        size * rng.random(count),
    )


def some_slopes(rng: np.random.Generator, neurons: int) -> list[Tightened]:
    """Return absurd slopes: of any neurons for the bounds of any others, whatever their layers."""
    return [
        Tightened(
            bounded := np.flatnonzero(rng.random(neurons) < 0.7),
            lines := np.flatnonzero(rng.random(neurons) < 0.7),
            GRID * rng.integers(0, 257, (2 * len(bounded), len(lines))).astype(np.float64),
        )
        for _ in range(2)
    ]


def left_sides(case: Case, point: Point, output: Point) -> list[Fraction]:
    """Return ``left - right`` of each constraint at a point, exactly."""
    return [
        sum((c * point[i] for i, c in constraint.inputs), Fraction(0))
        + sum((c * output[j] for j, c in constraint.outputs), Fraction(0))
        - constraint.bound
        for constraint in case.constraints
    ]


def from_multipliers(
    rng: np.random.Generator, problem: Problem, region: Region, points: Sequence[Point]
) -> list[str]:
    """Return points of a region where random multipliers bound a row combination wrongly."""
    cases = list(problem.groups[region.group].objectives)
    chosen = [
        some_multipliers(rng, problem, len(problem.prop.cases[case].constraints)) for case in cases
    ]
    bound = evaluate(problem, [Query(region, case) for case in cases], chosen)
    found = []
    for point in points:
        if not satisfies(problem.graph, region.path, point):
            continue
        output = evaluate_exactly(problem.graph, point)
        for place, case in enumerate(cases):
            sides = left_sides(problem.prop.cases[case], point, output)
            weights = [Fraction(float(w)) for w in chosen[place].rows]
            exact = sum((w * s for w, s in zip(weights, sides, strict=True)), Fraction(0))
            if exceeds(bound.value[place], exact):
                found.append(f"case {case}: {bound.value[place]!r} above {float(exact)!r}")
    return found


def from_margins(rng: np.random.Generator, problem: Problem, points: Sequence[Point]) -> list[str]:
    """Return points where the margins of several paths' cores, by phases alone, are wrong."""
    paths = [literals_at(rng, problem.graph, point, 3) for point in points[:3]]
    paths = [tuple(x for x in path if isinstance(x, Phase)) for path in paths]
    case = problem.prop.cases[0]
    count = len(case.constraints)
    cores = [Core(0, path, some_multipliers(rng, problem, count), 0.0) for path in paths]
    margins = RegionTree.of(problem, 0, paths, ALONG).margins(cores)
    found = []
    for core, margin in zip(cores, margins.tolist(), strict=True):
        assert core.multipliers is not None
        weights = [Fraction(float(weight)) for weight in core.multipliers.rows]
        for point in points:
            if satisfies(problem.graph, core.path, point):
                sides = left_sides(case, point, evaluate_exactly(problem.graph, point))
                exact = sum((w * s for w, s in zip(weights, sides, strict=True)), Fraction(0))
                if exceeds(margin, exact):
                    found.append(f"margin: {margin!r} above {float(exact)!r}")
    return found


def from_neuron_rows(
    rng: np.random.Generator, problem: Problem, region: Region, points: Sequence[Point]
) -> list[str]:
    """Return neurons that random multipliers of earlier layers bound wrongly, without literals."""
    layers, scale = problem.layers, problem.groups[region.group].scale
    found = []
    for k, width in enumerate(layers.widths):
        layer, shape = layers.hidden[k], (width, sum(layers.widths))
        # Later layers have coefficients 0: what is chosen for them must not matter.
        chosen = RowMultipliers(rng.random(shape), rng.random(shape), np.zeros(shape))
        owner = np.zeros(width, dtype=np.intp)
        for sign in (1.0, -1.0):
            weights = {source: sign * weight for source, weight in layer.weights.items()}
            rows = Rows(owner, weights, sign * layer.bias, layer.bias_magnitude)
            value = backward.lower_bounds(layers, rows, region.bounds, chosen, scale).value
            for point in points:
                if satisfies(problem.graph, region.path, point):
                    exact = preactivations_exactly(problem.graph, point)[k]
                    found += [
                        f"layer {k}, neuron {i}: {sign} * {float(exact[i])!r} below {value[i]!r}"
                        for i in range(width)
                        if exceeds(value[i], int(sign) * exact[i])
                    ]
    return found


def anywhere(
    rng: np.random.Generator, graph: Graph, prop: Property, points: Sequence[Point]
) -> list[str]:
    """Return escapes from everything above, over the whole box and over a random region."""
    found = from_domains(graph, prop.cases[0].box, points)
    inside = points[int(rng.integers(len(points)))]
    paths = ((), literals_at(rng, graph, inside, int(rng.integers(0, 4))))
    given = [some_slopes(rng, sum(graph.layer_widths))]
    for problem in (
        Problem.of(graph, prop),
        Problem.of(graph, prop, input_split_width=0),
        Problem.of(graph, prop, input_split_width=0, given=given),
    ):
        for path in paths:
            region = region_of(problem, path)
            found += from_region(graph, region, points)
            found += from_multipliers(rng, problem, region, points)
            found += from_neuron_rows(rng, problem, region, points)
        found += from_tree(rng, graph, problem, points)
        found += from_margins(rng, problem, points)
    return found
