# SPDX-License-Identifier: Apache-2.0
"""Exported scripts, read by z3 and by cvc5, against phase enumeration."""

from __future__ import annotations

import io

import cvc5
import numpy as np
import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders.smtlib import to_smtlib, write_smtlib
from tests.encoders.test_deciding_agrees_with_phase_enumeration import interval_bounds
from tests.generators import networks, properties, random_network, random_property
from tests.oracles import decide_by_phase_enumeration
from verifier.errors import PropertyError
from verifier.ir.operators import Affine
from verifier.spec.property import Property
from verifier.verdict import Answer


def answer_of_z3(script: str) -> Answer:
    solver = z3.SolverFor("QF_LRA")
    solver.from_string(script)
    return Answer(str(solver.check()))


def answer_of_cvc5(script: str) -> Answer:
    terms = cvc5.TermManager()
    solver = cvc5.Solver(terms)
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script, "script")
    symbols = parser.getSymbolManager()
    answer = None
    while not (command := parser.nextCommand()).isNull():
        said = command.invoke(solver, symbols).strip()
        if command.getCommandName() == "check-sat":
            answer = Answer(said)
        else:
            assert said in {"", "success"}, said
    assert answer is not None
    return answer


@pytest.mark.slow
@settings(max_examples=80)
@given(data=st.data())
def test_z3_and_cvc5_say_what_phase_enumeration_says(data: st.DataObject) -> None:
    network = data.draw(networks(max_neurons=5))
    prop = data.draw(properties(network))
    script = to_smtlib(network, prop)
    expected, _ = decide_by_phase_enumeration(network, prop)

    assert answer_of_z3(script) is expected
    assert answer_of_cvc5(script) is expected


@given(data=st.data())
@settings(max_examples=20)
def test_bounds_may_be_built_in(data: st.DataObject) -> None:
    network = data.draw(networks(max_neurons=4))
    prop = data.draw(properties(network, max_cases=1))

    script = to_smtlib(network, prop, bounds=interval_bounds(network, prop.cases[0].box))

    assert answer_of_cvc5(script) is decide_by_phase_enumeration(network, prop)[0]


def test_the_header_names_what_the_script_is_about() -> None:
    network = random_network(np.random.default_rng(0))
    prop = random_property(np.random.default_rng(1), network)

    script = to_smtlib(network, prop, comments=["model.onnx\nsha256 12", "prop.vnnlib"])

    assert script.startswith("; model.onnx\n; sha256 12\n; prop.vnnlib\n; network x -> y: 3 inputs")
    assert "(set-logic QF_LRA)\n" in script
    assert answer_of_cvc5(script) is answer_of_z3(script)


def test_digests_tell_networks_and_properties_apart() -> None:
    def digests(network_seed: int, property_seed: int) -> tuple[str, str]:
        network = random_network(np.random.default_rng(network_seed))
        prop = random_property(np.random.default_rng(property_seed), network)
        lines = to_smtlib(network, prop).splitlines()
        (left,) = [line for line in lines if line.startswith("; network sha256")]
        (right,) = [line for line in lines if line.startswith("; property sha256")]
        return left, right

    assert digests(0, 1) == digests(0, 1)
    assert digests(0, 1)[0] == digests(0, 2)[0]
    assert digests(0, 1)[1] != digests(0, 2)[1]
    assert digests(0, 1)[0] != digests(3, 1)[0]


def test_numbers_are_exact_and_in_standard_form() -> None:
    network = random_network(np.random.default_rng(0), 1, (1,), 1)
    prop = random_property(np.random.default_rng(1), network)
    affine = network.nodes[1].operator
    assert isinstance(affine, Affine)
    weight = affine.weights[0].fraction(0, 0)

    script = to_smtlib(network, prop)

    size = f"(/ {abs(weight).numerator}.0 {weight.denominator}.0)"
    assert f"(* {size if weight > 0 else f'(- {size})'} x_0)" in script
    assert weight.denominator != 1


def test_a_property_of_another_network_is_refused_before_anything_is_written() -> None:
    network = random_network(np.random.default_rng(0))
    stream = io.StringIO()

    with pytest.raises(PropertyError):
        write_smtlib(network, Property(9, 2, ()), stream)
    assert stream.getvalue() == ""
