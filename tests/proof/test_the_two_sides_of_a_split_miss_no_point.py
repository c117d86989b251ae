# SPDX-License-Identifier: Apache-2.0
"""A literal and its negation are closed, so together they hold everywhere: splits miss nothing."""

from __future__ import annotations

import pytest

from verifier.ir.graph import Neuron
from verifier.proof.literals import HalfSpace, Literal, Phase


def is_true(literal: Literal, value: float) -> bool:
    """Tell whether a literal holds where its neuron's preactivation, or its input, is ``value``."""
    match literal:
        case Phase(_, active):
            return value >= 0 if active else value <= 0
        case HalfSpace(_, threshold, below):
            return value <= threshold if below else value >= threshold


@pytest.mark.parametrize("value", [-1.0, 0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize(
    "literal",
    [
        Phase(Neuron(0, 1), active=True),
        Phase(Neuron(0, 1), active=False),
        HalfSpace(1, 0.25, below=True),
        HalfSpace(1, 0.25, below=False),
    ],
)
def test_every_point_satisfies_a_literal_or_its_negation(literal: Literal, value: float) -> None:
    border = literal.threshold if isinstance(literal, HalfSpace) else 0.0

    sides = [is_true(literal, value), is_true(literal.negated(), value)]

    assert any(sides)
    assert all(sides) == (value == border)
    assert literal.negated().negated() == literal
