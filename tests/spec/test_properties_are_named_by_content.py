# SPDX-License-Identifier: Apache-2.0
"""Two properties have one fingerprint if and only if they ask the same, case by case."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from verifier.spec.fingerprint import property_fingerprint
from verifier.spec.property import Case, InputBox, LinearConstraint, Property

ROW = LinearConstraint(((0, Fraction(1)),), ((1, Fraction(2, 3)),), Fraction(1, 7))
BOX = InputBox((Fraction(0), Fraction(1)), (Fraction(2), Fraction(3)))
PROPERTY = Property(2, 2, (Case(BOX, (ROW,)), Case(BOX, (ROW, replace(ROW, strict=True)))))


def test_equal_properties_have_one_name_even_if_nothing_is_shared() -> None:
    box = InputBox((Fraction(0), Fraction(2, 2)), (Fraction(2), Fraction(3)))
    cases = tuple(replace(case, box=replace(box)) for case in PROPERTY.cases)

    name = property_fingerprint(replace(PROPERTY, cases=cases))

    assert name == property_fingerprint(PROPERTY)
    assert len(name) == 64


@pytest.mark.parametrize(
    "other",
    [
        replace(PROPERTY, input_width=3),
        replace(PROPERTY, output_width=3),
        replace(PROPERTY, cases=PROPERTY.cases[:1]),
        replace(PROPERTY, cases=PROPERTY.cases[::-1]),
        replace(PROPERTY, cases=(Case(BOX, (ROW, ROW)), PROPERTY.cases[1])),
        *(
            replace(PROPERTY, cases=(Case(BOX, (row,)), PROPERTY.cases[1]))
            for row in (
                replace(ROW, strict=True),
                replace(ROW, bound=Fraction(1, 8)),
                replace(ROW, bound=Fraction(-1, 7)),
                replace(ROW, inputs=()),
                replace(ROW, inputs=((1, Fraction(1)),)),
                replace(ROW, inputs=ROW.outputs, outputs=ROW.inputs),
            )
        ),
        replace(PROPERTY, cases=(Case(InputBox(BOX.lower, BOX.lower), (ROW,)), PROPERTY.cases[1])),
    ],
)
def test_other_properties_have_other_names(other: Property) -> None:
    assert property_fingerprint(other) != property_fingerprint(PROPERTY)
