# SPDX-License-Identifier: Apache-2.0
"""What is refuted has no solution: cores against z3, values against exact evaluation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from encoders.session import Session
from tests.bounds import tangled_networks as tangled
from tests.bounds.escapes import literals_at, region_of, some_multipliers
from tests.engine.test_search_agrees_with_the_oracle import assumptions
from verifier.engine.evaluate import Query, evaluate
from verifier.engine.limits import Budget
from verifier.engine.problem import Problem
from verifier.engine.refute import refute
from verifier.ir.graph import Neuron
from verifier.ir.passes.normalize import normalize
from verifier.proof.literals import Phase
from verifier.proof.muc import Multipliers
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.verdict import Answer


@pytest.mark.slow
@pytest.mark.parametrize("entry", tangled.KINDS)
@pytest.mark.parametrize(
    ("program_limit", "input_split_width"),
    [(-1, 12), (100, 12), (-1, 0)],
    ids=["bounds", "program", "ascent"],
)
def test_no_case_that_is_refuted_has_a_solution(
    entry: tangled.Entry, program_limit: int, input_split_width: int
) -> None:
    rng = np.random.default_rng(21)
    refuted = 0
    for _ in range(15):
        graph = normalize(tangled.network(rng, entry))
        box = tangled.some_box(rng, graph.input_width)
        prop = tangled.some_property(rng, graph, box)
        problem = Problem.of(graph, prop, input_split_width=input_split_width)
        point = tangled.some_points(rng, box)[2]
        path = literals_at(rng, graph, point, int(rng.integers(0, 4)))
        flipped = tuple(
            literal.negated() if rng.random() < 0.3 and isinstance(literal, Phase) else literal
            for literal in path
        )
        queries = [
            Query(region_of(problem, p), case) for p in ((), path, flipped) for case in (0, 1)
        ]

        attempts = refute(problem, queries, program_limit)

        with Session(graph, prop) as session:
            for attempt in attempts:
                if attempt.core is not None:
                    refuted += 1
                    literals = assumptions(attempt.core.path)
                    assert session.solve(literals, case=attempt.core.case) is Answer.UNSAT
    assert refuted > 10


def test_multipliers_of_a_core_give_its_margin_again() -> None:
    rng = np.random.default_rng(22)
    checked = 0
    for _ in range(40):
        graph = tangled.network(rng, tangled.dyadic)
        box = tangled.some_box(rng, graph.input_width)
        problem = Problem.of(graph, tangled.some_property(rng, graph, box))
        queries = [Query(region_of(problem, ()), case) for case in (0, 1)]
        for query, attempt in zip(queries, refute(problem, queries, 100), strict=True):
            if attempt.core is None or attempt.core.multipliers is None:
                continue
            checked += 1
            chosen = attempt.core.multipliers

            value = evaluate(problem, [query], [chosen]).value[0]

            assert value == pytest.approx(attempt.core.margin, rel=1e-12)
            assert (chosen.rows == chosen.rows.astype(np.float32)).all()
    assert checked > 5


def test_without_time_no_program_is_solved() -> None:
    rng = np.random.default_rng(24)
    solved = 0
    for _ in range(20):
        graph = tangled.network(rng, tangled.dyadic)
        box = tangled.some_box(rng, graph.input_width)
        problem = Problem.of(graph, tangled.some_property(rng, graph, box))
        queries = [Query(region_of(problem, ()), case) for case in (0, 1)]

        with_time = refute(problem, queries, 100, Budget())
        without = refute(problem, queries, 100, Budget(0.0))

        solved += sum(attempt.point is not None for attempt in with_time)
        for one, other in zip(without, with_time, strict=True):
            assert one.point is None
            assert one.core is None or other.core is not None
    assert solved > 5


def test_masses_of_literals_that_the_path_lacks_do_not_count() -> None:
    rng = np.random.default_rng(23)
    graph = tangled.network(rng, tangled.dyadic)
    box = tangled.some_box(rng, graph.input_width)
    problem = Problem.of(graph, tangled.some_property(rng, graph, box))
    query = Query(region_of(problem, ()), 0)
    count = problem.groups[0].objectives[0].count
    chosen = some_multipliers(rng, problem, count)

    with_masses = evaluate(problem, [query], [chosen]).value
    bare = Multipliers(chosen.rows, chosen.neurons, chosen.alpha, chosen.q)
    without = evaluate(problem, [query], [bare]).value

    assert with_masses == without


def test_a_batch_is_evaluated_as_each_query_alone() -> None:
    rng = np.random.default_rng(24)
    graph = tangled.network(rng, tangled.ninth)
    box = tangled.some_box(rng, graph.input_width)
    problem = Problem.of(graph, tangled.some_property(rng, graph, box))
    count = problem.groups[0].objectives[0].count
    path = literals_at(rng, graph, box.lower, 3)
    queries = [Query(region_of(problem, p), case) for p in ((), path) for case in (0, 1)]
    chosen = [some_multipliers(rng, problem, count) for _ in queries]

    together = evaluate(problem, queries, chosen).value

    for query, multipliers, value in zip(queries, chosen, together, strict=True):
        alone = evaluate(problem, [query], [multipliers]).value[0]
        assert value == pytest.approx(alone, rel=1e-9)


def test_rows_are_refuted_together_where_none_is_alone() -> None:
    """On [-1, 1] neither ``x <= -1/4`` nor ``-x <= -1/4`` is impossible; both together are."""
    graph = tangled.chain(Fraction(1), Fraction(1))
    rows = tuple(
        LinearConstraint(((0, Fraction(sign)),), ((0, Fraction(0)),), Fraction(-1, 4))
        for sign in (1, -1)
    )
    box = InputBox((Fraction(-1),), (Fraction(1),))
    problem = Problem.of(graph, Property(1, 1, (Case(box, rows),)))

    (attempt,) = refute(problem, [Query(region_of(problem, ()), 0)], -1)

    assert attempt.core is not None
    assert attempt.core.margin == pytest.approx(0.25)
    assert attempt.core.multipliers is not None
    assert attempt.core.multipliers.rows.tolist() == [0.5, 0.5]


def test_an_empty_region_refutes_every_case_without_multipliers() -> None:
    graph = tangled.chain(Fraction(1), Fraction(1))
    always = LinearConstraint((), ((0, Fraction(1)),), Fraction(5))
    box = InputBox((Fraction(1),), (Fraction(2),))
    problem = Problem.of(graph, Property(1, 1, (Case(box, (always,)),)))
    region = region_of(problem, (Phase(Neuron(0, 0), active=False),))

    (attempt,) = refute(problem, [Query(region, 0)], 100)

    assert attempt.core is not None
    assert attempt.core.multipliers is None
    assert attempt.core.margin == np.inf
