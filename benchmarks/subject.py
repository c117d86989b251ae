# SPDX-License-Identifier: Apache-2.0
"""A variant with all that may help to verify it, and how a way that is not the product's is run.

Ways that are measured beside the product's are put together from the engine's parts: they get the
same short attack, the same search and the same check that cores cover everything, so that they
differ in what they take from the original's proof and in nothing else. Their cores get no
certificate: a verdict is held against those by the other ways, which have one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.engine.attack import attack
from verifier.engine.cover import cover
from verifier.engine.limits import Budget, silent
from verifier.engine.problem import Problem
from verifier.engine.search import Outcome, Search, whole
from verifier.engine.statistics import Statistics
from verifier.exact_solver import Z3
from verifier.pipeline import ATTACK_STEPS, Result
from verifier.spec.counterexample import replay_exactly
from verifier.verdict import Answer, Semantics, verdict_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.change.neuron_map import NeuronMap
    from verifier.engine.clauses import CasePath
    from verifier.ir.graph import Graph
    from verifier.options import EngineOptions
    from verifier.proof.store import Proof
    from verifier.spec.property import Property


@dataclass(frozen=True, eq=False)
class Subject:
    """A variant to verify.

    Attributes:
        graph: The variant.
        prop: The property.
        original: The network that it was made from.
        proof: The original's proof.
        leaves: Case and path of each leaf of a plain search of the original.
        neuron_map: From the original's neurons to the variant's.
        options: How to search.
    """

    graph: Graph
    prop: Property
    original: Graph
    proof: Proof
    leaves: Sequence[CasePath]
    neuron_map: NeuronMap
    options: EngineOptions


def search_of(graph: Graph, prop: Property, options: EngineOptions) -> Search:
    """Return a search that has not begun, with its clock running."""
    budget, statistics = Budget(options.timeout_seconds), Statistics()
    with statistics.timing("bound"):
        width = options.input_split_width
        problem = Problem.of(graph, prop, compiled=options.compiled, input_split_width=width)
    return Search(problem, options, budget, Z3(graph, prop), statistics, silent)


def attacked(search: Search) -> Outcome | None:
    """Return what the attack finds that reuse starts with."""
    with search.statistics.timing("attack"):
        point = attack(search.problem, search.options.seed, ATTACK_STEPS)
    return None if point is None else Outcome(Answer.SAT, (), point)


def concluded(search: Search, outcome: Outcome) -> Result:
    """Return the result of an outcome, once its cores are seen to cover everything.

    Where they do not, because a literal was lost between the networks, the search starts afresh.
    """
    cases = len(search.problem.prop.cases)
    if outcome.answer is Answer.UNSAT:
        with search.statistics.timing("cover"):
            is_covered = cover(outcome.cores, cases) is not None
        if not is_covered:
            search.cores.clear()
            with search.statistics.timing("scratch"):
                outcome = search.run(whole(search.problem))
    return result_of(search, outcome)


def result_of(search: Search, outcome: Outcome) -> Result:
    """Return the result of an outcome; a counterexample is replayed."""
    counterexample = None
    if outcome.point is not None:
        problem = search.problem
        counterexample = replay_exactly(problem.graph, problem.prop, outcome.point)
        if counterexample is None:
            msg = f"the point {outcome.point} does not violate the property"
            raise RuntimeError(msg)
    return Result(
        verdict_of(outcome.answer),
        outcome.reason,
        Semantics.REAL,
        search.budget.spent_seconds,
        counterexample,
        search.statistics,
    )
