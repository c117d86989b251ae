# SPDX-License-Identifier: Apache-2.0
"""Bounds of inputs that follow from bounds of other inputs.

A box needs two finite ends for every input. Queries about two networks often bound one copy of an
input and relate the other to it: ``0 <= x <= 1`` and ``x <= x' <= 1``. What is derived here only
completes the box; the constraint that it comes from stays, so nothing is lost or gained.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from verifier.spec.formula import InputBound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from verifier.spec.property import LinearConstraint


class _End(Protocol):
    """One end of an input's range."""

    @property
    def value(self) -> Fraction:
        """Where it lies."""
        ...


def implied_bounds(
    width: int,
    lower: Mapping[int, _End],
    upper: Mapping[int, _End],
    constraints: Sequence[LinearConstraint],
) -> Iterator[InputBound]:
    """Yield a bound for each missing end that constraints on inputs imply.

    Each constraint is evaluated twice at most, when one end and when none is lacking, so the work
    is linear in the size of the constraints.

    Args:
        width: Number of inputs.
        lower: Lower ends that are known, by input.
        upper: Upper ends.
        constraints: What all cases share.
    """
    known = (
        {i: end.value for i, end in lower.items()},
        {i: end.value for i, end in upper.items()},
    )
    if len(lower) == len(upper) == width:
        return
    relations = [c for c in constraints if len(c.inputs) > 1 and not c.outputs]
    readers: dict[tuple[int, bool], list[int]] = defaultdict(list)
    lacking = [0] * len(relations)
    for number, constraint in enumerate(relations):
        for i, coefficient in constraint.inputs:
            if i not in known[coefficient < 0]:
                readers[i, coefficient < 0].append(number)
                lacking[number] += 1
    pending = [number for number, count in enumerate(lacking) if count <= 1]
    while pending:
        for bound in _implied(relations[pending.pop()], known):
            known[bound.is_upper][bound.position] = bound.value
            for reader in readers[bound.position, bound.is_upper]:
                lacking[reader] -= 1
                if lacking[reader] <= 1:
                    pending.append(reader)
            yield bound


def _implied(
    constraint: LinearConstraint, known: Sequence[Mapping[int, Fraction]]
) -> list[InputBound]:
    """Return the missing ends that a constraint implies.

    ``sum c[i] * x[i] <= b`` bounds each term by ``b`` less the least value of the others. A term is
    least at its input's lower end, or at the upper one where its coefficient is negative.
    """
    rest = constraint.bound
    unbounded: list[int] = []
    for i, coefficient in constraint.inputs:
        end = known[coefficient < 0].get(i)
        if end is None:
            unbounded.append(i)
        else:
            rest -= coefficient * end
    found: list[InputBound] = []
    for i, coefficient in constraint.inputs:
        if i in known[coefficient > 0] or unbounded not in ([], [i]):
            continue
        # What is left for this term: its own least value is no part of the others.
        own = coefficient * known[coefficient < 0].get(i, Fraction(0))
        value = (rest + own) / coefficient
        found.append(InputBound(i, value, is_upper=coefficient > 0, strict=False))
    return found
