# SPDX-License-Identifier: Apache-2.0
"""One network and one property in z3, asked again and again under assumptions.

A session answers: is there an input that violates the property, with these neurons in these
phases and these inputs on these sides of thresholds? If not, it names a *core*, a subset of the
assumed literals that is refuted already; if so, it gives the input as exact rationals.

Cores come from z3's assumptions, and pySMT loses them: with pySMT 0.9.6, ``get_unsat_core()``
raises, or, with cores switched on, returns asserted formulas and not the assumptions. So pySMT
builds and converts the formulas, and the check and its core go to z3 itself. Nothing outside this
module needs to know.

An assumed phase costs far more than a fixed one. With all 300 phases of an ACAS Xu network assumed,
z3 5.4 gave up after 60 s; with the same phases fixed, so that postactivations are substituted away
and five variables remain, it answered in 2 s.

Limits: z3 looks at its clock between steps, so a call may overrun its timeout by one long step;
who needs a hard limit runs the session in a process of its own. All sessions of a process share
z3's main context, so they must stay in one thread.
"""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import z3
from pysmt.environment import Environment
from pysmt.logics import QF_LRA

from encoders.formula import FormulaBuilder
from encoders.names import case_selector, half_space_selector, input_variable, selector
from encoders.real_arithmetic import (
    check_fit,
    check_neuron,
    encode_network,
    encode_property,
    half_space,
)
from encoders.relu import known_phase, phase_of_stable
from verifier.errors import RefusedError
from verifier.spec.property import Case, Property
from verifier.verdict import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from encoders.base import Bounds, Literal, Statement
    from verifier.ir.graph import Graph, Neuron

_LOGGER = logging.getLogger(__name__)
# What z3 takes for "no timeout".
_NO_TIMEOUT_MS = 2**32 - 1
_INTERRUPTED = "interrupted from keyboard"


class Session:
    """A solver that holds a network and what would violate its property.

    Use it as a context manager, or ``close()`` it.

        with Session(graph, case) as session:
            if session.solve([(Neuron(0, 3), True)]) is Answer.UNSAT:
                core = session.core()
    """

    def __init__(
        self,
        graph: Graph,
        problem: Case | Property,
        *,
        bounds: Bounds | None = None,
        fixed: Mapping[Neuron, bool] | None = None,
    ) -> None:
        """Encode the problem.

        Args:
            graph: In normal form.
            problem: A case, or a property, which is violated by any of its cases.
            bounds: Bounds of preactivations, true for every input in the box of every case that
                has the fixed phases. They make the formula easier; they are trusted, so UNSAT
                and cores are as true as they are.
            fixed: Phases that every answer takes for granted, as neuron and whether it is active.
                They are built in and never in a core; far cheaper than assumptions.

        Raises:
            PropertyError: The problem does not fit the network.
            UnsupportedError: The graph is not in normal form, or has an unknown operator.
            ValueError: Bounds cross, or bounds or phases name neurons that do not exist.
        """
        self._graph = graph
        self._property = _as_property(graph, problem)
        self._bounds: Bounds = {} if bounds is None else bounds
        self._fixed: Mapping[Neuron, bool] = {} if fixed is None else fixed
        check_fit(graph, self._property)
        self._environment: Any = Environment()
        self._builder = FormulaBuilder(self._environment)
        self._solver: Any = self._environment.factory.Solver(name="z3", logic=QF_LRA)
        self._answer: Answer | None = None
        self._assumed: dict[tuple[str, bool], Literal] = {}
        self._half_spaces: dict[tuple[int, Fraction, bool], str] = {}
        self._case: int | None = None
        self._reason = ""
        for statement in encode_network(graph, self._bounds, self._fixed):
            self._add(statement)
        for statement in encode_property(self._property):
            self._add(statement)

    @property
    def reason(self) -> str:
        """Why the last answer was UNKNOWN, in z3's words; empty after any other answer."""
        return self._reason

    def solve(
        self,
        assumptions: Iterable[Literal] = (),
        *,
        timeout_seconds: float | None = None,
        case: int | None = None,
    ) -> Answer:
        """Ask whether the property can be violated under the assumptions.

        Args:
            assumptions: Phases of neurons, at most one of each, and half-spaces of inputs.
            timeout_seconds: Time for this call; none left is UNKNOWN without asking.
            case: Ask for a violation by this case alone; cores then refer to it.

        Raises:
            ValueError: A neuron, an input or the case does not exist, or a neuron is assumed in
                both phases.
        """
        self._answer, self._reason = None, ""
        literals = self._literals(assumptions, case)
        if timeout_seconds is not None and timeout_seconds <= 0:
            self._answer, self._reason = Answer.UNKNOWN, "timeout"
            return self._answer
        limit = _NO_TIMEOUT_MS
        if timeout_seconds is not None:
            limit = min(max(1, int(timeout_seconds * 1000)), _NO_TIMEOUT_MS)
        self._solver.z3.set("timeout", limit)
        result = self._solver.z3.check(*literals)
        self._answer = Answer(str(result))
        if self._answer is Answer.UNKNOWN:
            self._reason = self._solver.z3.reason_unknown()
            if self._reason == _INTERRUPTED:
                raise KeyboardInterrupt
            _LOGGER.info("z3 gave up: %s", self._reason)
        return self._answer

    def core(
        self, *, recheck: bool = False, timeout_seconds: float | None = None
    ) -> frozenset[Literal]:
        """Return assumptions of the last call that suffice for its answer UNSAT.

        Args:
            recheck: Whether to have the core refuted once more, by a new solver that has seen
                none of this session's lemmas.
            timeout_seconds: Time for that.

        Raises:
            RuntimeError: The last answer was not UNSAT.
            RefusedError: The new solver does not refute the core.
        """
        self._demand(Answer.UNSAT)
        signed = [_name_and_sign(literal) for literal in self._solver.z3.unsat_core()]
        core = frozenset(self._assumed[key] for key in signed if key != self._case_key())
        if recheck:
            self._recheck(core, timeout_seconds)
        return core

    def model_point(self) -> tuple[Fraction, ...]:
        """Return the violating input of the last answer SAT, exactly.

        Raises:
            RuntimeError: The last answer was not SAT, or z3's value is not a rational number.
        """
        self._demand(Answer.SAT)
        model = self._solver.z3.model()
        return tuple(
            self._rational(model, input_variable(index)) for index in range(self._graph.input_width)
        )

    def close(self) -> None:
        """Free the solver; the session cannot be used after that."""
        self._answer = None
        self._solver.exit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _add(self, statement: Statement) -> None:
        formula = self._builder.assertion(statement)
        if formula is None:
            return
        # pySMT checks types in whatever environment is current. In the global one they would be
        # kept for ever, and slow down every later check: formulas of all sessions share hashes.
        with self._environment:
            self._solver.add_assertion(formula)

    def _literals(self, assumptions: Iterable[Literal], case: int | None) -> list[Any]:
        self._assumed, self._case = {}, case
        wanted: dict[Neuron, bool] = {}
        for literal in assumptions:
            if len(literal) == 3:
                self._assumed[self._half_space(*literal), True] = literal
                continue
            neuron, active = literal
            check_neuron(self._graph, neuron)
            if wanted.setdefault(neuron, active) != active:
                msg = f"neuron {tuple(neuron)} is assumed in both phases at once"
                raise ValueError(msg)
            if known_phase(neuron, self._bounds, self._fixed) != active:
                self._assumed[self._selector(neuron), active] = literal
        keys = list(self._assumed)
        case_key = self._case_key()
        if case_key is not None:
            keys.append(case_key)
        return [
            self._solver.converter.convert(self._builder.literal(name, positive=sign))
            for name, sign in keys
        ]

    def _case_key(self) -> tuple[str, bool] | None:
        if self._case is None:
            return None
        if not 0 <= self._case < len(self._property.cases):
            msg = f"case {self._case} of a property with {len(self._property.cases)} cases"
            raise ValueError(msg)
        return case_selector(self._case), True

    def _selector(self, neuron: Neuron) -> str:
        name = selector(neuron)
        if name not in self._builder:
            for statement in phase_of_stable(neuron):
                self._add(statement)
        return name

    def _half_space(self, index: int, threshold: Fraction | float, below: bool) -> str:
        """Return the selector of a half-space, asserted at its first use."""
        if not 0 <= index < self._graph.input_width:
            msg = f"input {index} does not exist: there are {self._graph.input_width}"
            raise ValueError(msg)
        key = (index, Fraction(threshold), below)
        if key not in self._half_spaces:
            name = half_space_selector(len(self._half_spaces))
            for statement in half_space(*key, name):
                self._add(statement)
            self._half_spaces[key] = name
        return self._half_spaces[key]

    def _recheck(self, core: frozenset[Literal], timeout_seconds: float | None) -> None:
        with Session(self._graph, self._property, bounds=self._bounds, fixed=self._fixed) as fresh:
            answer = fresh.solve(
                sorted(core, key=repr), timeout_seconds=timeout_seconds, case=self._case
            )
            if answer is not Answer.UNSAT:
                msg = (
                    f"a core of {len(core)} literals was not refuted again: {answer} {fresh.reason}"
                )
                raise RefusedError(msg)

    def _demand(self, answer: Answer) -> None:
        if self._answer is not answer:
            msg = f"this needs the last answer to be {answer}, but it is {self._answer}"
            raise RuntimeError(msg)

    def _rational(self, model: Any, name: str) -> Fraction:
        term = self._solver.converter.convert(self._builder.term(name))
        value = model.eval(term, model_completion=True)
        if not z3.is_rational_value(value):
            msg = f"z3 says {name} = {value}, which is not a rational number"
            raise RuntimeError(msg)
        return Fraction(value.numerator_as_long(), value.denominator_as_long())


def _as_property(graph: Graph, problem: Case | Property) -> Property:
    if isinstance(problem, Property):
        return problem
    return Property(graph.input_width, graph.output_width, (problem,))


def _name_and_sign(literal: Any) -> tuple[str, bool]:
    """Split an assumption as z3 gives it back."""
    if z3.is_not(literal):
        return literal.arg(0).decl().name(), False
    return literal.decl().name(), True
