# SPDX-License-Identifier: Apache-2.0
"""The JSON of a counterexample names the case and the rows that it violates."""

from __future__ import annotations

from fractions import Fraction

import pytest

from verifier.cli.violation import row_text, violated_case_json
from verifier.spec.property import Case, InputBox, LinearConstraint, Property

HALF = Fraction(1, 2)
BOX = InputBox((Fraction(0), Fraction(-1)), (Fraction(1), HALF))


def row(outputs: dict[int, int], bound: Fraction = Fraction(0)) -> LinearConstraint:
    pairs = tuple((index, Fraction(factor)) for index, factor in outputs.items())
    return LinearConstraint((), pairs, bound)


@pytest.mark.parametrize(
    ("constraint", "text"),
    [
        (row({0: 1, 1: -1}), "Y_0 - Y_1 <= 0"),
        (row({0: -1, 1: 1}), "Y_1 - Y_0 <= 0"),
        (row({2: -1}, HALF), "-Y_2 <= 0.5"),
        (
            LinearConstraint(((0, HALF),), ((1, Fraction(-3)),), HALF, strict=True),
            "0.5 X_0 - 3 Y_1 < 0.5",
        ),
        (LinearConstraint((), (), HALF), "0 <= 0.5"),
    ],
)
def test_a_row_reads_as_it_could_stand_in_a_text(constraint: LinearConstraint, text: str) -> None:
    assert row_text(constraint) == text


def test_the_case_that_holds_is_told_with_its_box_and_its_rows() -> None:
    cases = (Case(BOX, (row({0: 1}, Fraction(-9)),)), Case(BOX, (row({0: 1, 1: -1}),)))
    prop = Property(2, 2, cases)
    x = (HALF, Fraction(0))

    told = violated_case_json(prop, (x, (Fraction(1), Fraction(3))), (x, (Fraction(2), HALF)))

    assert told == {
        "case": 1,
        "lower": [0.0, -1.0],
        "upper": [1.0, 0.5],
        "rows": [{"row": "Y_0 - Y_1 <= 0", "excess": -2.0, "original_excess": 1.5}],
    }


def test_without_an_original_nothing_is_said_of_it() -> None:
    prop = Property(2, 1, (Case(BOX, (row({0: 1}),)),))

    told = violated_case_json(prop, ((HALF, HALF), (Fraction(-1),)), None)

    assert told["rows"][0]["original_excess"] is None


def test_what_no_float_holds_is_null() -> None:
    prop = Property(2, 1, (Case(BOX, (row({0: -1}),)),))

    told = violated_case_json(prop, ((HALF, HALF), (Fraction(10**400),)), None)

    assert told["rows"][0]["excess"] is None
