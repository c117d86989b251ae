# SPDX-License-Identifier: Apache-2.0
"""``r = max(z, 0)`` as a choice between two phases, made by one Boolean selector ``s``.

    active:    r = z,  z >= 0            inactive:  r = 0,  z <= 0

We assert what both phases share outside the choice, and inside it one inequality each:

    r >= 0,  r - z >= 0,     s -> r - z <= 0,     not s -> r <= 0.

That is the same set: if ``r = z`` then ``r >= 0`` says ``z >= 0``, and if ``r = 0`` then
``r - z >= 0`` says ``z <= 0``. Where ``z = 0`` either phase will do, so the two literals of a
neuron overlap there, and refuting each of them refutes everything. Written so, the simplex sees two
linear forms a neuron instead of four, and knows ``r >= max(z, 0)`` before it decides anything.

A phase that is demanded for good needs no choice, and neither does a stable neuron, where the
caller has bounds: ``lower >= 0`` leaves ``r = z`` and ``upper <= 0`` leaves ``r = 0``. Then the
term ``z``, or nothing, takes the place of ``r``, and ``z >= 0`` or ``z <= 0`` is asserted all the
same. So the formula never contains more than the network does, whatever the bounds say: a wrong
bound can hide a solution, but a solution is always a true one.

Unstable neurons with bounds get ``r <= upper``. (The third side of the triangle,
``r <= upper (z - lower) / (upper - lower)``, cost more in pivots than it saved: see
``real_arithmetic.py``.)
"""

from __future__ import annotations

from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING

from encoders.base import (
    Bounds,
    Declare,
    EncodedNode,
    Linear,
    Place,
    Relation,
    Require,
    Sort,
    Statement,
)
from encoders.names import postactivation_variable, preactivation_term, selector
from verifier.ir.graph import Neuron

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ONE = Fraction(1)
_ZERO = Fraction(0)


class Stability(Enum):
    """What bounds say of a neuron's phase."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNSTABLE = "unstable"


def stability(neuron: Neuron, bounds: Bounds) -> Stability:
    """Return which phase the bounds leave; UNSTABLE where there are none.

    Raises:
        ValueError: The neuron's lower bound is above its upper bound.
    """
    if neuron not in bounds:
        return Stability.UNSTABLE
    lower, upper = bounds[neuron]
    if lower > upper:
        msg = f"bounds of neuron {tuple(neuron)}: lower {lower} is above upper {upper}"
        raise ValueError(msg)
    if lower >= 0:
        return Stability.ACTIVE
    return Stability.INACTIVE if upper <= 0 else Stability.UNSTABLE


def known_phase(neuron: Neuron, bounds: Bounds, fixed: Mapping[Neuron, bool]) -> bool | None:
    """Return whether the neuron is active, as far as that is demanded or bounded; None if open."""
    by_bounds = stability(neuron, bounds)
    if neuron in fixed:
        return fixed[neuron]
    return None if by_bounds is Stability.UNSTABLE else by_bounds is Stability.ACTIVE


def encode_relu(place: Place) -> EncodedNode:
    """Encode one ReLU layer."""
    if place.layer is None:
        msg = f"node {place.node.name!r} is a Relu without a layer"
        raise ValueError(msg)
    statements: list[Statement] = []
    values: list[str | None] = []
    for index in range(place.node.width):
        neuron = Neuron(place.layer, index)
        active = known_phase(neuron, place.bounds, place.fixed)
        if active is None:
            statements += _choice(neuron, place.bounds)
            values.append(postactivation_variable(neuron))
            continue
        relation = Relation.AT_LEAST if active else Relation.AT_MOST
        statements.append(Require(_preactivation(neuron), relation, _ZERO))
        values.append(place.inputs[0][index] if active else None)
    return EncodedNode(tuple(statements), tuple(values))


def _choice(neuron: Neuron, bounds: Bounds) -> Iterator[Statement]:
    post, phase = postactivation_variable(neuron), selector(neuron)
    value = Linear(((_ONE, post),), _ZERO)
    excess = Linear(((_ONE, post), (-_ONE, preactivation_term(neuron))), _ZERO)
    yield Declare(post, Sort.REAL)
    yield Declare(phase, Sort.BOOL)
    yield Require(value, Relation.AT_LEAST, _ZERO)
    yield Require(excess, Relation.AT_LEAST, _ZERO)
    yield Require(excess, Relation.AT_MOST, _ZERO, ((phase, True),))
    yield Require(value, Relation.AT_MOST, _ZERO, ((phase, False),))
    if neuron in bounds:
        yield Require(value, Relation.AT_MOST, bounds[neuron][1])


def _preactivation(neuron: Neuron) -> Linear:
    return Linear(((_ONE, preactivation_term(neuron)),), _ZERO)


def phase_of_stable(neuron: Neuron) -> Iterator[Statement]:
    """Make both phases of a neuron assumable where the network needs no choice.

    Bounds of exactly 0 leave the opposite phase possible, so it is a constraint and not false.
    """
    phase, preactivation = selector(neuron), _preactivation(neuron)
    yield Declare(phase, Sort.BOOL)
    yield Require(preactivation, Relation.AT_LEAST, _ZERO, ((phase, True),))
    yield Require(preactivation, Relation.AT_MOST, _ZERO, ((phase, False),))
