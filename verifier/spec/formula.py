# SPDX-License-Identifier: Apache-2.0
"""Boolean structure of an assertion: literals under ``AllOf`` and ``AnyOf``, without negation.

``not`` is pushed inward while reading: a negated conjunction becomes a disjunction of negated
parts, a negated ``a <= b`` becomes ``b < a``. Literals come out in two kinds, because bounds on a
single input make up the boxes and everything else is kept as a linear constraint.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from verifier.spec.property import LinearConstraint
from verifier.spec.s_expression import Atom, Group, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.spec.linear_term import LinearTerm, TermReader
    from verifier.spec.s_expression import Expression

_CONNECTIVES = ("and", "or")
_ZERO = Fraction(0)


class InputBound(NamedTuple):
    """``x[position] <= value`` where ``is_upper``, else ``x[position] >= value``; strict or not."""

    position: int
    value: Fraction
    is_upper: bool
    strict: bool


Literal = InputBound | LinearConstraint


@dataclass(frozen=True, eq=False)
class AllOf:
    """True where every part is; without parts, true."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, eq=False)
class AnyOf:
    """True where some part is; without parts, false."""

    parts: tuple[Formula, ...]


Formula = Literal | AllOf | AnyOf

_TRUE: Formula = AllOf(())
_FALSE: Formula = AnyOf(())


class _Frame(NamedTuple):
    """A connective whose operands are being read; ``negated`` goes for each operand."""

    is_conjunction: bool
    negated: bool
    operands: Iterator[Expression]
    parts: list[Formula]


def read_formula(terms: TermReader, root: Expression) -> Formula:
    """Return what an asserted expression says, free of negation.

    Raises:
        PropertyError: The expression is malformed.
        UnsupportedError: It uses an operator that is not modelled.
    """
    frames = [_Frame(is_conjunction=True, negated=False, operands=iter((root,)), parts=[])]
    while True:
        frame = frames[-1]
        operand = next(frame.operands, None)
        if operand is None:
            frames.pop()
            value = _joined(frame)
            if not frames:
                return value
            frames[-1].parts.append(value)
            continue
        expression, negated = _without_not(terms, operand, negated=frame.negated)
        if isinstance(expression, Group) and expression.head in _CONNECTIVES:
            is_conjunction = (expression.head == "and") != negated
            operands = iter(_operands(terms, expression))
            frames.append(_Frame(is_conjunction, negated, operands, []))
        else:
            frame.parts.append(_leaf(terms, expression, negated=negated))


def _joined(frame: _Frame) -> Formula:
    if len(frame.parts) == 1:
        return frame.parts[0]
    return AllOf(tuple(frame.parts)) if frame.is_conjunction else AnyOf(tuple(frame.parts))


def _without_not(
    terms: TermReader, expression: Expression, *, negated: bool
) -> tuple[Expression, bool]:
    has_logic = terms.dialect.has_logic
    while has_logic and isinstance(expression, Group) and expression.head == "not":
        operands = _operands(terms, expression)
        if len(operands) != 1:
            msg = f"'not' needs one operand, here it has {len(operands)}"
            raise terms.source.malformed(expression.offset, msg)
        expression, negated = operands[0], not negated
    return expression, negated


def _operands(terms: TermReader, group: Group) -> tuple[Expression, ...]:
    if len(group.items) == 1:
        raise terms.source.malformed(group.offset, f"{group.head!r} has no operands")
    return group.items[1:]


def _leaf(terms: TermReader, expression: Expression, *, negated: bool) -> Formula:
    dialect = terms.dialect
    if isinstance(expression, Group):
        if expression.head in dialect.comparisons:
            return _comparison(terms, expression, negated=negated)
        what = f"the operator {shown(expression.head)}" if expression.head else "this group"
        logic = (*_CONNECTIVES, "not") if dialect.has_logic else _CONNECTIVES
        supported = " ".join((*logic, *dialect.comparisons))
        msg = f"{what} is not supported in a formula; supported: {supported}"
        raise terms.source.unknown(dialect, expression.offset, msg)
    return _constant(terms, expression, negated=negated)


def _constant(terms: TermReader, atom: Atom, *, negated: bool) -> Formula:
    if not terms.dialect.has_logic or atom.text not in {"true", "false"}:
        msg = f"{shown(atom.text)} stands where a comparison is expected"
        raise terms.source.malformed(atom.offset, msg)
    return _TRUE if (atom.text == "true") != negated else _FALSE


def _comparison(terms: TermReader, group: Group, *, negated: bool) -> Formula:
    operands = group.items[1:]
    if len(operands) < 2 or (len(operands) > 2 and not terms.dialect.chains):
        least = "at least " if terms.dialect.chains else ""
        msg = f"{group.head!r} needs {least}2 operands, here it has {len(operands)}"
        raise terms.source.malformed(group.offset, msg)
    values = [terms.read(operand) for operand in operands]
    relation = terms.dialect.comparisons[group.head]
    if relation == "!=":
        # What is not equal is not at most or not at least.
        relation, negated = "=", not negated
    strict = (relation in {"<", ">"}) != negated
    parts: list[Formula] = []
    # SMT-LIB chains comparisons: (<= a b c) says a <= b and b <= c.
    for left, right in pairwise(values):
        lower, upper = (right, left) if negated else (left, right)
        if relation not in {">", ">="}:
            parts.append(_at_most(terms, lower, upper, group, strict=strict))
        if relation not in {"<", "<="}:
            parts.append(_at_most(terms, upper, lower, group, strict=strict))
    if len(parts) == 1:
        return parts[0]
    return AnyOf(tuple(parts)) if negated else AllOf(tuple(parts))


def _at_most(
    terms: TermReader, left: LinearTerm, right: LinearTerm, group: Group, *, strict: bool
) -> Formula:
    """Return ``left <= right``, or ``left < right``."""
    input_bound = _input_bound(left, right, strict=strict)
    if input_bound is not None:
        return input_bound
    coefficients, bound = terms.at_most(left, right, group.offset)
    if not coefficients:
        return _TRUE if bound > _ZERO or (bound == _ZERO and not strict) else _FALSE
    if len(coefficients) == 1:
        ((variable, coefficient),) = coefficients.items()
        if not variable.is_output:
            value = bound if coefficient == 1 else bound / coefficient
            return InputBound(variable.position, value, coefficient > _ZERO, strict)
    ordered = sorted(coefficients.items())
    return LinearConstraint(
        inputs=tuple((v.position, c) for v, c in ordered if not v.is_output),
        outputs=tuple((v.position, c) for v, c in ordered if v.is_output),
        bound=bound,
        strict=strict,
    )


def _input_bound(left: LinearTerm, right: LinearTerm, *, strict: bool) -> InputBound | None:
    """Return ``left <= right`` if that bounds an input by a constant, as most comparisons do.

    What it does not recognise, ``_at_most`` brings into the same form by rational arithmetic that
    would take most of the time of reading a file.
    """
    if len(left.coefficients) + len(right.coefficients) != 1:
        return None
    is_upper = bool(left.coefficients)
    term, value = (left, right.constant) if is_upper else (right, left.constant)
    ((variable, coefficient),) = term.coefficients.items()
    if variable.is_output or term.constant or coefficient != 1:
        return None
    return InputBound(variable.position, value, is_upper, strict)
