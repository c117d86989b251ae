# SPDX-License-Identifier: Apache-2.0
"""Writes the cases of a property as assertions, for both versions of VNN-LIB.

Where all cases share one box its bounds are asserted once, and the cases follow as one disjunction;
else each case carries its box.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from verifier.spec.numerals import decimal, decimal_only, decimal_or_quotient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from verifier.spec.property import Case, InputBox, LinearConstraint

_ONE = Fraction(1)


@dataclass(frozen=True)
class AssertionWriter:
    """How variables and numbers are spelt.

    Attributes:
        input_name: The text of an input.
        output_name: The text of an output.
        has_division: Whether a number without finite decimal expansion is written as a quotient.
            Where there is no division, the comparison that it is in is multiplied instead.
    """

    input_name: Callable[[int], str]
    output_name: Callable[[int], str]
    has_division: bool

    def assertions(self, cases: Sequence[Case]) -> Iterator[str]:
        """Yield the lines.

        Raises:
            PropertyError: A number has more digits than the reader takes by default.
        """
        if not cases:
            yield "; no input and output violate this property"
            name, ends = self.input_name(0), (self._number(_ONE), self._number(Fraction(0)))
            yield from (f"(assert (>= {name} {ends[0]}))", f"(assert (<= {name} {ends[1]}))")
            return
        shared = cases[0].box
        if len(cases) == 1:
            formulas = [*self._bounds(shared), *map(self._constraint, cases[0].constraints)]
            yield from (f"(assert {formula})" for formula in formulas)
            return
        # A case that is nothing but the shared box would be a conjunction without operands.
        is_shared = all(case.box == shared and case.constraints for case in cases)
        if is_shared:
            yield from (f"(assert {formula})" for formula in self._bounds(shared))
        yield "(assert (or"
        for case in cases:
            formulas = [] if is_shared else list(self._bounds(case.box))
            formulas.extend(map(self._constraint, case.constraints))
            yield f"    (and {' '.join(formulas)})"
        yield "))"

    def _bounds(self, box: InputBox) -> Iterator[str]:
        for i, (lower, upper) in enumerate(zip(box.lower, box.upper, strict=True)):
            name = self.input_name(i)
            for relation, end in ((">=", lower), ("<=", upper)):
                factor = self._factor([end])
                yield f"({relation} {self._sum([(factor, name)])} {self._number(factor * end)})"

    def _constraint(self, constraint: LinearConstraint) -> str:
        terms = [(c, self.input_name(i)) for i, c in constraint.inputs]
        terms += [(c, self.output_name(j)) for j, c in constraint.outputs]
        suffix = "" if constraint.strict else "="
        factor = self._factor([constraint.bound, *(c for c, _ in terms)])
        terms, bound = [(factor * c, name) for c, name in terms], factor * constraint.bound
        match terms:
            case [(coefficient, name)] if coefficient == -_ONE:
                return f"(>{suffix} {name} {self._number(-bound)})"
            case [(first, left), (second, right)] if not bound and first == -second:
                # The usual comparison of two outputs.
                if first == _ONE:
                    return f"(<{suffix} {left} {right})"
                if first == -_ONE:
                    return f"(<{suffix} {right} {left})"
        return f"(<{suffix} {self._sum(terms)} {self._number(bound)})"

    def _factor(self, numbers: Sequence[Fraction]) -> Fraction:
        """Return what to multiply a comparison by, so that its numbers can be written."""
        if self.has_division or all(decimal(number) is not None for number in numbers):
            return _ONE
        return Fraction(lcm(*(number.denominator for number in numbers)))

    def _sum(self, terms: Sequence[tuple[Fraction, str]]) -> str:
        products = [name if c == _ONE else f"(* {self._number(c)} {name})" for c, name in terms]
        if not products:
            return self._number(Fraction(0))
        return products[0] if len(products) == 1 else f"(+ {' '.join(products)})"

    def _number(self, value: Fraction) -> str:
        return decimal_or_quotient(value) if self.has_division else decimal_only(value)
