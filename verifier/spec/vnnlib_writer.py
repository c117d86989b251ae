# SPDX-License-Identifier: Apache-2.0
"""Writes properties in VNN-LIB 1.0, without rounding.

A rational with a finite decimal expansion is written as that decimal, any other as a quotient
``(/ p q)``, so reading the text back gives the same numbers. Where all cases share one box its
bounds are asserted once, and the cases follow as one disjunction; else each case carries its box.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from verifier.errors import PropertyError
from verifier.spec.reader_limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verifier.spec.property import Case, InputBox, LinearConstraint, Property

_ONE = Fraction(1)


def write_vnnlib(prop: Property) -> str:
    """Return the text of a property; reading it gives the same inputs, outputs and cases.

    Raises:
        PropertyError: A number has more digits than the reader takes by default.
    """
    declarations = [f"(declare-const X_{i} Real)" for i in range(prop.input_width)]
    declarations += [f"(declare-const Y_{j} Real)" for j in range(prop.output_width)]
    return "\n".join([*declarations, "", *_assertions(prop.cases), ""])


def _assertions(cases: Sequence[Case]) -> Iterator[str]:
    if not cases:
        yield "; no input and output violate this property"
        yield from ("(assert (>= X_0 1))", "(assert (<= X_0 0))")
        return
    shared = cases[0].box
    if len(cases) == 1:
        formulas = [*_bounds(shared), *map(_constraint, cases[0].constraints)]
        yield from (f"(assert {formula})" for formula in formulas)
        return
    # A case that is nothing but the shared box would be a conjunction without operands.
    is_shared = all(case.box == shared and case.constraints for case in cases)
    if is_shared:
        yield from (f"(assert {formula})" for formula in _bounds(shared))
    yield "(assert (or"
    for case in cases:
        formulas = [] if is_shared else list(_bounds(case.box))
        formulas.extend(map(_constraint, case.constraints))
        yield f"    (and {' '.join(formulas)})"
    yield "))"


def _bounds(box: InputBox) -> Iterator[str]:
    for i, (lower, upper) in enumerate(zip(box.lower, box.upper, strict=True)):
        yield f"(>= X_{i} {_number(lower)})"
        yield f"(<= X_{i} {_number(upper)})"


def _constraint(constraint: LinearConstraint) -> str:
    terms = [(c, f"X_{i}") for i, c in constraint.inputs]
    terms += [(c, f"Y_{j}") for j, c in constraint.outputs]
    suffix = "" if constraint.strict else "="
    match terms:
        case [(coefficient, name)] if coefficient == -_ONE:
            return f"(>{suffix} {name} {_number(-constraint.bound)})"
        case [(first, left), (second, right)] if not constraint.bound and first == -second:
            # The usual comparison of two outputs.
            if first == _ONE:
                return f"(<{suffix} {left} {right})"
            if first == -_ONE:
                return f"(<{suffix} {right} {left})"
    return f"(<{suffix} {_sum(terms)} {_number(constraint.bound)})"


def _sum(terms: Sequence[tuple[Fraction, str]]) -> str:
    products = [name if c == _ONE else f"(* {_number(c)} {name})" for c, name in terms]
    if not products:
        return "0"
    return products[0] if len(products) == 1 else f"(+ {' '.join(products)})"


def _number(value: Fraction) -> str:
    places = _decimal_places(value.denominator)
    if places is not None and places <= DEFAULT_LIMITS.digits:
        digits = _digits(abs(value.numerator) * 10**places // value.denominator)
        if len(digits) <= places:
            digits = digits.rjust(places + 1, "0")
        if len(digits) <= DEFAULT_LIMITS.digits:
            sign = "-" if value < 0 else ""
            return f"{sign}{digits[: len(digits) - places]}" + (
                f".{digits[len(digits) - places :]}" if places else ""
            )
    sign = "-" if value < 0 else ""
    return f"(/ {sign}{_digits(abs(value.numerator))} {_digits(value.denominator)})"


def _digits(value: int) -> str:
    # About log10(2) digits per bit; checked first, since converting longer integers is an error.
    if value.bit_length() * 0.3 <= DEFAULT_LIMITS.digits:
        digits = str(value)
        if len(digits) <= DEFAULT_LIMITS.digits:
            return digits
    msg = f"a number of the property has more than {DEFAULT_LIMITS.digits} digits"
    raise PropertyError(msg)


def _decimal_places(denominator: int) -> int | None:
    """Return how many decimals write ``1 / denominator`` in full, if any number does."""
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None
