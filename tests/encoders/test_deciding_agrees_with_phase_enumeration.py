# SPDX-License-Identifier: Apache-2.0
"""The one-formula answer against trying every phase pattern, and its points against evaluation."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders.decide import decide
from tests.generators import networks, properties, random_network, random_property
from tests.oracles import decide_by_phase_enumeration, violates
from verifier.errors import PropertyError, UnsupportedError
from verifier.ir.graph import Graph, Neuron, Node
from verifier.ir.operators import Input, Relu
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.verdict import Answer

if TYPE_CHECKING:
    from encoders.base import Bounds
    from verifier.ir.rational import RationalArray

Interval = tuple[Fraction, Fraction]


def interval_bounds(graph: Graph, box: InputBox) -> Bounds:
    """Return exact interval bounds of every preactivation over a box."""
    values: list[list[Interval]] = []
    bounds: dict[Neuron, Interval] = {}
    for node in graph.nodes:
        if isinstance(node.operator, Input):
            values.append(list(zip(box.lower, box.upper, strict=True)))
        elif isinstance(node.operator, Relu):
            before = values[node.inputs[0]]
            layer = sum(1 for v in bounds if v.index == 0)
            bounds |= {Neuron(layer, i): ends for i, ends in enumerate(before)}
            values.append([(max(low, Fraction(0)), max(high, Fraction(0))) for low, high in before])
        else:
            rows: list[Interval] = []
            for row in range(node.width):
                low = high = node.operator.bias.fraction(row)
                for weight, i in zip(node.operator.weights, node.inputs, strict=True):
                    low += _least(weight, row, values[i])
                    high -= _least(-weight, row, values[i])
                rows.append((low, high))
            values.append(rows)
    return bounds


def _least(weight: RationalArray, row: int, values: list[Interval]) -> Fraction:
    factors = [weight.fraction(row, column) for column in range(len(values))]
    return sum(
        (f * ends[0 if f > 0 else 1] for f, ends in zip(factors, values, strict=True)), Fraction(0)
    )


@pytest.mark.slow
@settings(max_examples=200)
@given(data=st.data())
def test_answers_are_those_of_phase_enumeration(data: st.DataObject) -> None:
    network = data.draw(networks(max_neurons=6))
    prop = data.draw(properties(network))

    answer, point = decide(network, prop)

    assert answer is decide_by_phase_enumeration(network, prop)[0]
    assert (point is not None) == (answer is Answer.SAT)
    assert point is None or violates(prop, network, point)


@pytest.mark.slow
def test_answers_on_seeded_networks_are_those_of_phase_enumeration() -> None:
    answers = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        network = random_network(rng, 3, (4, 4), 2, skip_probability=0.3)
        prop = random_property(rng, network, margin=0.05)

        answer, _ = decide(network, prop)

        assert answer is decide_by_phase_enumeration(network, prop)[0]
        answers.append(answer)
    assert min(answers.count(Answer.SAT), answers.count(Answer.UNSAT)) >= 10


@pytest.mark.slow
@given(data=st.data())
def test_bounds_change_no_answer(data: st.DataObject) -> None:
    network = data.draw(networks(max_neurons=6))
    prop = data.draw(properties(network, max_cases=1))
    bounds = interval_bounds(network, prop.cases[0].box)

    answer, point = decide(network, prop, bounds=bounds)

    assert answer is decide_by_phase_enumeration(network, prop)[0]
    assert point is None or violates(prop, network, point)


def test_a_property_without_cases_holds() -> None:
    network = random_network(np.random.default_rng(0))

    assert decide(network, Property(3, 2, ())) == (Answer.UNSAT, None)


def test_a_case_without_constraints_is_violated_by_its_box() -> None:
    network = random_network(np.random.default_rng(0))
    box = InputBox((Fraction(1, 3),) * 3, (Fraction(1, 3),) * 3)

    answer, point = decide(network, Property(3, 2, (Case(box, ()),)))

    assert answer is Answer.SAT
    assert point == box.lower


def test_a_constraint_without_terms_is_compared_with_zero() -> None:
    network = random_network(np.random.default_rng(0))
    box = InputBox((Fraction(0),) * 3, (Fraction(1),) * 3)
    never = LinearConstraint((), (), Fraction(0), strict=True)
    always = LinearConstraint((), (), Fraction(0))

    assert decide(network, Property(3, 2, (Case(box, (never,)),)))[0] is Answer.UNSAT
    assert decide(network, Property(3, 2, (Case(box, (always,)),)))[0] is Answer.SAT


def test_equality_and_strictness_at_a_border_are_told_apart() -> None:
    network = random_network(np.random.default_rng(0))
    box = InputBox((Fraction(0),) * 3, (Fraction(1),) * 3)

    def violated(*, strict: bool) -> Answer:
        row = LinearConstraint(((0, Fraction(1)),), (), Fraction(0), strict)
        return decide(network, Property(3, 2, (Case(box, (row,)),)))[0]

    assert violated(strict=False) is Answer.SAT
    assert violated(strict=True) is Answer.UNSAT


def test_a_property_of_another_network_is_refused() -> None:
    network = random_network(np.random.default_rng(0))
    box = InputBox((Fraction(0),) * 3, (Fraction(1),) * 3)
    wrong_index = Case(box, (LinearConstraint((), ((2, Fraction(1)),), Fraction(0)),))
    wrong_box = Case(InputBox((Fraction(0),), (Fraction(1),)), ())

    with pytest.raises(PropertyError, match=r"has \(3, 5\) inputs and outputs"):
        decide(network, Property(3, 5, ()))
    with pytest.raises(PropertyError, match="case 0: output 2 does not exist: there are 2"):
        decide(network, Property(3, 2, (wrong_index,)))
    with pytest.raises(PropertyError, match=r"box has \(1, 1\) ends for 3 inputs"):
        decide(network, Property(3, 2, (wrong_box,)))


def test_a_graph_that_is_not_in_normal_form_is_refused() -> None:
    graph = Graph((Node("x", Input(), (), 2), Node("relu", Relu(), (0,), 2)))

    with pytest.raises(UnsupportedError, match="normal form"):
        decide(graph, Property(2, 2, ()))


def test_time_that_has_run_out_is_unknown() -> None:
    network = random_network(np.random.default_rng(0))
    prop = random_property(np.random.default_rng(1), network)

    assert decide(network, prop, timeout_seconds=0) == (Answer.UNKNOWN, None)
