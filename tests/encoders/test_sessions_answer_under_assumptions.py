# SPDX-License-Identifier: Apache-2.0
"""Assumption cores and models of a session, checked by solvers that share nothing with it."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysmt.environment import Environment, get_env
from pysmt.logics import QF_LRA

import encoders.real_arithmetic
from encoders.session import Session
from tests.encoders.test_deciding_agrees_with_phase_enumeration import interval_bounds
from tests.generators import networks, properties, random_network, random_property
from tests.oracles import violates
from verifier.errors import RefusedError, UnsupportedError
from verifier.ir.evaluate import preactivations_exactly
from verifier.ir.graph import Neuron
from verifier.ir.operators import Relu
from verifier.spec.property import Case, LinearConstraint, Property
from verifier.verdict import Answer

if TYPE_CHECKING:
    from encoders.base import PhaseLiteral
    from verifier.ir.graph import Graph


def all_neurons(graph: Graph) -> list[Neuron]:
    return [Neuron(k, i) for k, width in enumerate(graph.layer_widths) for i in range(width)]


def obeys(graph: Graph, point: tuple[Fraction, ...], literals: list[PhaseLiteral]) -> bool:
    layers = preactivations_exactly(graph, point)
    values = [(layers[neuron.layer][neuron.index], active) for neuron, active in literals]
    return all(value >= 0 if active else value <= 0 for value, active in values)


@st.composite
def literals_of(draw: st.DrawFn, graph: Graph) -> list[PhaseLiteral]:
    neurons = draw(st.lists(st.sampled_from(all_neurons(graph)), unique=True))
    return [(neuron, draw(st.booleans())) for neuron in neurons]


def holding(seed: int = 3) -> tuple[Graph, Case]:
    """Return a network and a case that z3 refutes only with the help of phases."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, 2, (5, 5), 1)
    prop = random_property(rng, network, margin=-0.02)
    return network, prop.cases[0]


def test_pysmt_itself_still_loses_assumption_cores() -> None:
    """The reason for ``encoders/session.py``: when this fails, it may become simpler."""
    environment = Environment()
    manager = environment.formula_manager
    p, q = manager.Symbol("p"), manager.Symbol("q")
    with environment.factory.UnsatCoreSolver(name="z3", logic=QF_LRA) as solver:
        solver.add_assertion(manager.Not(manager.And(p, q)))

        assert not solver.solve([p, q])
        assert not {p, q} <= set(solver.get_unsat_core())


@pytest.mark.slow
@given(data=st.data())
def test_cores_are_subsets_that_a_new_solver_refutes_and_models_obey(data: st.DataObject) -> None:
    network = data.draw(networks(max_neurons=6))
    prop = data.draw(properties(network))
    bounded = data.draw(st.booleans()) and len({case.box for case in prop.cases}) == 1
    bounds = interval_bounds(network, prop.cases[0].box) if bounded else None

    with Session(network, prop, bounds=bounds) as session:
        for literals in (data.draw(literals_of(network)) for _ in range(3)):
            if session.solve(literals) is Answer.UNSAT:
                core = session.core(recheck=True)
                assert core <= set(literals)
                with Session(network, prop) as unbounded:
                    assert unbounded.solve(core) is Answer.UNSAT
            else:
                point = session.model_point()
                assert violates(prop, network, point)
                assert obeys(network, point, literals)


def test_refuted_phase_patterns_leave_exactly_the_feasible_ones() -> None:
    rng = np.random.default_rng(5)
    network = random_network(rng, 2, (3, 2), 1)
    case = random_property(rng, network, margin=-0.1).cases[0]
    neurons = all_neurons(network)
    reached = set()

    with Session(network, case) as session:
        for phases in product([True, False], repeat=len(neurons)):
            literals = list(zip(neurons, phases, strict=True))
            if session.solve(literals) is Answer.SAT:
                assert obeys(network, session.model_point(), literals)
                reached.add(phases)
            else:
                assert session.core() <= set(literals)

    assert 0 < len(reached) < 2 ** len(neurons)


def test_irrelevant_assumptions_stay_out_of_the_core() -> None:
    network, case = holding()
    neurons = all_neurons(network)
    never = Case(case.box, (LinearConstraint((), (), Fraction(-1)),))

    with Session(network, never) as session:
        assert session.solve([(neuron, True) for neuron in neurons]) is Answer.UNSAT
        assert session.core(recheck=True) == frozenset()


def test_assuming_both_phases_of_a_neuron_is_refused() -> None:
    network, case = holding()
    neuron = Neuron(0, 1)

    with Session(network, case) as session, pytest.raises(ValueError, match=r"\(0, 1\).*both"):
        session.solve([(neuron, True), (neuron, False)])


def test_a_stable_neuron_can_be_assumed_in_either_phase() -> None:
    network, case = holding()
    bounds = interval_bounds(network, case.box)
    stable = [n for n, (low, high) in bounds.items() if low > 0 or high < 0]
    anything = Case(case.box, ())

    assert stable
    with Session(network, anything, bounds=bounds) as session:
        for neuron in stable:
            active = bounds[neuron][0] > 0
            assert session.solve([(neuron, active)]) is Answer.SAT
            assert session.solve([(neuron, not active)]) is Answer.UNSAT
            assert session.core(recheck=True) == {(neuron, not active)}


def test_fixed_phases_are_granted_and_never_in_the_core() -> None:
    network, case = holding()
    anything = Case(case.box, ())
    neurons = all_neurons(network)

    with Session(network, anything) as free:
        assert free.solve() is Answer.SAT
        layers = preactivations_exactly(network, free.model_point())
    true = {n: layers[n.layer][n.index] >= 0 for n in neurons}
    strict = next(n for n in neurons if layers[n.layer][n.index] != 0)

    with Session(network, anything, fixed=true) as session:
        assert session.solve(list(true.items())) is Answer.SAT
        assert obeys(network, session.model_point(), list(true.items()))
    last = {n: phase for n, phase in true.items() if n != strict}
    with Session(network, anything, fixed=last) as session:
        if session.solve([(strict, not true[strict])]) is Answer.UNSAT:
            assert session.core(recheck=True) <= {(strict, not true[strict])}


def test_half_spaces_are_assumed_and_refuted_like_phases() -> None:
    network, case = holding()
    anything = Case(case.box, ())
    low, high = case.box.lower[0], case.box.upper[0]
    middle = (low + high) / 2
    neuron = (Neuron(0, 0), True)

    with Session(network, anything) as session:
        assert session.solve([(0, middle, True), (0, middle, False)]) is Answer.SAT
        assert session.model_point()[0] == middle
        assert session.solve([neuron, (0, low - 1, True), (1, 50.0, True)]) is Answer.UNSAT
        assert session.core(recheck=True) == {(0, low - 1, True)}
        assert session.solve([(0, float(high) + 1, True)]) is Answer.SAT
        with pytest.raises(ValueError, match="input 2 does not exist: there are 2"):
            session.solve([(2, 0.0, True)])


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=30)
def test_a_split_input_leaves_the_same_answer_in_two_parts(data: st.DataObject) -> None:
    network = data.draw(networks(max_neurons=4))
    prop = data.draw(properties(network, max_cases=1))
    threshold = data.draw(st.floats(-2, 2))

    with Session(network, prop) as session:
        whole = session.solve()
        parts = [session.solve([(0, threshold, below)]) for below in (True, False)]

    assert (Answer.SAT in parts) == (whole is Answer.SAT)


def test_a_case_can_be_asked_for_alone_and_never_shows_in_the_core() -> None:
    network, case = holding()
    impossible = Case(case.box, (LinearConstraint((), (), Fraction(-1)),))
    prop = Property(2, 1, (impossible, Case(case.box, ())))

    with Session(network, prop) as session:
        assert session.solve([(Neuron(0, 0), True)], case=0) is Answer.UNSAT
        assert session.core(recheck=True) == frozenset()
        assert session.solve(case=1) is Answer.SAT
        assert session.solve() is Answer.SAT
        with pytest.raises(ValueError, match="case 2 of a property with 2 cases"):
            session.solve(case=2)


def test_sessions_do_not_share_symbols() -> None:
    network, case = holding()
    other, wider = random_network(np.random.default_rng(8), 2, (3,), 1), Case(case.box, ())

    with Session(network, case) as first, Session(other, wider) as second:
        answer = first.solve()
        assert second.solve() is Answer.SAT
        assert first.solve() is answer


def test_nothing_of_a_session_stays_in_the_process() -> None:
    network = random_network(np.random.default_rng(6), 2, (3, 2), 1)
    case = random_property(np.random.default_rng(6), network, margin=0.1).cases[0]
    checker = get_env().stc

    def typed() -> int:
        with Session(network, case) as session:
            session.solve()
        return len(checker.memoization)

    assert typed() == typed()


def test_a_short_timeout_is_unknown_with_a_reason_and_the_session_goes_on() -> None:
    rng = np.random.default_rng(0)
    network = random_network(rng, 6, (24, 24, 24), 2)
    case = random_property(rng, network, radius=1.0, margin=0.02).cases[0]
    never = Case(case.box, (LinearConstraint((), (), Fraction(-1)),))

    with Session(network, Property(6, 2, (case, never))) as session:
        assert session.solve(timeout_seconds=0.05, case=0) is Answer.UNKNOWN
        assert session.reason in {"timeout", "canceled"}
        with pytest.raises(RuntimeError, match="last answer to be unsat, but it is unknown"):
            session.core()
        assert session.solve(case=1) is Answer.UNSAT
        assert session.reason == ""


def test_a_core_whose_recheck_runs_out_of_time_is_refused() -> None:
    network, case = holding()
    never = Case(case.box, (LinearConstraint((), (), Fraction(-1)),))

    with Session(network, never) as session:
        assert session.solve() is Answer.UNSAT
        with pytest.raises(RefusedError, match="not refuted again: unknown timeout"):
            session.core(recheck=True, timeout_seconds=0)


def test_points_and_cores_need_the_answer_they_belong_to() -> None:
    network, case = holding()

    with Session(network, Case(case.box, ())) as session:
        with pytest.raises(RuntimeError, match="it is None"):
            session.model_point()
        assert session.solve() is Answer.SAT
        with pytest.raises(RuntimeError, match="it is sat"):
            session.core()


def test_neurons_and_bounds_that_do_not_exist_are_refused() -> None:
    network, case = holding()
    zero, one = Fraction(0), Fraction(1)

    with Session(network, case) as session, pytest.raises(ValueError, match=r"\(2, 0\) does not"):
        session.solve([(Neuron(2, 0), True)])
    with pytest.raises(ValueError, match=r"\(0, 9\) does not exist"):
        Session(network, case, bounds={Neuron(0, 9): (zero, one)})
    with pytest.raises(ValueError, match="lower 1 is above upper 0"):
        Session(network, case, bounds={Neuron(0, 0): (one, zero)})


def test_an_operator_without_encoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    network, case = holding()
    table = {k: v for k, v in encoders.real_arithmetic.ENCODERS.items() if k is not Relu}
    monkeypatch.setattr(encoders.real_arithmetic, "ENCODERS", table)

    with pytest.raises(UnsupportedError, match=r"'Relu' \(node 'relu0'\).*: Affine, Input"):
        Session(network, case)
