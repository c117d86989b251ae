# SPDX-License-Identifier: Apache-2.0
"""From formulas to the cases of a property.

Distributing ``and`` over ``or`` gives the cases. Three things keep that cheap:

  * the conjuncts outside of every disjunction, usually the bounds of all inputs, are never copied
    into cases: each case holds only what it adds (its *tightenings*);
  * a box is identified by its tightenings of the shared bounds, which are few, and not by its
    thousands of entries. The tightenings are kept canonical: only bounds whose value differs from
    the shared one, so two boxes are equal exactly when their tightenings are;
  * sizes are compared with ``ReaderLimits`` before a product is formed.

A strict bound on an input closes the box at that value and leaves a strict constraint in the case,
so the case describes the same set as the text.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, product
from typing import TYPE_CHECKING, NamedTuple

from verifier.errors import PropertyError
from verifier.spec.formula import AllOf, AnyOf, InputBound
from verifier.spec.implied_bounds import implied_bounds
from verifier.spec.property import Case, InputBox, LinearConstraint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from verifier.spec.formula import Formula, Literal
    from verifier.spec.reader_limits import ReaderLimits

_LOGGER = logging.getLogger(__name__)

Conjunction = tuple["Literal", ...]
_ONE = Fraction(1)


class _Frame(NamedTuple):
    """A connective whose parts are being expanded."""

    is_conjunction: bool
    parts: Iterator[Formula]
    expanded: list[list[Conjunction]]


class _Bound(NamedTuple):
    """The value of a bound and whether the value itself is excluded."""

    value: Fraction
    strict: bool


@dataclass(frozen=True)
class _Bounds:
    """The tightest bounds seen so far, by input, where they differ from those of ``shared``."""

    lower: dict[int, _Bound] = field(default_factory=dict)
    upper: dict[int, _Bound] = field(default_factory=dict)

    def tighten(self, bound: InputBound, shared: _Bounds | None) -> None:
        mine = self.upper if bound.is_upper else self.lower
        current = mine.get(bound.position)
        if current is None and shared is not None:
            current = (shared.upper if bound.is_upper else shared.lower).get(bound.position)
        if current is None or _is_tighter(bound, current):
            mine[bound.position] = _Bound(bound.value, bound.strict)


def _is_tighter(bound: InputBound, current: _Bound) -> bool:
    if bound.value == current.value:
        return bound.strict and not current.strict
    return (bound.value < current.value) == bound.is_upper


def cases_of(
    formula: Formula,
    input_width: int,
    name: str,
    limits: ReaderLimits,
    input_name: Callable[[int], str],
) -> tuple[Case, ...]:
    """Return the cases of a formula, without those that contradict themselves.

    Args:
        formula: What is asserted.
        input_width: Number of declared inputs.
        name: What to call the property in messages.
        limits: Bounds on the number and size of cases.
        input_name: What to call an input in messages.

    Raises:
        PropertyError: A limit is exceeded, or a case leaves an input without a bound.
    """
    shared: list[Literal] = []
    factors: list[list[Conjunction]] = []
    for part in _conjuncts(formula):
        alternatives = _expanded(part, name, limits)
        if not alternatives:
            return _warned((), name)
        if len(alternatives) == 1:
            shared.extend(alternatives[0])
        else:
            factors.append(alternatives)
            _check_product(factors, name, limits)
    maker = _CaseMaker.of(_Inputs(input_width, input_name), shared, name, limits)
    made = (maker.case(tuple(chain.from_iterable(choice))) for choice in product(*factors))
    return _warned(tuple(case for case in made if case is not None), name)


def _warned(cases: tuple[Case, ...], name: str) -> tuple[Case, ...]:
    if not cases:
        _LOGGER.warning("%s: its assertions contradict each other, so it holds trivially", name)
    return cases


def _conjuncts(formula: Formula) -> Iterator[Formula]:
    """Yield the parts of nested conjunctions in order."""
    pending = [formula]
    while pending:
        part = pending.pop()
        if isinstance(part, AllOf):
            pending.extend(reversed(part.parts))
        else:
            yield part


def _expanded(root: Formula, name: str, limits: ReaderLimits) -> list[Conjunction]:
    """Return the alternatives of a formula: it is true where one of them is."""
    frames = [_Frame(is_conjunction=True, parts=iter((root,)), expanded=[])]
    while True:
        frame = frames[-1]
        part = next(frame.parts, None)
        if part is None:
            frames.pop()
            value = _joined(frame, name, limits)
            if not frames:
                return value
            frames[-1].expanded.append(value)
        elif isinstance(part, AllOf | AnyOf):
            frames.append(_Frame(isinstance(part, AllOf), iter(part.parts), []))
        else:
            frame.expanded.append([(part,)])


def _joined(frame: _Frame, name: str, limits: ReaderLimits) -> list[Conjunction]:
    if len(frame.expanded) == 1:
        return frame.expanded[0]
    if not frame.is_conjunction:
        count = sum(map(len, frame.expanded))
        _check_sizes(count, sum(map(_size, frame.expanded)), name, limits)
        return list(chain.from_iterable(frame.expanded))
    if not all(frame.expanded):
        return []
    # One tuple for all single alternatives first: joining them in pairs would be quadratic.
    shared = tuple(chain.from_iterable(e[0] for e in frame.expanded if len(e) == 1))
    factors = [[shared], *(e for e in frame.expanded if len(e) > 1)]
    _check_product(factors, name, limits)
    return [tuple(chain.from_iterable(choice)) for choice in product(*factors)]


def _size(alternatives: Sequence[Conjunction]) -> int:
    return sum(map(len, alternatives))


def _check_product(factors: list[list[Conjunction]], name: str, limits: ReaderLimits) -> None:
    count, size = 1, 0
    for factor in factors:
        # Step by step, so that neither number grows far beyond its limit before it is compared.
        size = size * len(factor) + _size(factor) * count
        count *= len(factor)
        _check_sizes(count, size, name, limits)


def _check_sizes(count: int, size: int, name: str, limits: ReaderLimits) -> None:
    if count > limits.cases:
        what = f"more than {limits.cases} cases (limit 'cases')"
    elif size > limits.expanded_size:
        what = f"more than {limits.expanded_size} literals in cases (limit 'expanded_size')"
    else:
        return
    msg = f"{name}: {what}; split the property into several files"
    raise PropertyError(msg)


class _Inputs(NamedTuple):
    """How many inputs there are, and what to call them."""

    width: int
    name: Callable[[int], str]


@dataclass(frozen=True)
class _CaseMaker:
    """Makes cases from what they add to the shared conjuncts.

    Attributes:
        inputs: The inputs.
        name: What to call the property in messages.
        limits: Bounds on the size of boxes.
        shared: Bounds outside of every disjunction.
        strict: Those of ``shared`` that are strict.
        constraints: Constraints outside of every disjunction.
        unbounded: Input and side of each bound that ``shared`` lacks.
        is_empty: Whether ``shared`` contradicts itself.
        boxes: Boxes made so far, by their tightenings of the shared bounds.
    """

    inputs: _Inputs
    name: str
    limits: ReaderLimits
    shared: _Bounds
    strict: _Bounds
    constraints: tuple[LinearConstraint, ...]
    unbounded: tuple[tuple[int, str], ...]
    is_empty: bool
    boxes: dict[tuple[object, ...], InputBox] = field(default_factory=dict)

    @classmethod
    def of(
        cls, inputs: _Inputs, literals: Sequence[Literal], name: str, limits: ReaderLimits
    ) -> _CaseMaker:
        """Return a maker for the conjuncts that all cases share."""
        shared = _Bounds()
        for literal in literals:
            if isinstance(literal, InputBound):
                shared.tighten(literal, None)
        constraints = tuple(c for c in literals if isinstance(c, LinearConstraint))
        for bound in implied_bounds(inputs.width, shared.lower, shared.upper, constraints):
            shared.tighten(bound, None)
        sides = (("lower", shared.lower), ("upper", shared.upper))
        return cls(
            inputs=inputs,
            name=name,
            limits=limits,
            shared=shared,
            strict=_Bounds(*({i: b for i, b in side.items() if b.strict} for _, side in sides)),
            constraints=constraints,
            unbounded=tuple(
                (i, side) for i in range(inputs.width) for side, b in sides if i not in b
            ),
            is_empty=any(_is_empty(low, shared.upper.get(i)) for i, low in shared.lower.items()),
        )

    def case(self, literals: Conjunction) -> Case | None:
        """Return the case that adds ``literals``, or nothing where its box is empty."""
        if self.is_empty:
            return None
        own = _Bounds()
        for literal in literals:
            if isinstance(literal, InputBound):
                own.tighten(literal, self.shared)
        for index in own.lower.keys() | own.upper.keys():
            low = own.lower.get(index, self.shared.lower.get(index))
            if _is_empty(low, own.upper.get(index, self.shared.upper.get(index))):
                return None
        for index, side in self.unbounded:
            if index not in (own.lower if side == "lower" else own.upper):
                msg = f"{self.name}: input {self.inputs.name(index)} has no {side} bound"
                raise PropertyError(msg)
        constraints = (
            *self.constraints,
            *(c for c in literals if isinstance(c, LinearConstraint)),
            *_strict_constraints(self.strict.lower, own.lower, -_ONE),
            *_strict_constraints(self.strict.upper, own.upper, _ONE),
        )
        return Case(self._box(own), constraints)

    def _box(self, own: _Bounds) -> InputBox:
        key = (*_changes(self.shared.lower, own.lower), "", *_changes(self.shared.upper, own.upper))
        box = self.boxes.get(key)
        if box is None:
            size = (len(self.boxes) + 1) * self.inputs.width
            if size > self.limits.expanded_size:
                msg = f"more than {self.limits.expanded_size} entries in input boxes"
                msg = f"{self.name}: {msg} (limit 'expanded_size')"
                raise PropertyError(msg)
            lower, upper = self.shared.lower | own.lower, self.shared.upper | own.upper
            inputs = range(self.inputs.width)
            box = InputBox(
                tuple(lower[i].value for i in inputs), tuple(upper[i].value for i in inputs)
            )
            self.boxes[key] = box
        return box


def _is_empty(lower: _Bound | None, upper: _Bound | None) -> bool:
    if lower is None or upper is None:
        return False
    if lower.value == upper.value:
        return lower.strict or upper.strict
    return lower.value > upper.value


def _changes(shared: Mapping[int, _Bound], own: Mapping[int, _Bound]) -> list[tuple[int, Fraction]]:
    """Return the bounds of ``own`` by input, without those that changed in strictness only."""
    return sorted(
        (i, bound.value)
        for i, bound in own.items()
        if i not in shared or shared[i].value != bound.value
    )


def _strict_constraints(
    shared: Mapping[int, _Bound], own: Mapping[int, _Bound], sign: Fraction
) -> Iterator[LinearConstraint]:
    """Yield ``sign * x < sign * bound`` for each strict bound that is in force."""
    for index, bound in sorted((dict(shared) | dict(own)).items()):
        if bound.strict:
            yield LinearConstraint(((index, sign),), (), sign * bound.value, strict=True)
