# SPDX-License-Identifier: Apache-2.0
"""Bounds that are derived hold at every point that the constraints allow, and are found."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.spec.formula import InputBound
from verifier.spec.implied_bounds import implied_bounds
from verifier.spec.property import LinearConstraint

WIDTH = 4


class End(NamedTuple):
    value: Fraction


numbers = st.integers(-3, 3).map(Fraction)
points = st.lists(numbers, min_size=WIDTH, max_size=WIDTH)
ends = st.sets(st.integers(0, WIDTH - 1), max_size=WIDTH)
sums = st.dictionaries(st.integers(0, WIDTH - 1), numbers.filter(bool), min_size=2)


@settings(max_examples=300)
@given(
    x=points,
    lower=ends,
    upper=ends,
    slack=st.integers(0, 2),
    terms=st.lists(sums, min_size=1, max_size=5),
)
def test_no_point_that_the_constraints_allow_is_cut_off(
    x: list[Fraction],
    lower: set[int],
    upper: set[int],
    slack: int,
    terms: list[dict[int, Fraction]],
) -> None:
    constraints = [
        LinearConstraint(
            tuple(sorted(coefficients.items())),
            (),
            sum((c * x[i] for i, c in coefficients.items()), Fraction(slack)),
        )
        for coefficients in terms
    ]

    found = list(
        implied_bounds(
            WIDTH, {i: End(x[i] - slack) for i in lower}, {i: End(x[i]) for i in upper}, constraints
        )
    )

    for bound in found:
        assert (
            x[bound.position] <= bound.value if bound.is_upper else x[bound.position] >= bound.value
        )
        assert bound.position not in (upper if bound.is_upper else lower)
    assert len({(bound.position, bound.is_upper) for bound in found}) == len(found)


def test_bounds_follow_along_a_chain() -> None:
    one = Fraction(1)
    chain = [
        LinearConstraint(((i, one), (i + 1, -one)), (), Fraction(0)) for i in reversed(range(3))
    ]

    found = list(implied_bounds(WIDTH, {0: End(one)}, {3: End(Fraction(5))}, chain))

    assert sorted(found) == sorted(
        [InputBound(i, one, is_upper=False, strict=False) for i in (1, 2, 3)]
        + [InputBound(i, Fraction(5), is_upper=True, strict=False) for i in (0, 1, 2)]
    )
