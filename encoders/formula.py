# SPDX-License-Identifier: Apache-2.0
"""Statements as pySMT formulas, in an environment that the caller owns.

pySMT's module-level shortcuts share one global environment; nothing here uses them, so two
sessions never see each other's symbols and are freed with their environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pysmt.typing import BOOL, REAL

from encoders.base import (
    Declare,
    Define,
    Linear,
    Relation,
    Require,
    RequireAny,
    Sort,
    Statement,
)

if TYPE_CHECKING:
    from fractions import Fraction

    from pysmt.environment import Environment
    from pysmt.fnode import FNode


class FormulaBuilder:
    """Builds formulas and remembers what each name stands for."""

    def __init__(self, environment: Environment) -> None:
        self._manager: Any = environment.formula_manager
        self._terms: dict[str, FNode] = {}

    def assertion(self, statement: Statement) -> FNode | None:
        """Return what the statement asserts; None if it only introduces a name."""
        match statement:
            case Declare(name, sort):
                kind = BOOL if sort is Sort.BOOL else REAL
                self._introduce(name, self._manager.Symbol(name, kind))
                return None
            case Define(name, value):
                self._introduce(name, self._linear(value))
                return None
            case Require():
                return self._require(statement)
            case RequireAny(selectors):
                return self._manager.Or([self._terms[name] for name in selectors])

    def literal(self, name: str, *, positive: bool) -> FNode:
        """Return a declared Boolean or its negation."""
        symbol = self._terms[name]
        return symbol if positive else self._manager.Not(symbol)

    def term(self, name: str) -> FNode:
        """Return what a name stands for."""
        return self._terms[name]

    def __contains__(self, name: str) -> bool:
        """Return whether the name was introduced."""
        return name in self._terms

    def _introduce(self, name: str, term: FNode) -> None:
        if name in self._terms:
            msg = f"the name {name!r} is introduced twice"
            raise ValueError(msg)
        self._terms[name] = term

    def _require(self, statement: Require) -> FNode:
        left = self._linear(statement.left)
        right = self._manager.Real(statement.right)
        compare = {
            Relation.AT_MOST: self._manager.LE,
            Relation.BELOW: self._manager.LT,
            Relation.AT_LEAST: self._manager.GE,
        }[statement.relation]
        atom = compare(left, right)
        if not statement.guards:
            return atom
        guards = [self.literal(name, positive=value) for name, value in statement.guards]
        return self._manager.Implies(self._manager.And(guards), atom)

    def _linear(self, linear: Linear) -> FNode:
        parts = [self._product(factor, name) for factor, name in linear.terms]
        if linear.constant or not parts:
            parts.append(self._manager.Real(linear.constant))
        return self._manager.Plus(parts)

    def _product(self, factor: Fraction, name: str) -> FNode:
        term = self._terms[name]
        return term if factor == 1 else self._manager.Times(self._manager.Real(factor), term)
