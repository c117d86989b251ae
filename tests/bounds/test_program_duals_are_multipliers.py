# SPDX-License-Identifier: Apache-2.0
"""The triangle program: its duals are valid multipliers, and as strong as the program."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from tests.bounds import tangled_networks as tangled
from tests.bounds.escapes import from_multipliers, literals_at, region_of
from tests.bounds.tangled_networks import chain
from tests.bounds.test_extreme_numbers_are_bounded_or_refused import ONE, ZERO, at_least
from verifier.bounds import lp
from verifier.engine.evaluate import Query
from verifier.engine.problem import Problem
from verifier.engine.refute import refute
from verifier.engine.region import phases_of
from verifier.ir.graph import Graph, Neuron, Node
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray
from verifier.proof.literals import Path, Phase
from verifier.spec.property import Case, InputBox, LinearConstraint, Property

if TYPE_CHECKING:
    from verifier.engine.region import Region


def duals_of(problem: Problem, region: Region, case: int = 0) -> lp.Duals | None:
    [phases] = phases_of(problem, [region.path])
    rows = problem.groups[region.group].objectives[case]
    return lp.solve(problem.layers, region.bounds.box, region.bounds.relaxations, phases, rows)


def matrix(rows: list[list[int]]) -> RationalArray:
    return RationalArray.from_floats(np.array(rows, dtype=np.float64))


def vector(*entries: int) -> RationalArray:
    return RationalArray.from_floats(np.array(entries, dtype=np.float64))


def test_duals_are_in_range_and_the_point_is_in_the_box() -> None:
    rng = np.random.default_rng(0)
    solved = 0
    for trial in range(40):
        graph = tangled.network(rng, tangled.KINDS[trial % 2])
        box = tangled.some_box(rng, graph.input_width)
        problem = Problem.of(graph, tangled.some_property(rng, graph, box))
        path = literals_at(rng, graph, box.upper, 2)
        region = region_of(problem, path)
        duals = duals_of(problem, region)
        if duals is None:
            continue
        solved += 1

        assert (duals.rows >= 0.0).all()
        for _, alpha, q in duals.layers.values():
            assert (alpha >= 0.0).all()
            assert (alpha <= 1.0).all()
            assert (q >= 0.0).all()
        assert all((masses >= 0.0).all() for _, masses in duals.literals.values())
        if duals.point is not None:
            low, high = region.bounds.box.lower[0], region.bounds.box.upper[0]
            assert (duals.point >= low - 1e-6 * (1 + abs(low))).all()
            assert (duals.point <= high + 1e-6 * (1 + abs(high))).all()
    assert solved > 30


def test_duals_prove_what_default_slopes_cannot() -> None:
    """``relu(x) + relu(-x) >= |x|`` needs both lower lines at once: rows weighed, slopes free."""
    graph = Graph(
        (
            Node("x", Input(), (), 1),
            Node("z", Affine((matrix([[1], [-1]]),), vector(0, 0)), (0,), 2),
            Node("r", Relu(), (1,), 2),
            Node("y", Affine((matrix([[1, 1], [-1, 1]]),), vector(0, 0)), (2,), 2),
        )
    )
    # y0 = |x| and y1 = relu(-x) - relu(x) = -x: violated where y0 <= -1/4, or so it looks.
    box = InputBox((Fraction(-1),), (Fraction(2),))
    rows = (
        LinearConstraint((), ((0, ONE), (1, Fraction(1, 3))), Fraction(-1, 4)),
        LinearConstraint((), ((0, ONE), (1, Fraction(-1, 3))), Fraction(-1, 4)),
    )
    problem = Problem.of(graph, Property(1, 2, (Case(box, rows),)))
    query = Query(region_of(problem, ()), 0)

    (attempt,) = refute(problem, [query], 100)

    assert attempt.core is not None
    assert attempt.core.margin == pytest.approx(0.25, abs=1e-6)


def test_literals_that_contradict_each_other_are_refuted_by_a_ray() -> None:
    """``x + y >= 0`` (twice as a ReLU sees it) and ``-x - y - 1/2 >= 0`` have no common point.

    Each alone fits the box, so no bound of a neuron tells; only both together do.
    """
    graph = Graph(
        (
            Node("x", Input(), (), 2),
            Node("z", Affine((matrix([[2, 2], [-2, -2]]),), vector(0, -1)), (0,), 2),
            Node("r", Relu(), (1,), 2),
            Node("y", Affine((matrix([[0, 0]]),), vector(0)), (2,), 1),
        )
    )
    box = InputBox((-ONE, -ONE), (ONE, ONE))
    always = LinearConstraint((), ((0, ONE),), ONE)
    problem = Problem.of(graph, Property(2, 1, (Case(box, (always,)),)))
    path: Path = (Phase(Neuron(0, 0), active=True), Phase(Neuron(0, 1), active=True))
    region = region_of(problem, path)
    assert not region.is_empty

    duals = duals_of(problem, region)
    (attempt,) = refute(problem, [Query(region, 0)], 100)

    assert duals is not None
    assert duals.point is None
    assert not duals.rows.any()
    assert attempt.core is not None
    assert attempt.core.multipliers is not None
    assert not attempt.core.multipliers.rows.any()
    assert attempt.core.multipliers.literals.tolist() == [0, 1]


def test_numbers_that_the_program_cannot_hold_are_not_refuted() -> None:
    graph = chain(Fraction(10) ** 20, Fraction(10) ** 20, ONE)
    problem = Problem.of(graph, at_least(ONE, ZERO))

    (attempt,) = refute(problem, [Query(region_of(problem, ()), 0)], 100)

    assert attempt.core is None


def test_multipliers_of_a_region_with_literals_are_valid_at_its_points() -> None:
    rng = np.random.default_rng(1)
    found = []
    for trial in range(60):
        graph = tangled.network(rng, tangled.KINDS[trial % len(tangled.KINDS)])
        box = tangled.some_box(rng, graph.input_width)
        problem = Problem.of(graph, tangled.some_property(rng, graph, box))
        points = tangled.some_points(rng, box)
        region = region_of(problem, literals_at(rng, graph, points[2], 4))
        found += from_multipliers(rng, problem, region, points)

    assert found == []


class NoRay:
    """HiGHS where it cannot say why a program has no solution."""

    def getDualRay(self) -> tuple[None, bool, list[float]]:  # noqa: N802  # HiGHS's name.
        return None, False, []


class NegativeRay:
    """HiGHS where it gives the ray with the other sign."""

    def getDualRay(self) -> tuple[None, bool, list[float]]:  # noqa: N802  # HiGHS's name.
        return None, True, [-2.0, -1.0]


def test_a_missing_ray_refutes_nothing_and_its_sign_does_not_matter() -> None:
    program = lp._Program(1)
    block = np.array([[1.0], [-2.0]])
    program.add(block, 0.0, np.inf)

    absent, negative = cast("Any", NoRay()), cast("Any", NegativeRay())

    ray = lp._farkas(negative, program, block)

    assert lp._farkas(absent, program, block) is None
    assert ray is not None
    assert ray[0].tolist() == [1.0, 0.5]
    assert ray[1].tolist() == [0.0]
