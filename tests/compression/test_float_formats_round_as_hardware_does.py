# SPDX-License-Identifier: Apache-2.0
"""Exact rounding against the casts of numpy and ml_dtypes, and against its own definition."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compression.float_format import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    FloatFormat,
    FormatOverflowError,
    smallest_format,
)
from compression.float_rounding import FloatName, FloatRounding
from tests.compression.tensors import all_fractions, single_affine
from tests.generators import dyadics, float32s, networks, rationals
from verifier.change.neuron_map import NeuronMap
from verifier.errors import RefusedError
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from verifier.ir.graph import Graph

FORMATS = st.sampled_from([FLOAT16, BFLOAT16, FLOAT32])


def round_one(value: Fraction, target: FloatFormat) -> Fraction:
    return target.nearest(RationalArray.from_fractions([value], (1,))).fraction(0)


def test_every_float16_is_its_own_rounding_and_midpoints_go_to_the_even_one() -> None:
    patterns = np.arange(0x7C00, dtype=np.uint16)
    numbers = patterns.view(np.float16).astype(np.float64)
    middles = (numbers[:-1] + numbers[1:]) / 2

    rounded = FLOAT16.nearest(RationalArray.from_floats(middles)).approximate

    assert FLOAT16.holds(RationalArray.from_floats(numbers))
    assert not FLOAT16.holds(RationalArray.from_floats(middles[:1]))
    np.testing.assert_array_equal(rounded, middles.astype(np.float16).astype(np.float64))


@pytest.mark.parametrize(
    ("target", "dtype"), [(FLOAT16, np.float16), (BFLOAT16, ml_dtypes.bfloat16)]
)
def test_rounding_float32_numbers_equals_the_cast(target: FloatFormat, dtype: type) -> None:
    rng = np.random.default_rng(0)
    exponents = rng.integers(-30 if dtype is np.float16 else -126, 15, 20_000)
    numbers = np.ldexp(rng.uniform(-2, 2, 20_000), exponents).astype(np.float32)

    rounded = target.nearest(RationalArray.from_floats(numbers)).approximate

    np.testing.assert_array_equal(rounded, numbers.astype(dtype).astype(np.float64))


def test_bfloat16_subnormals_round_as_the_cast_does() -> None:
    numbers = (np.arange(1, 1 << 12, dtype=np.uint32) * 1031).view(np.float32)

    rounded = BFLOAT16.nearest(RationalArray.from_floats(numbers)).approximate

    np.testing.assert_array_equal(rounded, numbers.astype(ml_dtypes.bfloat16).astype(np.float64))


@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9),
    target=FORMATS,
)
@example([sys.float_info.max], FLOAT32)
@example([5e-324, 2.0**-149 * 0.5, 2.0**-149 * 1.5], FLOAT32)
def test_arrays_of_floats_and_single_fractions_are_rounded_alike(
    values: list[float], target: FloatFormat
) -> None:
    def outcome(array: RationalArray) -> list[Fraction] | str:
        try:
            return target.nearest(array).fractions()
        except FormatOverflowError as error:
            return str(error)

    exact = [Fraction(v) for v in values]
    # A third in the array takes it from the way by floats to the way by integers.
    by_integers = outcome(RationalArray.from_fractions([*exact, Fraction(1, 3)], (len(exact) + 1,)))

    by_floats = outcome(RationalArray.from_fractions(exact, (len(exact),)))
    assert by_floats == (by_integers if isinstance(by_integers, str) else by_integers[:-1])
    assert target.holds(RationalArray.from_fractions(exact, (len(exact),))) == (by_floats == exact)


def test_a_number_just_off_a_tie_is_not_rounded_twice() -> None:
    just_above = 1 + Fraction(1, 2**8) + Fraction(1, 2**60)

    assert round_one(just_above, BFLOAT16) == 1 + Fraction(1, 2**7)
    assert round_one(1 + Fraction(1, 2**8), BFLOAT16) == 1


@given(value=st.fractions() | float32s() | rationals(), target=FORMATS)
@example(Fraction(1, 2**25), FLOAT16)
@example(Fraction(3, 2**25), FLOAT16)
@example(Fraction(-1, 3 * 2**140), BFLOAT16)
def test_no_number_of_the_format_is_nearer(value: Fraction, target: FloatFormat) -> None:
    values = RationalArray.from_fractions([value], (1,))
    try:
        rounded = target.nearest(values).fraction(0)
    except FormatOverflowError:
        assert abs(value) > 2**target.max_exponent
        return
    step = abs(rounded) / 2**target.precision + Fraction(1, 2**-target.quantum)

    assert target.holds(RationalArray.from_fractions([rounded], (1,)))
    for neighbour in (round_one(rounded + step, target), round_one(rounded - step, target)):
        assert abs(value - rounded) <= abs(value - neighbour)


@pytest.mark.parametrize("target", [FLOAT16, BFLOAT16, FLOAT32, FLOAT64])
def test_the_largest_number_is_kept_and_what_rounds_past_it_overflows(
    target: FloatFormat,
) -> None:
    top = 2 ** (target.max_exponent + 1)
    unit = Fraction(2 ** (target.max_exponent + 1), 2**target.precision)
    largest = top - unit

    assert round_one(largest, target) == largest
    assert round_one(largest + unit / 2 - Fraction(1, 9), target) == largest
    for too_large in (largest + unit / 2, Fraction(top), -largest - unit / 2):
        with pytest.raises(FormatOverflowError, match=target.name):
            round_one(too_large, target)


def test_overflow_names_the_entry() -> None:
    graph = single_affine(
        [[Fraction(1), Fraction(2)], [Fraction(70_000), Fraction(4)]], [Fraction(0)] * 2
    )

    with pytest.raises(RefusedError, match=r"weight of node 'affine0': entry \(1, 0\) is 70000"):
        FloatRounding().apply(graph)


@given(graph=networks(), name=st.sampled_from(FloatName))
def test_rounding_keeps_every_neuron_and_is_idempotent(graph: Graph, name: FloatName) -> None:
    method = FloatRounding(format=name)

    once = method.apply(graph)
    twice = method.apply(once.graph)

    assert all_fractions(once.graph) == all_fractions(twice.graph)
    assert once.neuron_map == NeuronMap.identity(graph)
    assert twice.report.exactness == "certified"


@given(graph=networks(entries=dyadics()))
def test_numbers_that_the_format_holds_stay(graph: Graph) -> None:
    assert all_fractions(FloatRounding().apply(graph).graph) == all_fractions(graph)


def test_the_smallest_format_is_found() -> None:
    thin = Fraction(1, 2**30)
    for value, expected in [
        (Fraction(3, 4), FLOAT32),
        (1 + thin, FLOAT64),
        (Fraction(1, 3), None),
        (Fraction(2**128), FLOAT64),
        (Fraction(1, 2**149), FLOAT32),
        (Fraction(1, 2**150), FLOAT64),
        (Fraction(2**1024), None),
    ]:
        assert smallest_format(single_affine([[value]], [Fraction(1)])) is expected
