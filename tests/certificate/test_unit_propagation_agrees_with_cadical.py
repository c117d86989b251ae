# SPDX-License-Identifier: Apache-2.0
"""Proofs that CaDiCaL writes are accepted; steps that do not follow are not."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysat.solvers import Solver

from verifier.certificate.unit_propagation import ClauseSet

if TYPE_CHECKING:
    from collections.abc import Sequence

Clauses = list[list[int]]
VARIABLES = 6


def clauses(variables: int = VARIABLES) -> st.SearchStrategy[Clauses]:
    literals = st.integers(1, variables).flatmap(lambda v: st.sampled_from([v, -v]))
    return st.lists(st.lists(literals, max_size=4), max_size=24)


def known(formula: Clauses, variables: int = VARIABLES) -> ClauseSet:
    result = ClauseSet(variables)
    for clause in formula:
        result.add(clause)
    return result


def models(formula: Clauses, variables: int = VARIABLES) -> list[tuple[bool, ...]]:
    return [
        values
        for values in product([False, True], repeat=variables)
        if all(is_true(clause, values) for clause in formula)
    ]


def is_true(clause: Sequence[int], values: Sequence[bool]) -> bool:
    return any(values[abs(literal) - 1] == (literal > 0) for literal in clause)


def propagates_to_conflict(formula: Clauses, assumed: set[int]) -> bool:
    """Do what the checker does, without any data structure."""
    true = set(assumed)
    while True:
        if any(-literal in true for literal in true):
            return True
        found = set()
        for clause in formula:
            if not set(clause) & true:
                open_literals = {literal for literal in clause if -literal not in true}
                if not open_literals:
                    return True
                if len(open_literals) == 1:
                    found |= open_literals
        if not found:
            return False
        true |= found


@given(formula=clauses(), steps=st.lists(st.lists(st.integers(-6, 6).filter(bool), max_size=3)))
def test_each_step_is_judged_as_naive_propagation_judges_it(
    formula: Clauses, steps: Clauses
) -> None:
    state, growing = known(formula), list(formula)

    for step in steps:
        expected = propagates_to_conflict(growing, {-literal for literal in step})
        assert state.implies(step) is expected
        assert state.implies(step) is expected, "asking must not change the answer"
        if expected:
            state.add(step)
            growing.append(step)


@given(formula=clauses(), step=st.lists(st.integers(-6, 6).filter(bool), max_size=3))
def test_what_is_said_to_follow_holds_in_every_model(formula: Clauses, step: list[int]) -> None:
    if known(formula).implies(step):
        assert all(is_true(step, values) for values in models(formula))


def test_a_literal_beyond_the_variables_is_an_error() -> None:
    with pytest.raises(ValueError, match="literal 7"):
        ClauseSet(6).add([7])
    with pytest.raises(ValueError, match="literal 0"):
        ClauseSet(6).add([0])


def random_formula(rng: np.random.Generator, variables: int, ratio: float) -> Clauses:
    return [
        [int(v) * int(rng.choice([-1, 1])) for v in rng.choice(variables, 3, replace=False) + 1]
        for _ in range(int(ratio * variables))
    ]


def proof_of(formula: Clauses) -> Clauses | None:
    """Return CaDiCaL's steps, deletions left out, or nothing if the formula is satisfiable."""
    with Solver(name="cadical195", bootstrap_with=formula, with_proof=True) as solver:
        if solver.solve():
            return None
        lines = [line.split() for line in solver.get_proof()]
    return [[int(word) for word in line[:-1]] for line in lines if line[0] != "d"]


def refuted(formula: Clauses, steps: Clauses, variables: int) -> bool:
    state = known(formula, variables)
    for step in steps:
        if not state.implies(step):
            return False
        state.add(step)
    return state.is_contradictory


@pytest.mark.parametrize("seed", range(8))
def test_proofs_of_cadical_are_accepted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    formula = random_formula(rng, 40, 5.5)
    steps = proof_of(formula)

    assert steps is not None, "the seed gives a satisfiable formula"
    assert refuted(formula, steps, 40)


@pytest.mark.parametrize("seed", range(8))
def test_no_mutated_proof_refutes_a_satisfiable_formula(seed: int) -> None:
    """Of an unsatisfiable core, dropping any clause leaves something satisfiable."""
    rng = np.random.default_rng(seed)
    formula = random_formula(rng, 12, 7.0)
    steps = proof_of(formula)
    assert steps is not None, "the seed gives a satisfiable formula"

    for _ in range(60):
        smaller = [clause for clause in formula if rng.random() < 0.7]
        with Solver(name="cadical195", bootstrap_with=smaller) as solver:
            is_satisfiable = solver.solve()
        mutated = [mutation(rng, step) for step in steps]
        if is_satisfiable:
            assert not refuted(smaller, [*mutated, []], 12)


def mutation(rng: np.random.Generator, step: list[int]) -> list[int]:
    """Return the step, or a step with a literal negated or left out."""
    if not step or rng.random() < 0.7:
        return step
    place = int(rng.integers(len(step)))
    replaced = [-step[place]] if rng.random() < 0.5 else []
    return [*step[:place], *replaced, *step[place + 1 :]]


@pytest.mark.slow
def test_a_long_proof_of_cadical_is_accepted() -> None:
    rng = np.random.default_rng(3)
    formula = random_formula(rng, 200, 4.6)
    steps = proof_of(formula)

    assert steps is not None
    assert len(steps) > 5000
    assert refuted(formula, steps, 200)
