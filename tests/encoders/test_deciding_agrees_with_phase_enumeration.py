# SPDX-License-Identifier: Apache-2.0
"""The one-formula answer against trying every phase pattern, and its points against evaluation."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders.decide import decide
from tests.generators import networks, properties, random_network, random_property
from tests.oracles import decide_by_phase_enumeration, violates
from verifier.errors import PropertyError, UnsupportedError
from verifier.ir.evaluate import preactivations_exactly
from verifier.ir.graph import Graph, Neuron, Node
from verifier.ir.onnx_reader import read_onnx
from verifier.ir.operators import Input, Relu
from verifier.ir.passes.normalize import normalize
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.spec.vnnlib_reader import read_vnnlib
from verifier.verdict import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from encoders.base import Bounds, Literal
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


@pytest.mark.slow
@given(data=st.data())
def test_fixed_phases_cut_the_problem_into_parts_with_the_same_answer(data: st.DataObject) -> None:
    network = data.draw(networks(max_neurons=5))
    prop = data.draw(properties(network))
    neurons = [Neuron(k, i) for k, w in enumerate(network.layer_widths) for i in range(w)]
    split = data.draw(st.lists(st.sampled_from(neurons), min_size=1, max_size=3, unique=True))
    threshold = data.draw(st.floats(-2, 2))
    parts = []

    for phases in product([True, False], repeat=len(split)):
        for below in (True, False):
            half_space: Literal = (0, threshold, below)
            literals: list[Literal] = [*zip(split, phases, strict=True), half_space]
            answer, point = decide(network, prop, literals=literals)
            parts.append(answer)
            if point is not None:
                values = preactivations_exactly(network, point)
                assert (point[0] <= threshold) if below else (point[0] >= threshold)
                for neuron, active in zip(split, phases, strict=True):
                    value = values[neuron.layer][neuron.index]
                    assert value >= 0 if active else value <= 0

    whole, _ = decide_by_phase_enumeration(network, prop)
    assert (Answer.SAT in parts) == (whole is Answer.SAT)


@pytest.mark.slow
@given(data=st.data())
def test_a_wrong_bound_never_invents_a_solution(data: st.DataObject) -> None:
    network = data.draw(networks(max_neurons=5))
    prop = data.draw(properties(network))
    zero, large = Fraction(0), Fraction(1000)
    wrong = {
        Neuron(k, i): data.draw(st.sampled_from([(zero, large), (-large, zero), (zero, zero)]))
        for k, width in enumerate(network.layer_widths)
        for i in range(width)
    }

    _, point = decide(network, prop, bounds=wrong)

    assert point is None or violates(prop, network, point)


@pytest.mark.slow
def test_a_leaf_of_a_large_network_is_decided_at_once(data: Path) -> None:
    name = data / "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx"
    network = normalize(read_onnx(name))
    (case,) = read_vnnlib(data / "acasxu/vnnlib/prop_4.vnnlib").cases
    middle = [(a + b) / 2 for a, b in zip(case.box.lower, case.box.upper, strict=True)]
    phases = [
        (Neuron(k, i), value >= 0)
        for k, layer in enumerate(preactivations_exactly(network, middle))
        for i, value in enumerate(layer)
    ]

    answer, _ = decide(network, Property(5, 5, (case,)), 60, literals=phases)
    anywhere, point = decide(network, Property(5, 5, (Case(case.box, ()),)), 60, literals=phases)

    assert (answer, anywhere) == (Answer.UNSAT, Answer.SAT)
    assert point is not None


def test_both_phases_of_a_neuron_cannot_be_demanded() -> None:
    network = random_network(np.random.default_rng(0))
    neuron = Neuron(0, 1)

    with pytest.raises(ValueError, match=r"\(0, 1\) is assumed in both phases"):
        decide(network, Property(3, 2, ()), literals=[(neuron, True), (neuron, False)])
    with pytest.raises(ValueError, match=r"\(5, 1\) does not exist"):
        decide(network, Property(3, 2, ()), literals=[(Neuron(5, 1), True)])


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
