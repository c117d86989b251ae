# SPDX-License-Identifier: Apache-2.0
"""Where a property file says what must not happen: the line of its assertion over outputs.

A property is violated where all of its assertions hold. Those over inputs alone say where to look,
so the one that a counterexample is about is the first over outputs. Where that is a disjunction
(some other class is at least as likely), the place is its first operand that holds at the
counterexample, decided exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.spec.counterexample import is_met
from verifier.spec.formula import AllOf, AnyOf, InputBound, read_formula
from verifier.spec.s_expression import Atom, Source
from verifier.spec.vnnlib_reader import asserted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from verifier.spec.formula import Formula, Literal
    from verifier.spec.linear_term import TermReader
    from verifier.spec.s_expression import Expression

    Point = tuple[Sequence[Fraction], Sequence[Fraction]]


@dataclass(frozen=True)
class OutputAssertion:
    """The first assertion of a text that speaks of outputs.

    Attributes:
        terms: Reads its terms.
        expression: What is asserted.
    """

    terms: TermReader
    expression: Expression

    @classmethod
    def of(cls, source: Source) -> OutputAssertion | None:
        """Return it; nothing where no assertion speaks of outputs.

        Raises:
            PropertyError: The text is malformed or exceeds a limit.
            UnsupportedError: The text says something that is not modelled.
        """
        for terms, expression in asserted(source):
            if _speaks_of_outputs(terms, expression):
                return cls(terms, expression)
        return None

    def line(self, point: Point | None) -> int:
        """Return the number of its line, from 1.

        Args:
            point: A counterexample: input, and output there. Of a disjunction, it is the line of
                the part that holds there.
        """
        expression = self.expression
        while not isinstance(expression, Atom) and expression.head in {"and", "or"}:
            parts = expression.items[1:]
            if len(parts) > 1 and expression.head == "and":
                break
            if len(parts) > 1:
                if point is None:
                    break
                parts = tuple(part for part in parts if self._holds(part, point))
                if not parts:
                    break
            expression = parts[0]
        return self.terms.source.line(expression.offset)

    def _holds(self, expression: Expression, point: Point) -> bool:
        return _holds(read_formula(self.terms, expression), point)


def _speaks_of_outputs(terms: TermReader, root: Expression) -> bool:
    pending = [root]
    while pending:
        expression = pending.pop()
        if isinstance(expression, Atom):
            variable = terms.variable(expression)
            if variable is not None and variable.is_output:
                return True
        else:
            # The head is an operator.
            pending.extend(expression.items[1:])
    return False


def _holds(root: Formula, point: Point) -> bool:
    """Whether a formula holds, without recursion: it may be as deep as the reader allows."""
    order = [root]
    for formula in order:
        if isinstance(formula, AllOf | AnyOf):
            order.extend(formula.parts)
    value: dict[int, bool] = {}
    for formula in reversed(order):  # What a formula is made of comes before it.
        match formula:
            case AllOf():
                value[id(formula)] = all(value[id(part)] for part in formula.parts)
            case AnyOf():
                value[id(formula)] = any(value[id(part)] for part in formula.parts)
            case _:
                value[id(formula)] = _is_true(formula, point)
    return value[id(root)]


def _is_true(literal: Literal, point: Point) -> bool:
    x, y = point
    if not isinstance(literal, InputBound):
        return is_met(literal, x, y)
    if x[literal.position] == literal.value:
        return not literal.strict
    return (x[literal.position] < literal.value) == literal.is_upper
