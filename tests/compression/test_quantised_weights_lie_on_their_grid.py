# SPDX-License-Identifier: Apache-2.0
"""Integer quantisation and fixed point: levels, error bounds and zero, all in fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from compression.fixed_point import BiasTreatment, FixedPoint
from compression.float_format import FLOAT32
from compression.integer_quantisation import (
    Granularity,
    IntegerQuantisation,
    ScaleKind,
    Symmetry,
)
from compression.integer_rounding import Rounding, steps
from tests.compression.tensors import all_fractions, biases, single_affine, weights
from tests.generators import dyadics, float32s, networks, random_network
from verifier.change.neuron_map import NeuronMap
from verifier.errors import RefusedError
from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from verifier.ir.graph import Graph

EXACT_SCALES = st.sampled_from([ScaleKind.SHORT, ScaleKind.POWER_OF_TWO])
VALUES = st.lists(st.fractions(-4, 4, max_denominator=50) | float32s(), min_size=1, max_size=9)
METHODS = st.builds(
    IntegerQuantisation,
    bits=st.integers(2, 16),
    granularity=st.sampled_from(Granularity),
    symmetry=st.sampled_from(Symmetry),
    scale=st.sampled_from(ScaleKind),
    rounding=st.sampled_from(Rounding),
    biases=st.sampled_from(BiasTreatment),
)


def vector(values: list[Fraction]) -> RationalArray:
    return RationalArray.from_fractions(values, (len(values),))


@given(
    values=VALUES,
    bits=st.integers(2, 16),
    symmetric=st.booleans(),
    scale=EXACT_SCALES,
    rounding=st.sampled_from(Rounding),
)
def test_the_error_is_within_half_a_step_or_a_step(
    values: list[Fraction], bits: int, symmetric: bool, scale: ScaleKind, rounding: Rounding
) -> None:
    method = IntegerQuantisation(bits=bits, scale=scale, rounding=rounding)

    quantised = method.quantise(vector(values), symmetric)
    restored = quantised.exact()

    assert FLOAT32.holds(restored)
    for value, new in zip(values, restored.fractions(), strict=True):
        if rounding is Rounding.NEAREST:
            assert abs(value - new) <= quantised.scale / 2
        else:
            assert abs(value - new) < quantised.scale
        if rounding is Rounding.TRUNCATE:
            assert abs(new) <= abs(value)
        if rounding is Rounding.FLOOR:
            assert new <= value
        if value == 0:
            assert new == 0


@given(values=VALUES, bits=st.integers(2, 16), rounding=st.sampled_from(Rounding))
def test_a_float32_scale_adds_no_more_than_a_rounding(
    values: list[Fraction], bits: int, rounding: Rounding
) -> None:
    method = IntegerQuantisation(bits=bits, scale=ScaleKind.FLOAT32, rounding=rounding)
    largest = max(abs(v) for v in values)

    for symmetric in (True, False):
        quantised = method.quantise(vector(values), symmetric)
        restored = FLOAT32.nearest(quantised.exact()).fractions()
        bound = quantised.scale / (2 if rounding is Rounding.NEAREST else 1)
        slack = largest / 2**22 + FLOAT32_UNIT
        assert all(abs(a - b) <= bound + slack for a, b in zip(values, restored, strict=True))


FLOAT32_UNIT = Fraction(1, 2**149)


@given(values=VALUES, method=METHODS, symmetric=st.booleans())
def test_integers_fit_their_bits(
    values: list[Fraction], method: IntegerQuantisation, symmetric: bool
) -> None:
    quantised = method.quantise(vector(values), symmetric)
    half = 2 ** (method.bits - 1)

    low = -half + 1 if symmetric else -half
    assert all(low <= q <= half - 1 for q in quantised.integers)
    assert low <= quantised.zero_point <= half - 1
    assert not symmetric or quantised.zero_point == 0


@given(values=VALUES, bits=st.integers(2, 16))
def test_scales_are_no_finer_and_hardly_coarser_than_needed(
    values: list[Fraction], bits: int
) -> None:
    ideal = max(abs(v) for v in values) / (2 ** (bits - 1) - 1)
    if ideal == 0:
        return
    short = IntegerQuantisation(bits=bits).quantise(vector(values), True).scale
    power = IntegerQuantisation(bits=bits, scale=ScaleKind.POWER_OF_TWO)
    coarse = power.quantise(vector(values), True).scale

    assert ideal <= short <= ideal * (1 + Fraction(2, 2 ** (24 - bits))) + FLOAT32_UNIT
    assert ideal <= coarse < 2 * ideal + FLOAT32_UNIT
    assert coarse.numerator & (coarse.numerator - 1) == 0
    assert coarse.denominator & (coarse.denominator - 1) == 0


@pytest.mark.parametrize(("bits", "symmetry"), list(product([2, 3, 4, 8], Symmetry)))
def test_a_matrix_has_at_most_two_to_the_bits_levels(bits: int, symmetry: Symmetry) -> None:
    graph = random_network(np.random.default_rng(1), 8, (16, 16), 4)
    method = IntegerQuantisation(bits=bits, symmetry=symmetry, granularity=Granularity.TENSOR)

    for weight in weights(method.apply(graph).graph):
        levels = set(weight.fractions())
        assert len(levels) <= 2**bits - (symmetry is Symmetry.SYMMETRIC)
        assert len(levels) > 2


@given(graph=networks(), method=METHODS)
def test_every_number_is_a_float32_if_the_originals_are_or_is_quantised(
    graph: Graph, method: IntegerQuantisation
) -> None:
    result = method.apply(graph)

    assert all(FLOAT32.holds(weight) for weight in weights(result.graph))
    if method.biases is BiasTreatment.QUANTISE:
        assert all(FLOAT32.holds(bias) for bias in biases(result.graph))
    else:
        assert [b.fractions() for b in biases(result.graph)] == [
            b.fractions() for b in biases(graph)
        ]
    assert result.neuron_map == NeuronMap.identity(graph)


@given(graph=networks(entries=float32s()), bits=st.integers(2, 16), scale=EXACT_SCALES)
def test_quantising_twice_is_quantising_once(graph: Graph, bits: int, scale: ScaleKind) -> None:
    # A short scale of more bits is so coarse that the largest integer need not be reached.
    assume(scale is ScaleKind.POWER_OF_TWO or bits <= 11)
    method = IntegerQuantisation(bits=bits, scale=scale)

    once = method.apply(graph).graph

    assert all_fractions(method.apply(once).graph) == all_fractions(once)


def rows_of(graph: Graph) -> list[RationalArray]:
    return [w[i] for w in weights(graph) for i in range(w.shape[0])]


def test_a_row_scale_is_finer_than_the_matrix_scale_where_rows_differ() -> None:
    graph = single_affine(
        [[Fraction(100), Fraction(50)], [Fraction(1), Fraction(1, 3)]], [Fraction(0)] * 2
    )

    by_row = IntegerQuantisation().apply(graph)
    by_matrix = IntegerQuantisation(granularity=Granularity.TENSOR).apply(graph)

    third_by_row = next(weights(by_row.graph)).fraction(1, 1)
    third_by_matrix = next(weights(by_matrix.graph)).fraction(1, 1)
    assert abs(third_by_row - Fraction(1, 3)) < Fraction(1, 254)
    assert third_by_matrix == 0
    assert by_row.report.details[0]["scales"] == [
        str(IntegerQuantisation().quantise(row, symmetric=True).scale) for row in rows_of(graph)
    ]


def test_int8_is_the_textbook_formula() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.standard_normal((5, 7)).astype(np.float32)
    fractions = [[Fraction(float(v)) for v in row] for row in matrix]
    graph = single_affine(fractions, [Fraction(0)] * 5)
    method = IntegerQuantisation(scale=ScaleKind.FLOAT32)

    dequantised = next(weights(method.apply(graph).graph)).approximate

    scale = np.abs(matrix).max(axis=1, keepdims=True) / np.float32(127)
    expected = np.clip(np.rint(matrix / scale), -127, 127).astype(np.float32) * scale
    np.testing.assert_array_equal(dequantised.astype(np.float32), expected)


def test_a_weight_beyond_float32_is_refused() -> None:
    graph = single_affine([[Fraction(2**130)]], [Fraction(0)])

    for method in (IntegerQuantisation(), IntegerQuantisation(scale=ScaleKind.FLOAT32)):
        with pytest.raises(RefusedError, match="too large for float32"):
            method.apply(graph)


@given(
    values=st.lists(st.fractions(max_denominator=99), min_size=1),
    step=st.fractions(Fraction(1, 9), 5, max_denominator=9),
)
def test_steps_are_the_integers_that_python_rounds_to(
    values: list[Fraction], step: Fraction
) -> None:
    quotients = [v / step for v in values]

    assert list(steps(vector(values), step, Rounding.NEAREST)) == [round(q) for q in quotients]
    assert list(steps(vector(values), step, Rounding.FLOOR)) == [q.__floor__() for q in quotients]
    assert list(steps(vector(values), step, Rounding.TRUNCATE)) == [int(q) for q in quotients]


@given(
    graph=networks(),
    total=st.integers(2, 24),
    bits=st.integers(-4, 20),
    rounding=st.sampled_from(Rounding),
)
def test_fixed_point_numbers_are_the_nearest_that_there_are(
    graph: Graph, total: int, bits: int, rounding: Rounding
) -> None:
    result = FixedPoint(total_bits=total, fraction_bits=bits, rounding=rounding).apply(graph)
    step = Fraction(2) ** -bits
    low, high = -(2 ** (total - 1)) * step, (2 ** (total - 1) - 1) * step

    for old, new in zip(all_fractions(graph), all_fractions(result.graph), strict=True):
        assert (new / step).denominator == 1
        assert low <= new <= high
        if old >= high or old <= low:
            assert new == (high if old >= high else low)
        elif rounding is Rounding.NEAREST:
            assert abs(new - old) <= step / 2 or new == high
        else:
            assert abs(new - old) < step


@given(graph=networks(), total=st.integers(2, 24), rounding=st.sampled_from(Rounding))
def test_an_automatic_format_saturates_nothing_and_is_the_finest_such(
    graph: Graph, total: int, rounding: Rounding
) -> None:
    result = FixedPoint(total_bits=total, rounding=rounding).apply(graph)

    tensors = [
        tensor
        for node in graph.nodes
        if isinstance(node.operator, Affine)
        for tensor in (*node.operator.weights, node.operator.bias)
    ]
    for tensor, detail in zip(tensors, result.report.details, strict=True):
        assert detail["saturated"] == 0
        if any(tensor.fractions()):
            finer = int(str(detail["format"]).partition(".")[2]) + 1
            integers = steps(tensor, Fraction(2) ** -finer, rounding).ravel()
            assert min(integers) < -(2 ** (total - 1)) or max(integers) > 2 ** (total - 1) - 1


def test_saturation_is_counted() -> None:
    graph = single_affine([[Fraction(5), Fraction(-9), Fraction(1, 4)]], [Fraction(2)])

    result = FixedPoint(total_bits=4, fraction_bits=1).apply(graph)

    assert next(weights(result.graph)).fractions() == [Fraction(7, 2), -4, 0]
    assert [d["saturated"] for d in result.report.details] == [2, 0]
    assert [d["format"] for d in result.report.details] == ["Q2.1", "Q2.1"]


@given(graph=networks(entries=dyadics()))
def test_fixed_point_is_idempotent(graph: Graph) -> None:
    method = FixedPoint(total_bits=6, fraction_bits=2)

    once = method.apply(graph).graph

    assert all_fractions(method.apply(once).graph) == all_fractions(once)


@given(graph=networks())
def test_kept_biases_are_kept(graph: Graph) -> None:
    result = FixedPoint(total_bits=3, biases=BiasTreatment.KEEP).apply(graph)

    assert [b.fractions() for b in biases(result.graph)] == [b.fractions() for b in biases(graph)]
