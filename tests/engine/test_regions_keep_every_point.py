# SPDX-License-Identifier: Apache-2.0
"""Splitting loses no point: each lies in a child, and in the bounds of every child it lies in."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.bounds import tangled_networks as tangled
from tests.bounds.escapes import from_region, literals_at, region_of, satisfies
from verifier.engine.problem import Problem
from verifier.engine.region import cut, phases_of, root, split
from verifier.ir.evaluate import preactivations_exactly
from verifier.ir.graph import Graph, Neuron
from verifier.proof.literals import HalfSpace, Literal, Phase
from verifier.spec.property import Case, InputBox, LinearConstraint, Property

if TYPE_CHECKING:
    from tests.bounds.escapes import Point
    from verifier.bounds.region_bounds import RegionBounds


def problem_of(rng: np.random.Generator, entry: tangled.Entry) -> tuple[Problem, list[Point]]:
    graph = tangled.network(rng, entry)
    box = tangled.some_box(rng, graph.input_width)
    problem = Problem.of(graph, tangled.some_property(rng, graph, box))
    return problem, tangled.some_points(rng, box)


def some_literal(rng: np.random.Generator, problem: Problem) -> Literal:
    if rng.random() < 0.5:
        index = int(rng.integers(problem.graph.input_width))
        box = problem.groups[0].bounds.box
        middle = (box.lower[0, index] + box.upper[0, index]) / 2
        return HalfSpace(index, float(middle), below=True)
    layer = int(rng.integers(len(problem.layers.widths)))
    return Phase(Neuron(layer, int(rng.integers(problem.layers.widths[layer]))), active=True)


@pytest.mark.slow
@pytest.mark.parametrize("entry", tangled.KINDS)
def test_children_hold_every_point_of_their_parent(entry: tangled.Entry) -> None:
    rng = np.random.default_rng(11)
    for _ in range(25):
        problem, points = problem_of(rng, entry)
        regions = [root(problem, 0)]
        for _ in range(3):
            parts = []
            for region in regions:
                literal = some_literal(rng, problem)
                parts += [(region, literal), (region, literal.negated())]
            regions = split(problem, parts)

        assert [
            escape for region in regions for escape in from_region(problem.graph, region, points)
        ] == []
        for point in points:
            assert any(satisfies(problem.graph, region.path, point) for region in regions)


def test_a_batch_bounds_each_region_as_it_would_alone() -> None:
    rng = np.random.default_rng(12)
    problem, _ = problem_of(rng, tangled.dyadic)
    parts = [(root(problem, 0), some_literal(rng, problem)) for _ in range(5)]

    together = split(problem, parts)

    for part, region in zip(parts, together, strict=True):
        (alone,) = split(problem, [part])
        assert region.path == alone.path == (part[1],)
        assert region.is_empty == alone.is_empty
        pairs = zip(region.bounds.preactivations, alone.bounds.preactivations, strict=True)
        for both, single in pairs:
            np.testing.assert_allclose(both.lower, single.lower, rtol=1e-12, atol=1e-12)


def test_several_literals_at_once_cut_as_much_as_each_of_them() -> None:
    rng = np.random.default_rng(13)
    for _ in range(20):
        problem, _ = problem_of(rng, tangled.dyadic)
        whole = root(problem, 0)
        literals = tuple({some_literal(rng, problem) for _ in range(3)})

        (together,) = cut(problem, [(whole, literals)])

        assert together.path == literals
        for literal in literals:
            (alone,) = split(problem, [(whole, literal)])
            assert together.is_empty or not alone.is_empty
            if not together.is_empty:
                box, other = together.bounds.box, alone.bounds.box
                assert (box.lower >= other.lower).all()
                assert (box.upper <= other.upper).all()


def test_children_are_never_wider_than_their_parent() -> None:
    rng = np.random.default_rng(13)
    for _ in range(20):
        problem, points = problem_of(rng, tangled.uneven)
        region = root(problem, 0)
        for literal in literals_at(rng, problem.graph, points[0], 4):
            (child,) = split(problem, [(region, literal)])
            pairs = zip(region.bounds.preactivations, child.bounds.preactivations, strict=True)
            for before, after in pairs:
                assert (after.lower >= before.lower).all()
                assert (after.upper <= before.upper).all()
            region = child


def test_a_phase_literal_makes_its_neuron_stable() -> None:
    rng = np.random.default_rng(14)
    problem, _ = problem_of(rng, tangled.ninth)
    for layer, relaxation in enumerate(problem.groups[0].bounds.relaxations):
        for index in np.flatnonzero(relaxation.unstable[0]):
            for active in (True, False):
                region = region_of(problem, (Phase(Neuron(layer, int(index)), active),))

                assert not region.bounds.relaxations[layer].unstable[0, index]


def test_literals_that_leave_no_point_make_a_region_empty() -> None:
    graph = tangled.chain(Fraction(1), Fraction(1))
    always = LinearConstraint((), ((0, Fraction(1)),), Fraction(5))
    box = InputBox((Fraction(1),), (Fraction(2),))
    problem = Problem.of(graph, Property(1, 1, (Case(box, (always,)),)))

    assert region_of(problem, (Phase(Neuron(0, 0), active=False),)).is_empty
    assert region_of(problem, (HalfSpace(0, 0.5, below=True),)).is_empty
    assert region_of(problem, (HalfSpace(0, 2.5, below=False),)).is_empty
    assert not region_of(problem, (HalfSpace(0, 1.0, below=True),)).is_empty
    assert not region_of(problem, ()).is_empty


@pytest.mark.slow
def test_bounds_that_cross_make_a_region_empty() -> None:
    """Found at random: literals of one layer are incompatible, and only later layers show it."""
    rng = np.random.default_rng(0)
    crossed = 0
    for trial in range(400):
        problem, points = problem_of(rng, tangled.KINDS[trial % 2])
        region = root(problem, 0)
        while not region.is_empty and (open_neurons := unstable(region.bounds)):
            neuron = open_neurons[int(rng.integers(len(open_neurons)))]
            (region,) = split(problem, [(region, Phase(neuron, bool(rng.integers(2))))])
        for box in region.bounds.preactivations:
            assert (box.lower <= box.upper).all()
        crossed += region.is_empty
        assert from_region(problem.graph, region, points) == []
    assert crossed > 5


def unstable(bounds: RegionBounds) -> list[Neuron]:
    return [
        Neuron(layer, int(index))
        for layer, relaxation in enumerate(bounds.relaxations)
        for index in np.flatnonzero(relaxation.unstable[0])
    ]


def test_phases_of_a_path_are_signed_by_neuron() -> None:
    graph = tangled.network(np.random.default_rng(15), tangled.dyadic, widths=(2, 3))
    box = tangled.some_box(np.random.default_rng(15), graph.input_width)
    problem = Problem.of(graph, tangled.some_property(np.random.default_rng(15), graph, box))
    path = (Phase(Neuron(1, 2), True), HalfSpace(0, 0.0, True), Phase(Neuron(0, 1), False))

    phases = phases_of(problem, [path, ()])

    assert phases.tolist() == [[0, -1, 0, 0, 1], [0, 0, 0, 0, 0]]


def test_a_point_on_the_border_lies_in_both_children() -> None:
    graph: Graph = tangled.chain(Fraction(1), Fraction(1))
    always = LinearConstraint((), ((0, Fraction(1)),), Fraction(5))
    box = InputBox((Fraction(-1),), (Fraction(1),))
    problem = Problem.of(graph, Property(1, 1, (Case(box, (always,)),)))
    zero = (Fraction(0),)
    assert preactivations_exactly(graph, zero) == [zero]

    for literal in (Phase(Neuron(0, 0), active=True), HalfSpace(0, 0.0, below=True)):
        for side in (literal, literal.negated()):
            region = region_of(problem, (side,))

            assert satisfies(graph, region.path, zero)
            assert from_region(graph, region, [zero]) == []
