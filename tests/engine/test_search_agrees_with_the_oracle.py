# SPDX-License-Identifier: Apache-2.0
"""Search against trying every phase pattern, with both kinds of split; its cores against z3."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.session import Session
from tests.bounds import tangled_networks as tangled
from tests.generators import networks, properties, random_network, random_property
from tests.oracles import decide_by_phase_enumeration, violates
from verifier.engine.limits import Budget, Progress, silent
from verifier.engine.problem import Problem
from verifier.engine.protocols import ExactAnswer
from verifier.engine.search import Outcome, Search, whole
from verifier.engine.statistics import Statistics
from verifier.ir.graph import Graph, Neuron, Node
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.passes.normalize import normalize
from verifier.ir.rational import RationalArray
from verifier.options import EngineOptions
from verifier.proof.literals import Path, Phase
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.verdict import Answer

if TYPE_CHECKING:
    from encoders.base import Literal

INPUTS = EngineOptions()
PHASES = EngineOptions(input_split_width=0)
HINTS = EngineOptions(minimize=False)
"""For a verdict alone, multipliers are tried on parts of the region they were found for."""


def assumptions(path: Path) -> list[Literal]:
    """Return a path as z3 is told of it."""
    return [
        (literal.neuron, literal.active)
        if isinstance(literal, Phase)
        else (literal.input, Fraction(literal.threshold), literal.below)
        for literal in path
    ]


Bounds = Mapping[Neuron, tuple[Fraction, Fraction]]


class Exact:
    """The exact solver of a search: z3, which keeps what it was asked and what it answered."""

    def __init__(self, graph: Graph, prop: Property) -> None:
        self._graph, self._property = graph, prop
        self.answers: list[tuple[int, Path, Answer]] = []

    def decide(
        self, case: int, path: Path, bounds: Bounds, timeout_seconds: float | None
    ) -> ExactAnswer:
        with Session(self._graph, self._property, bounds=bounds) as session:
            answer = session.solve(assumptions(path), timeout_seconds=timeout_seconds, case=case)
            self.answers.append((case, path, answer))
            return ExactAnswer(answer, session.model_point() if answer is Answer.SAT else None)


class GivesUp:
    """An exact solver whose time is always over."""

    def decide(
        self, case: int, path: Path, bounds: Bounds, timeout_seconds: float | None
    ) -> ExactAnswer:
        del case, path, bounds, timeout_seconds
        return ExactAnswer(Answer.UNKNOWN)


def search(
    graph: Graph, prop: Property, options: EngineOptions, seconds: float = 60.0
) -> tuple[Outcome, Exact]:
    problem = Problem.of(graph, prop, input_split_width=options.input_split_width)
    exact = Exact(graph, prop)
    run = Search(problem, options, Budget(seconds), exact, Statistics(), silent)
    return run.run(whole(problem)), exact


def assert_right(graph: Graph, prop: Property, options: EngineOptions) -> Exact:
    """Assert that the answer is the oracle's, that a counterexample replays, that cores hold."""
    outcome, exact = search(graph, prop, options)
    expected, _ = decide_by_phase_enumeration(graph, prop)

    assert outcome.answer is expected
    if outcome.answer is Answer.SAT:
        assert outcome.point is not None
        assert violates(prop, graph, outcome.point)
    with Session(graph, prop) as session:
        for core in outcome.cores:
            assert session.solve(assumptions(core.path), case=core.case) is Answer.UNSAT
    return exact


@pytest.mark.slow
@pytest.mark.parametrize("options", [INPUTS, PHASES, HINTS], ids=["inputs", "phases", "hints"])
@given(data=st.data())
def test_any_drawn_property_is_decided_as_by_enumeration(
    options: EngineOptions, data: st.DataObject
) -> None:
    graph = data.draw(networks(max_neurons=8))
    prop = data.draw(properties(graph))

    assert_right(graph, prop, options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [INPUTS, PHASES, HINTS], ids=["inputs", "phases", "hints"])
@pytest.mark.parametrize("margin", [-0.02, 0.0, 1e-9, 0.05])
def test_random_properties_near_the_border_are_decided_as_by_enumeration(
    options: EngineOptions, margin: float
) -> None:
    rng = np.random.default_rng(int(1000 * margin) + 100)
    for _ in range(15):
        widths = [int(w) for w in rng.integers(1, 5, size=int(rng.integers(1, 4)))]
        graph = random_network(rng, 2, widths, 2, skip_probability=0.3)
        prop = random_property(rng, graph, radius=1.0, margin=margin)

        assert_right(graph, prop, options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [INPUTS, PHASES, HINTS], ids=["inputs", "phases", "hints"])
@pytest.mark.parametrize("entry", tangled.KINDS)
def test_tangled_networks_are_decided_as_by_enumeration(
    options: EngineOptions, entry: tangled.Entry
) -> None:
    rng = np.random.default_rng(7)
    for _ in range(15):
        graph = normalize(tangled.network(rng, entry))
        box = tangled.some_box(rng, graph.input_width)
        prop = tangled.some_property(rng, graph, box)

        assert_right(graph, prop, options)


def relu_of_one_input(coefficient: int, bound: Fraction, *, strict: bool) -> tuple[Graph, Property]:
    """Return ``relu(x)`` on [-1, 1] and one constraint on it."""
    graph = tangled.chain(Fraction(1), Fraction(1))
    constraint = LinearConstraint((), ((0, Fraction(coefficient)),), bound, strict)
    box = InputBox((Fraction(-1),), (Fraction(1),))
    return graph, Property(1, 1, (Case(box, (constraint,)),))


@pytest.mark.parametrize("options", [INPUTS, PHASES, HINTS], ids=["inputs", "phases", "hints"])
@pytest.mark.parametrize(
    ("coefficient", "bound", "strict"),
    [
        (1, Fraction(0), True),
        (1, Fraction(-1, 2**60), False),
        (-1, Fraction(-1), True),
        (-1, Fraction(-1) - Fraction(1, 2**60), False),
    ],
    ids=["y < 0", "y <= -2^-60", "y > 1", "y >= 1 + 2^-60"],
)
def test_what_only_exact_arithmetic_can_tell_is_asked_of_the_exact_solver(
    options: EngineOptions, coefficient: int, bound: Fraction, strict: bool
) -> None:
    graph, prop = relu_of_one_input(coefficient, bound, strict=strict)

    exact = assert_right(graph, prop, options)

    assert exact.answers
    assert all(answer is Answer.UNSAT for _, _, answer in exact.answers)


@pytest.mark.parametrize("options", [INPUTS, PHASES, HINTS], ids=["inputs", "phases", "hints"])
def test_a_counterexample_that_no_float_can_be_comes_from_the_exact_solver(
    options: EngineOptions,
) -> None:
    graph = tangled.chain(Fraction(3), Fraction(1))
    rows = (
        LinearConstraint((), ((0, Fraction(1)),), Fraction(1)),
        LinearConstraint((), ((0, Fraction(-1)),), Fraction(-1)),
    )
    box = InputBox((Fraction(-1),), (Fraction(1),))
    prop = Property(1, 1, (Case(box, rows),))

    outcome, exact = search(graph, prop, options)

    assert outcome.answer is Answer.SAT
    assert outcome.point == (Fraction(1, 3),)
    assert [answer for _, _, answer in exact.answers] == [Answer.SAT]


def test_an_exact_solver_that_gives_up_leaves_the_property_unknown() -> None:
    graph, prop = relu_of_one_input(1, Fraction(0), strict=True)
    problem = Problem.of(graph, prop)
    run = Search(problem, INPUTS, Budget(), GivesUp(), Statistics(), silent)

    outcome = run.run(whole(problem))

    assert outcome.answer is Answer.UNKNOWN
    assert "exact solver" in outcome.reason


def test_a_spent_budget_leaves_the_property_unknown_and_says_what_is_open() -> None:
    graph, prop = relu_of_one_input(1, Fraction(0), strict=False)

    outcome, _ = search(graph, prop, INPUTS, seconds=0.0)

    assert outcome.answer is Answer.UNKNOWN
    assert outcome.reason == "time limit reached with 1 regions open"


def test_cases_over_different_boxes_are_all_searched() -> None:
    graph, holds = relu_of_one_input(1, Fraction(-1), strict=False)
    _, violated = relu_of_one_input(-1, Fraction(-1, 2), strict=False)
    prop = Property(1, 1, (*holds.cases, *violated.cases))

    outcome, _ = search(graph, prop, INPUTS)

    assert outcome.answer is Answer.SAT
    assert [core.case for core in outcome.cores] in ([], [0])


def test_progress_and_calls_are_counted() -> None:
    graph, prop = relu_of_one_input(1, Fraction(0), strict=True)
    problem, statistics = Problem.of(graph, prop), Statistics()
    heard: list[Progress] = []
    bounds: list[float | None] = []

    def hear(progress: Progress) -> None:
        heard.append(progress)
        bounds.append(progress.bound)

    run = Search(problem, PHASES, Budget(), Exact(graph, prop), statistics, hear)

    outcome = run.run(whole(problem))

    assert outcome.answer is Answer.UNSAT
    counts = [(0, 1), (0, 2), (2, 0)]
    assert heard == [Progress("search", done, left) for done, left in counts]
    # Of the part with y = z nothing better is known by default slopes alone than z >= -1.
    assert bounds == [pytest.approx(0.0, abs=1e-9), pytest.approx(-1.0), None]
    assert statistics.calls == {"bound": 2, "program": 3, "exact": 2}


def test_regions_that_a_counterexample_leaves_open_are_not_told_as_closed() -> None:
    graph, prop = relu_of_one_input(1, Fraction(0), strict=False)
    heard: list[Progress] = []
    problem, exact = Problem.of(graph, prop), Exact(graph, prop)
    run = Search(problem, PHASES, Budget(), exact, Statistics(), heard.append)

    outcome = run.run(whole(problem))

    assert outcome.answer is Answer.SAT
    assert all(progress.open > 0 for progress in heard)


def test_a_property_without_cases_needs_no_search() -> None:
    graph, _ = relu_of_one_input(1, Fraction(0), strict=False)

    outcome, _ = search(graph, Property(1, 1, ()), INPUTS)

    assert outcome.answer is Answer.UNSAT
    assert outcome.cores == ()


def test_a_row_that_is_tied_over_an_area_is_decided_by_phases() -> None:
    # A sum of ReLUs is 0 wherever all of them are inactive, so no box in that area, however small,
    # has a positive bound for ``y < 0``. By cutting boxes alone the search would not end.
    kinks = RationalArray.from_floats(np.array([[8.0, k] for k in range(-6, 7, 2)]))
    affine = Affine((kinks,), RationalArray.zeros((7,)))
    output = Affine((RationalArray.from_floats(np.ones((1, 7))),), RationalArray.zeros((1,)))
    nodes = (
        Node("x", Input(), (), 2),
        Node("z", affine, (0,), 7),
        Node("r", Relu(), (1,), 7),
        Node("y", output, (2,), 1),
    )
    graph = Graph(nodes, "x", "y")
    row = LinearConstraint((), ((0, Fraction(1)),), Fraction(0), strict=True)
    box = InputBox((Fraction(-1),) * 2, (Fraction(1),) * 2)

    outcome, _ = search(graph, Property(2, 1, (Case(box, (row,)),)), INPUTS, seconds=60.0)

    assert outcome.answer is Answer.UNSAT
