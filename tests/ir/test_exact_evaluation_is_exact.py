# SPDX-License-Identifier: Apache-2.0
"""Exact evaluation against fractions multiplied one at a time, and float64 against exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generators import boxes, networks, points_in, properties, random_network
from tests.oracles import decide_by_phase_enumeration, evaluate_naively, violates
from verifier.ir.evaluate import evaluate, evaluate_exactly, preactivations_exactly
from verifier.ir.operators import Affine
from verifier.verdict import Answer


@given(data=st.data())
def test_exact_evaluation_equals_naive_fractions(data: st.DataObject) -> None:
    network = data.draw(networks())
    point = data.draw(points_in(data.draw(boxes(network.input_width))))

    assert evaluate_exactly(network, point) == evaluate_naively(network, point)


@given(data=st.data())
def test_preactivations_are_what_each_relu_reads(data: st.DataObject) -> None:
    network = data.draw(networks(max_layers=1))
    point = data.draw(points_in(data.draw(boxes(network.input_width))))

    (layer,) = preactivations_exactly(network, point)

    assert len(layer) == network.layer_widths[0]
    affine = network.nodes[network.nodes[network.relus[0]].inputs[0]].operator
    assert isinstance(affine, Affine)
    for row, value in enumerate(layer):
        terms = [affine.weights[0].fraction(row, i) * x for i, x in enumerate(point)]
        assert value == sum(terms, affine.bias.fraction(row))


def test_float64_evaluation_is_close_to_exact() -> None:
    network = random_network(np.random.default_rng(1), 5, (20, 20), 3, skip_probability=0.5)
    points = np.random.default_rng(2).uniform(-1, 1, (10, 5))

    outputs = evaluate(network, points)

    for point, output in zip(points, outputs, strict=True):
        exact = evaluate_exactly(network, [Fraction(float(x)) for x in point])
        assert np.allclose(output, [float(v) for v in exact], rtol=0, atol=1e-12)


def test_a_point_of_another_width_is_refused() -> None:
    network = random_network(np.random.default_rng(0))

    with pytest.raises(ValueError, match="2 entries, the network 3 inputs"):
        evaluate_exactly(network, [Fraction(0)] * 2)
    with pytest.raises(ValueError, match="not \\(batch, 3\\)"):
        evaluate(network, np.zeros((1, 2)))


@given(data=st.data())
def test_the_oracle_finds_no_fewer_violations_than_sampling(data: st.DataObject) -> None:
    network = data.draw(networks(max_neurons=6))
    prop = data.draw(properties(network))
    point = data.draw(points_in(prop.cases[0].box))

    answer, found = decide_by_phase_enumeration(network, prop)

    assert answer is Answer.SAT or not violates(prop, network, point)
    assert (found is not None) == (answer is Answer.SAT)
