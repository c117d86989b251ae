# SPDX-License-Identifier: Apache-2.0
"""A name for what a property asks, by which proofs and certificates refer to it.

SHA-256 over a canonical text of the cases: every number as a reduced fraction, in the order in
which the property lists them. The order counts, because proofs speak of "case 2" and "row 0".
Names, comments and how a file spelt its formula leave no trace.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from verifier.spec.property import InputBox, LinearConstraint, Property

_FORMAT = "mucg4-property/1"


def property_fingerprint(prop: Property) -> str:
    """Return the property's fingerprint: 64 hexadecimal digits."""
    digest = sha256(f"{_FORMAT}\ninputs {prop.input_width} outputs {prop.output_width}".encode())
    for line in _lines(prop):
        digest.update(f"\n{line}".encode())
    return digest.hexdigest()


def _lines(prop: Property) -> Iterator[str]:
    boxes: dict[int, str] = {}  # By identity: most cases share one box object, and boxes are wide.
    for case in prop.cases:
        text = boxes.get(id(case.box))
        if text is None:
            text = boxes[id(case.box)] = _box(case.box)
        yield f"case {len(case.constraints)}"
        yield text
        yield from (_constraint(constraint) for constraint in case.constraints)


def _box(box: InputBox) -> str:
    return f"lower {_numbers(box.lower)}\nupper {_numbers(box.upper)}"


def _constraint(constraint: LinearConstraint) -> str:
    relation = "<" if constraint.strict else "<="
    sides = (_terms(constraint.inputs), _terms(constraint.outputs))
    return f"inputs {sides[0]} outputs {sides[1]} {relation} {_number(constraint.bound)}"


def _terms(pairs: Iterable[tuple[int, Fraction]]) -> str:
    return " ".join(f"{index}:{_number(coefficient)}" for index, coefficient in pairs)


def _numbers(values: Iterable[Fraction]) -> str:
    return " ".join(_number(value) for value in values)


def _number(value: Fraction) -> str:
    # Hexadecimal: decimal text of a long integer takes quadratic time, and Python limits it.
    return f"{value.numerator:x}/{value.denominator:x}"
