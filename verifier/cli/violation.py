# SPDX-License-Identifier: Apache-2.0
"""Which part of a property a counterexample violates, written out for whoever shows it.

A property is violated where *some* case holds, and a case is a box of inputs and rows that *all*
hold. Each row is told with what its left-hand side exceeds its bound by at the counterexample: 0 or
less means that the row holds there, so that the output is on the unsafe side of it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from verifier.spec.counterexample import violates
from verifier.spec.property import Property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.spec.property import Case, LinearConstraint

Point = tuple["Sequence[Fraction]", "Sequence[Fraction]"]
"""An input, and a network's output there."""


def violated_case_json(prop: Property, point: Point, original: Point | None) -> dict[str, Any]:
    """Return the first case of a property that holds at a point.

    Args:
        prop: The property.
        point: The counterexample.
        original: The same input with the output of the original network, to be told beside it.
    """
    number, case = next(
        (number, case) for number, case in enumerate(prop.cases) if _holds(prop, case, point)
    )
    return {
        "case": number,
        "lower": [_float(value) for value in case.box.lower],
        "upper": [_float(value) for value in case.box.upper],
        "rows": [
            {
                "row": row_text(row),
                "excess": _float(_excess(row, point)),
                "original_excess": None if original is None else _float(_excess(row, original)),
            }
            for row in case.constraints
        ],
    }


def row_text(row: LinearConstraint) -> str:
    """Return a row as it could stand in a text: ``Y_1 - Y_0 <= 0``."""
    terms = [
        (coefficient, f"{name}_{index}")
        for name, pairs in (("X", row.inputs), ("Y", row.outputs))
        for index, coefficient in pairs
    ]
    # What is added first, so that a difference reads as one.
    terms.sort(key=lambda term: term[0] < 0)
    text = ""
    for coefficient, name in terms:
        sign = "-" if coefficient < 0 else "+"
        size = abs(coefficient)
        factor = "" if size == 1 else f"{_short(size)} "
        text += f" {sign} {factor}{name}" if text else f"{'-' if sign == '-' else ''}{factor}{name}"
    return f"{text or '0'} {'<' if row.strict else '<='} {_short(row.bound)}"


def _holds(prop: Property, case: Case, point: Point) -> bool:
    return violates(Property(prop.input_width, prop.output_width, (case,)), *point)


def _excess(row: LinearConstraint, point: Point) -> Fraction:
    x, y = point
    total = sum((factor * x[index] for index, factor in row.inputs), Fraction(0))
    total += sum((factor * y[index] for index, factor in row.outputs), Fraction(0))
    return total - row.bound


def _float(value: Fraction) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _short(value: Fraction) -> str:
    try:
        return f"{float(value):.6g}"
    except OverflowError:
        return str(value)
