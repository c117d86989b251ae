# SPDX-License-Identifier: Apache-2.0
"""Proofs of small random networks that needed splits, and z3's word on what their cores claim."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from encoders.session import Session
from tests.generators import random_box, random_network, random_points, random_property
from verifier.engine.limits import Budget, silent
from verifier.engine.minimize import minimize
from verifier.engine.problem import Problem
from verifier.engine.search import Search, whole
from verifier.engine.statistics import Statistics
from verifier.exact_solver import Z3
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.fingerprint import fingerprint
from verifier.options import EngineOptions
from verifier.proof.literals import Phase
from verifier.proof.muc import Leaf
from verifier.proof.store import Proof
from verifier.spec.fingerprint import property_fingerprint
from verifier.spec.property import Case, LinearConstraint, Property
from verifier.verdict import Answer, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from encoders.base import Literal as EncodedLiteral
    from verifier.ir.graph import Graph
    from verifier.proof.literals import Path
    from verifier.proof.muc import Core

ON_INPUTS = EngineOptions(input_split_width=12)
ON_PHASES = EngineOptions(input_split_width=0)


class Proved(NamedTuple):
    """A network, a property that holds, and the proof."""

    graph: Graph
    prop: Property
    proof: Proof


@cache
def proved(seed: int, options: EngineOptions) -> Proved | None:
    """Return the seed's proof, if its property holds and it took more than one core.

    Made without ``prove``, which ends minimising by the clock: here all runs give the same proof.
    """
    graph, prop = drawn(seed)
    problem, found = unminimized(graph, prop, options)
    cores, leaves = minimize(problem, found, Budget())
    if len(cores) < 2:
        return None
    proof = proof_of(graph, prop, cores, leaves)
    return Proved(graph, prop, replace(proof, tightened=problem.tightened))


def proof_of(
    graph: Graph, prop: Property, cores: Sequence[Core], leaves: Sequence[Leaf] | None = None
) -> Proof:
    """Return a proof by the given cores; by default each is its own leaf."""
    if leaves is None:
        leaves = [Leaf(core.path, i) for i, core in enumerate(cores)]
    return Proof(
        fingerprint(graph),
        property_fingerprint(prop),
        graph.layer_widths,
        Verdict.HOLDS,
        tuple(cores),
        tuple(leaves),
        None,
        0.25,
    )


def proofs(count: int, options: EngineOptions) -> list[Proved]:
    """Return the first proofs that needed splits."""
    found: list[Proved] = []
    seed = 0
    while len(found) < count:
        proof = proved(seed, options)
        seed += 1
        if proof is not None:
            found.append(proof)
    return found


def drawn(seed: int) -> tuple[Graph, Property]:
    """Return a network of up to ten neurons with a property of one or two cases near the border."""
    rng = np.random.default_rng(seed)
    widths = [int(rng.integers(3, 6)) for _ in range(int(rng.integers(1, 3)))]
    graph = random_network(rng, 2, widths, 2, skip_probability=0.3)
    prop = random_property(rng, graph, radius=2.0, margin=float(rng.choice([0.03, 0.1])))
    if rng.random() < 0.5:
        other = random_property(rng, graph, radius=1.0, margin=0.05)
        box = prop.cases[0].box if rng.random() < 0.5 else random_box(rng, 2, 1.0)
        extra = two_rows(rng, graph, Case(box, other.cases[0].constraints))
        prop = Property(2, 2, (*prop.cases, extra))
    return graph, prop


def two_rows(rng: np.random.Generator, graph: Graph, case: Case) -> Case:
    """Return the case with bounds that hold in its box, and with one row more."""
    values = [evaluate_exactly(graph, point) for point in random_points(rng, case.box, 32)]
    rows = tuple(
        LinearConstraint(
            (),
            ((output, Fraction(sign)),),
            min(sign * value[output] for value in values) - Fraction(1, 16),
        )
        for output, sign in ((0, 1), (1, -1))
    )
    return Case(case.box, rows)


def unminimized(graph: Graph, prop: Property, options: EngineOptions) -> tuple[Problem, list[Core]]:
    """Return the problem and the cores that a search found, with their leaves' full paths."""
    problem = Problem.of(graph, prop, input_split_width=options.input_split_width)
    run = search(problem, options)
    outcome = run.run(whole(problem))
    return problem, list(outcome.cores) if outcome.answer is Answer.UNSAT else []


def search(
    problem: Problem, options: EngineOptions = ON_INPUTS, budget: Budget | None = None
) -> Search:
    """Return a search with the exact solver at hand."""
    budget = Budget(60.0) if budget is None else budget
    exact = Z3(problem.graph, problem.prop)
    return Search(problem, options, budget, exact, Statistics(), silent)


def assert_cores(graph: Graph, prop: Property, cores: Iterable[Core]) -> None:
    """Assert, by z3 in exact arithmetic, that no core's region has a solution of its case."""
    with Session(graph, prop) as session:
        for core in cores:
            answer = session.solve(encoded(core.path), case=core.case)
            assert answer is Answer.UNSAT, (core.case, core.path)


def encoded(path: Path) -> Sequence[EncodedLiteral]:
    """Return a path as z3 is told of it."""
    return [
        (literal.neuron, literal.active)
        if isinstance(literal, Phase)
        else (literal.input, Fraction(literal.threshold), literal.below)
        for literal in path
    ]
