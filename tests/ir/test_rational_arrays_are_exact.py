# SPDX-License-Identifier: Apache-2.0
"""Rational arrays against fractions: conversion, arithmetic, and the float64 view."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.ir.rational import RationalArray

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
FRACTIONS = st.fractions(-10, 10, max_denominator=1000)


@given(values=st.lists(FLOATS, max_size=5))
def test_floats_of_any_size_are_kept_exactly(values: list[float]) -> None:
    array = RationalArray.from_floats(np.array(values, dtype=np.float64))

    assert array.fractions() == [Fraction(value) for value in values]
    assert array.approximate.tolist() == values


@given(values=st.lists(FRACTIONS, min_size=1, max_size=5))
def test_the_float64_view_is_the_nearest(values: list[Fraction]) -> None:
    array = RationalArray.from_fractions(values, (len(values),))

    assert array.approximate.tolist() == [float(value) for value in values]
    assert array.reduced().fractions() == values


@given(left=st.lists(FRACTIONS, min_size=4, max_size=4), right=st.lists(FRACTIONS, min_size=2))
def test_arithmetic_is_exact(left: list[Fraction], right: list[Fraction]) -> None:
    a = RationalArray.from_fractions(left, (2, 2))
    b = RationalArray.from_fractions(right[:2], (2,))

    assert (a + b).fractions() == [left[i] + right[i % 2] for i in range(4)]
    assert (a - b).fractions() == [left[i] - right[i % 2] for i in range(4)]
    assert (a * b).fractions() == [left[i] * right[i % 2] for i in range(4)]
    assert (a @ b).fractions() == [
        left[2 * i] * right[0] + left[2 * i + 1] * right[1] for i in range(2)
    ]


def test_large_products_equal_small_ones() -> None:
    rng = np.random.default_rng(0)
    a = RationalArray.from_floats(rng.standard_normal((50, 40)))
    b = RationalArray.from_floats(rng.standard_normal((40, 45)))

    product = a @ b

    rows = [(a[i : i + 1] @ b).fractions() for i in range(50)]
    assert product.fractions() == [value for row in rows for value in row]


def test_a_single_number_is_an_array_too() -> None:
    array = RationalArray.from_floats(np.array(0.5, dtype=np.float32)) + RationalArray.from_floats(
        np.array(1.5)
    )

    assert array.shape == ()
    assert array.reduced().fraction() == 2
    assert (-array).approximate == -2.0


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match=r"entry \(1,\) is nan"):
        RationalArray.from_floats(np.array([0.0, np.nan]))
