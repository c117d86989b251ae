# SPDX-License-Identifier: Apache-2.0
"""A search that is shared between processes: the same answers, and no worker is left behind."""

from __future__ import annotations

import multiprocessing
import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from tests.generators import random_network, random_property
from tests.oracles import decide_by_phase_enumeration
from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, assert_cores, proofs
from tests.proof.small_proofs import search as small_search
from verifier.engine import search as searching
from verifier.engine import shared_search as sharing
from verifier.engine.cover import cover
from verifier.engine.limits import Budget
from verifier.engine.problem import Problem
from verifier.engine.search import Outcome, Search, whole
from verifier.engine.shared_search import (
    Assignment,
    Report,
    Task,
    _Worker,
    search_together,
    searched,
)
from verifier.engine.statistics import Statistics
from verifier.errors import VerifierError
from verifier.exact_solver import Z3
from verifier.ir.evaluate import evaluate_exactly
from verifier.spec.counterexample import violates
from verifier.verdict import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.engine.search import Stack
    from verifier.ir.graph import Graph
    from verifier.options import EngineOptions
    from verifier.spec.property import Property

OPTIONS = pytest.mark.parametrize("options", [ON_INPUTS, ON_PHASES], ids=["inputs", "phases"])


def alone(graph: Graph, prop: Property, options: EngineOptions) -> Search:
    problem = Problem.of(graph, prop, input_split_width=options.input_split_width)
    return small_search(problem, options)


def drawn(seed: int, margin: float) -> tuple[Graph, Property]:
    rng = np.random.default_rng(seed)
    graph = random_network(rng, 2, [4, 4], 2, skip_probability=0.3)
    return graph, random_property(rng, graph, radius=1.0, margin=margin)


class Here:
    """The connection to a worker that does its work when it is handed out, in this process."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._report: Report | None = None

    def send(self, packet: tuple[list[Task], float | None]) -> None:
        assert self._report is None
        tasks, _ = packet
        own = replace(self._search, cores=[], statistics=Statistics(), share=None)
        self._report = searched(own, tasks)

    def recv(self) -> Report | None:
        report, self._report = self._report, None
        return report


@contextmanager
def crew_of_two(search: Search) -> Iterator[list[Any]]:
    yield [_Worker(cast("Any", None), cast("Any", Here(search))) for _ in range(2)]


@pytest.mark.slow
@OPTIONS
@pytest.mark.parametrize("margin", [-0.02, 0.0, 0.05])
def test_packets_account_for_everything_that_is_open(
    options: EngineOptions, margin: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "SHARED_FROM", 1)
    monkeypatch.setattr(sharing, "PACKET", 2)
    monkeypatch.setattr(sharing, "_crew", crew_of_two)
    monkeypatch.setattr(sharing, "wait", lambda connections, _: connections)
    shared = 0

    def counted(search: Search, stack: Stack) -> Outcome:
        nonlocal shared
        shared += 1
        return search_together(search, stack)

    for seed in range(30):
        graph, prop = drawn(seed, margin)
        search = alone(graph, prop, options)
        search.share = counted
        outcome = search.run(whole(search.problem))

        expected, _ = decide_by_phase_enumeration(graph, prop)
        assert outcome.answer is expected
        if outcome.point is not None:
            assert violates(prop, outcome.point, evaluate_exactly(graph, outcome.point))
        if outcome.answer is Answer.UNSAT:
            assert_cores(graph, prop, outcome.cores)
            assert cover(outcome.cores, len(prop.cases)) is not None
    assert shared >= 2


def open_search(options: EngineOptions, expected: Answer) -> tuple[Search, Stack]:
    """Return a search by two processes, with work left after its first regions."""
    holding = [(proved.graph, proved.prop) for proved in proofs(12, options)]
    violated = (drawn(seed, -0.02) for seed in range(200))
    for graph, prop in holding if expected is Answer.UNSAT else violated:
        search = alone(graph, prop, replace(options, processes=2))
        stack = search.opened(whole(search.problem))
        left = [list(attempts) for attempts in stack]
        if search.advance(left) is None and left:
            search.cores.clear()
            found = replace(search, cores=[]).run(whole(search.problem))
            if found.answer is expected:
                return search, stack
    raise AssertionError


@pytest.mark.slow
@OPTIONS
@pytest.mark.parametrize("expected", [Answer.UNSAT, Answer.SAT])
def test_processes_finish_what_one_began(options: EngineOptions, expected: Answer) -> None:
    search, stack = open_search(options, expected)
    prop, graph = search.problem.prop, search.problem.graph

    outcome = search_together(search, stack)

    assert outcome.answer is expected
    if expected is Answer.UNSAT:
        assert cover(outcome.cores, len(prop.cases)) is not None
        assert_cores(graph, prop, outcome.cores)
    else:
        assert outcome.point is not None
        assert violates(prop, outcome.point, evaluate_exactly(graph, outcome.point))
    assert not multiprocessing.active_children()


def test_without_time_nothing_is_claimed() -> None:
    search, stack = open_search(ON_PHASES, Answer.UNSAT)
    search.budget = Budget(0.0)

    outcome = search_together(search, stack)

    assert outcome.answer is Answer.UNKNOWN
    assert outcome.reason.startswith("time limit reached with ")
    assert not multiprocessing.active_children()


class Ends:
    """An exact solver that ends the process that it is sent to."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


@pytest.mark.slow
def test_a_process_that_ends_early_is_an_error_with_a_way_out() -> None:
    search, stack = open_search(ON_PHASES, Answer.UNSAT)
    search.exact = Ends()  # type: ignore[assignment]

    with pytest.raises(VerifierError, match=r"ended with exit code 3: .*processes=1 does without"):
        search_together(search, stack)
    assert not multiprocessing.active_children()


@OPTIONS
def test_a_worker_has_the_bounds_of_the_search_that_it_works_for(options: EngineOptions) -> None:
    for proved in proofs(6, options):
        problem = alone(proved.graph, proved.prop, options).problem
        halved = [
            [replace(part, slopes=part.slopes / 2) for part in parts] for parts in problem.tightened
        ]
        width = options.input_split_width
        given = Problem.of(proved.graph, proved.prop, input_split_width=width, given=halved)
        what = Assignment(proved.graph, proved.prop, given.tightened, options, Z3(*proved[:2]))

        for own, theirs in zip(what.problem().groups, given.groups, strict=True):
            np.testing.assert_allclose(own.bounds.neurons.lower, theirs.bounds.neurons.lower, 1e-12)
            np.testing.assert_allclose(own.bounds.neurons.upper, theirs.bounds.neurons.upper, 1e-12)
