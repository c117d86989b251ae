# SPDX-License-Identifier: Apache-2.0
"""Linear terms over a network's inputs and outputs, read exactly.

A numeral is the rational that its decimal text denotes, never the float nearest to it: ``0.1`` is
one tenth. Products need a constant factor and quotients a constant divisor, so that every term is
linear. Numbers are kept below ``ReaderLimits.number_bits`` after each operation, so no chain of
products can grow out of hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from verifier.spec.s_expression import Atom, Group, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from verifier.spec.dialect import Dialect
    from verifier.spec.reader_limits import ReaderLimits
    from verifier.spec.s_expression import Expression, Source

_NUMERAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?)0*([0-9]+))?")
_LOOKS_NUMERIC = re.compile(r"[+-]?\.?[0-9]")
_ONE = Fraction(1)
_ZERO = Fraction(0)


class Variable(NamedTuple):
    """An input or output of the network; inputs sort before outputs.

    Of several networks, all inputs count in a row, and so do all outputs.
    """

    is_output: bool
    position: int


class LinearTerm(NamedTuple):
    """``sum coefficients[v] * v + constant``; no coefficient is zero. Treated as immutable."""

    coefficients: Mapping[Variable, Fraction]
    constant: Fraction


class _Frame(NamedTuple):
    """An operator whose operands are being read."""

    group: Group
    operands: Iterator[Expression]
    terms: list[LinearTerm]


@dataclass(frozen=True)
class TermReader:
    """Reads the terms of one file.

    Attributes:
        source: The file.
        dialect: Its version.
        limits: What it may ask of the machine.
        variable: Returns the variable that an atom names, or nothing if it is no declared name.
    """

    source: Source
    dialect: Dialect
    limits: ReaderLimits
    variable: Callable[[Atom], Variable | None]
    _atoms: dict[str, LinearTerm] = field(default_factory=dict)

    def read(self, root: Expression) -> LinearTerm:
        """Return the term that an expression denotes.

        Raises:
            PropertyError: The expression is malformed, or a number exceeds a limit.
            UnsupportedError: The expression is not linear, or uses another operator.
        """
        if isinstance(root, Atom):
            return self._atom(root)
        frames = [self._frame(root)]
        while True:
            frame = frames[-1]
            operand = next(frame.operands, None)
            if isinstance(operand, Atom):
                frame.terms.append(self._atom(operand))
            elif operand is not None:
                frames.append(self._frame(operand))
            else:
                term = self._combine(frame)
                frames.pop()
                if not frames:
                    return term
                frames[-1].terms.append(term)

    def at_most(
        self, left: LinearTerm, right: LinearTerm, offset: int
    ) -> tuple[Mapping[Variable, Fraction], Fraction]:
        """Return ``a`` and ``b`` such that ``left <= right`` says ``sum a[v] * v <= b``.

        Almost every comparison has a side without variables and a side without constant, hence
        the shortcuts: rational arithmetic would take most of the time of reading a file.
        """
        if not left.constant:
            bound = right.constant
        elif not right.constant:
            bound = -left.constant
        else:
            bound = self._bounded(right.constant - left.constant, offset)
        if not right.coefficients:
            return left.coefficients, bound
        if not left.coefficients:
            return {v: -c for v, c in right.coefficients.items()}, bound
        return self._sum(left, [right], -_ONE, offset).coefficients, bound

    def _atom(self, atom: Atom) -> LinearTerm:
        term = self._atoms.get(atom.text)
        if term is None:
            variable = self.variable(atom)
            if variable is not None:
                term = LinearTerm({variable: _ONE}, _ZERO)
            else:
                term = LinearTerm({}, self._numeral(atom))
            self._atoms[atom.text] = term
        return term

    def _numeral(self, atom: Atom) -> Fraction:
        match = _NUMERAL.fullmatch(atom.text)
        if match is None or not (match[2] or match[3]):
            reason = "is not a number" if _LOOKS_NUMERIC.match(atom.text) else "is not declared"
            raise self.source.malformed(atom.offset, f"{shown(atom.text)} {reason}")
        sign, whole, decimals, exponent_sign, exponent = match.groups(default="")
        if len(whole) + len(decimals) > self.limits.digits:
            msg = f"{shown(atom.text)} has more than {self.limits.digits} digits (limit 'digits')"
            raise self.source.malformed(atom.offset, msg)
        # The length is compared first: the exponent itself may be too long to convert.
        longest = len(str(self.limits.exponent))
        if len(exponent) > longest or int(exponent or 0) > self.limits.exponent:
            msg = f"the exponent of {shown(atom.text)} exceeds {self.limits.exponent}"
            raise self.source.malformed(atom.offset, f"{msg} (limit 'exponent')")
        power = int(exponent_sign + (exponent or "0")) - len(decimals)
        number = int(sign + whole + decimals)
        return Fraction(number * 10**power) if power >= 0 else Fraction(number, 10**-power)

    def _frame(self, group: Group) -> _Frame:
        operator, operands = group.head, group.items[1:]
        if operator not in self.dialect.operators:
            what = f"the operator {shown(operator)}" if operator else "a term without operator"
            supported = " ".join(self.dialect.operators)
            msg = f"{what} is not supported in a term; supported: {supported}"
            raise self.source.unknown(self.dialect, group.offset, msg)
        least = 2 if operator == "/" else 1
        if len(operands) < least:
            msg = f"{operator!r} needs at least {least} operands, here it has {len(operands)}"
            raise self.source.malformed(group.offset, msg)
        return _Frame(group, iter(operands), [])

    def _combine(self, frame: _Frame) -> LinearTerm:
        first, rest, offset = frame.terms[0], frame.terms[1:], frame.group.offset
        match frame.group.head:
            case "+":
                return self._sum(first, rest, _ONE, offset)
            case "-" if not rest:
                return self._scaled(first, -_ONE, offset)
            case "-":
                return self._sum(first, rest, -_ONE, offset)
            case "*":
                return self._product(frame)
            case _:
                return self._quotient(first, rest, offset)

    def _quotient(self, first: LinearTerm, rest: list[LinearTerm], offset: int) -> LinearTerm:
        divisor = _ONE
        for term in rest:
            if term.coefficients:
                msg = "a quotient with a variable in its divisor is not linear"
                raise self.source.unsupported(offset, msg)
            if not term.constant:
                raise self.source.malformed(offset, "division by zero")
            divisor = self._bounded(divisor * term.constant, offset)
        return self._scaled(first, 1 / divisor, offset)

    def _product(self, frame: _Frame) -> LinearTerm:
        factor = _ONE
        variable_part: LinearTerm | None = None
        for term in frame.terms:
            if not term.coefficients:
                factor = self._bounded(factor * term.constant, frame.group.offset)
            elif variable_part is None:
                variable_part = term
            else:
                msg = "a product of two terms with variables is not linear"
                raise self.source.unsupported(frame.group.offset, msg)
        if variable_part is None:
            return LinearTerm({}, factor)
        return self._scaled(variable_part, factor, frame.group.offset)

    def _sum(
        self, first: LinearTerm, rest: list[LinearTerm], sign: Fraction, offset: int
    ) -> LinearTerm:
        """Return ``first + sign * sum(rest)``."""
        coefficients, constant = dict(first.coefficients), first.constant
        for term in rest:
            if term.constant:
                constant = self._bounded(constant + sign * term.constant, offset)
            for variable, coefficient in term.coefficients.items():
                total = coefficients.get(variable, _ZERO) + sign * coefficient
                coefficients[variable] = self._bounded(total, offset)
        return LinearTerm({v: c for v, c in coefficients.items() if c}, constant)

    def _scaled(self, term: LinearTerm, factor: Fraction, offset: int) -> LinearTerm:
        if not factor:
            return LinearTerm({}, _ZERO)
        coefficients = {
            variable: self._bounded(factor * coefficient, offset)
            for variable, coefficient in term.coefficients.items()
        }
        return LinearTerm(coefficients, self._bounded(factor * term.constant, offset))

    def _bounded(self, number: Fraction, offset: int) -> Fraction:
        bits = max(number.numerator.bit_length(), number.denominator.bit_length())
        if bits > self.limits.number_bits:
            msg = f"a number here needs {bits} bits, more than {self.limits.number_bits}"
            raise self.source.malformed(offset, f"{msg} (limit 'number_bits')")
        return number
