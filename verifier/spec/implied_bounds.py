# SPDX-License-Identifier: Apache-2.0
"""Bounds of inputs that follow from bounds of other inputs.

A box needs two finite ends for every input. Queries about two networks often bound one copy of an
input and relate the other to it: ``0 <= x <= 1`` and ``x <= x' <= 1``. What is derived here only
completes the box; the constraint that it comes from stays, so nothing is lost or gained.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from verifier.spec.formula import InputBound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

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

    Each constraint is evaluated once, when a single end is lacking, so the work is linear in the
    size of the constraints.

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
    pending = [number for number, count in enumerate(lacking) if count == 1]
    while pending:
        number = pending.pop()
        bound = _implied(relations[number], known) if lacking[number] == 1 else None
        if bound is not None and bound.position not in known[bound.is_upper]:
            known[bound.is_upper][bound.position] = bound.value
            for reader in readers[bound.position, bound.is_upper]:
                lacking[reader] -= 1
                if lacking[reader] == 1:
                    pending.append(reader)
            yield bound


def _implied(
    constraint: LinearConstraint, known: Sequence[Mapping[int, Fraction]]
) -> InputBound | None:
    """Return what a constraint says of the one input in it that lacks the end that counts."""
    target: tuple[int, Fraction] | None = None
    rest = constraint.bound
    for i, coefficient in constraint.inputs:
        # A term is least at the lower end, or at the upper one where its coefficient is negative.
        end = known[coefficient < 0].get(i)
        if end is None:
            target = (i, coefficient)
        else:
            rest -= coefficient * end
    if target is None:
        return None
    i, coefficient = target
    return InputBound(i, rest / coefficient, is_upper=coefficient > 0, strict=False)
