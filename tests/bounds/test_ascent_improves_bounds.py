# SPDX-License-Identifier: Apache-2.0
"""Ascent: never worse than its start, never more than is true, and right in its gradient."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.bounds import tangled_networks as tangled
from tests.bounds.escapes import literals_at, region_of, satisfies
from tests.bounds.test_faults_are_noticed import Fault, seed
from tests.generators import random_network, random_property
from verifier.bounds import accelerator, ascent
from verifier.bounds.accelerator import PROCESSOR, find_device, torch_device
from verifier.bounds.ascent import Ascended, Forms, Regions, Start, ascend
from verifier.engine.climb import climb
from verifier.engine.evaluate import Query, evaluate
from verifier.engine.problem import Problem
from verifier.engine.region import phases_of
from verifier.ir.evaluate import evaluate_exactly

if TYPE_CHECKING:
    from verifier.bounds.accelerator import Device
    from verifier.ir.graph import Graph
    from verifier.proof.literals import Path
    from verifier.spec.property import Property


def ascended(problem: Problem, path: Path, steps: int, device: Device = PROCESSOR) -> Ascended:
    """Ascend on each row of the first case over a region."""
    region, rows = region_of(problem, path), problem.groups[0].objectives[0]
    members = np.zeros(rows.count, dtype=np.intp)
    lines = region.bounds.relaxation.take(members)
    start = Start(np.eye(rows.count), lines.alpha, np.zeros_like(lines.alpha))
    regions = Regions(lines, region.bounds.box, phases_of(problem, [path] * rows.count))
    forms = Forms(rows.coefficients, rows.constant)
    return ascend(problem.layers, forms, regions, start, steps, device)


def some_problem(rng: np.random.Generator, trial: int) -> tuple[Problem, list[Path]]:
    graph = tangled.network(rng, tangled.KINDS[trial % 2], widths=(4, 3, 4))
    box = tangled.some_box(rng, graph.input_width)
    problem = Problem.of(graph, tangled.some_property(rng, graph, box), input_split_width=0)
    return problem, [(), literals_at(rng, graph, box.lower, 3)]


def test_an_ascent_never_ends_below_its_start() -> None:
    rng = np.random.default_rng(31)
    better = 0
    for trial in range(40):
        problem, paths = some_problem(rng, trial)
        for path in paths:
            start, end = ascended(problem, path, 0), ascended(problem, path, 20)

            assert (end.value >= start.value).all()
            better += bool((end.value > start.value).any())
    assert better > 10


def test_what_an_ascent_finds_is_in_range() -> None:
    rng = np.random.default_rng(32)
    for trial in range(40):
        problem, paths = some_problem(rng, trial)
        for path in paths:
            found = ascended(problem, path, 20)
            box = problem.groups[0].bounds.box

            assert ((found.best.alpha >= 0.0) & (found.best.alpha <= 1.0)).all()
            assert (found.best.masses >= 0.0).all()
            assert (found.best.weights == np.eye(len(found.value))).all()
            spread = 1e-6 * (1.0 + box.magnitude)
            assert (found.points >= box.lower - spread).all()
            assert (found.points <= box.upper + spread).all()


def test_no_refutation_claims_more_than_its_evaluation_or_than_any_point_allows() -> None:
    rng = np.random.default_rng(33)
    cores = 0
    for trial in range(40):
        problem, paths = some_problem(rng, trial)
        box = problem.prop.cases[0].box
        for path in paths:
            query = Query(region_of(problem, path), 0)
            (attempt,) = climb(problem, [query])
            if attempt.core is None or attempt.core.multipliers is None:
                assert attempt.bound.value[0] <= 0.0
                continue
            cores += 1
            weights = [Fraction(float(w)) for w in attempt.core.multipliers.rows]

            assert evaluate(problem, [query], [attempt.core.multipliers]).value[0] == (
                pytest.approx(attempt.core.margin, rel=1e-12)
            )
            for point in tangled.some_points(rng, box):
                if satisfies(problem.graph, path, point):
                    assert Fraction(attempt.core.margin) <= worth(problem, weights, point)
    assert cores > 10


def worth(problem: Problem, weights: list[Fraction], point: tuple[Fraction, ...]) -> Fraction:
    """Return what the weighed rows of the first case are worth at a point, exactly."""
    output = evaluate_exactly(problem.graph, point)
    return sum(
        (
            weight
            * (
                sum((c * output[j] for j, c in row.outputs), Fraction(0))
                + sum((c * point[i] for i, c in row.inputs), Fraction(0))
                - row.bound
            )
            for weight, row in zip(weights, problem.prop.cases[0].constraints, strict=True)
        ),
        Fraction(0),
    )


FAULTS = (
    Fault(ascent._Climb._gradient, "(space.abs(nu) + nu) / 2 * z", "-(space.abs(nu) + nu) / 2 * z"),
    Fault(ascent._Climb._gradient, "-live.phases[k] * z", "live.phases[k] * z"),
)


def sum_of_bounds() -> float:
    """Return how much is gained in a fixed series of regions with literals."""
    rng, gained = np.random.default_rng(34), 0.0
    for trial in range(30):
        problem, paths = some_problem(rng, trial)
        for path in paths:
            end, start = ascended(problem, path, 20).value, ascended(problem, path, 0).value
            gained += float(np.clip(end - start, 0.0, 1.0).sum())
    return gained


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.wrong)
def test_a_wrong_sign_in_the_gradient_is_noticed(
    fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = sum_of_bounds()
    seed(monkeypatch, fault)

    assert sum_of_bounds() < 0.8 * right


def test_tightened_bounds_are_within_the_loose_ones() -> None:
    rng = np.random.default_rng(35)
    tighter = 0
    for trial in range(40):
        problem, _ = some_problem(rng, trial)
        loose, tight = problem.groups[0].loose.neurons, problem.groups[0].bounds.neurons

        assert (tight.lower >= loose.lower).all()
        assert (tight.upper <= loose.upper).all()
        tighter += bool((tight.lower > loose.lower).any() or (tight.upper < loose.upper).any())
    assert tighter > 5


def robust(seed_: int) -> tuple[Graph, Property]:
    rng = np.random.default_rng(seed_)
    graph = random_network(rng, 3, [8, 8, 8], 2)
    return graph, random_property(rng, graph, radius=1.0, margin=0.2)


@pytest.mark.slow
def test_numpy_and_torch_ascend_alike() -> None:
    pytest.importorskip("torch")
    device = torch_device("cpu")
    for number in range(10):
        graph, prop = robust(number)
        problem = Problem.of(graph, prop, input_split_width=0)

        ours, theirs = ascended(problem, (), 20), ascended(problem, (), 20, device)

        assert ((ours.value > 0.0) == (theirs.value > 0.0)).all()
        assert ours.value == pytest.approx(theirs.value, rel=1e-3, abs=1e-3)


def test_without_torch_the_processor_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "find_spec", lambda _: None)

    assert find_device() is PROCESSOR
