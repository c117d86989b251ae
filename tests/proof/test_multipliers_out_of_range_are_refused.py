# SPDX-License-Identifier: Apache-2.0
"""Multipliers for which a bound would not be sound are never evaluated, wherever they come from."""

from __future__ import annotations

import numpy as np
import pytest

from tests.proof.small_proofs import drawn
from verifier.engine.evaluate import Query, evaluate
from verifier.engine.problem import Problem
from verifier.engine.region import root
from verifier.proof.muc import Multipliers

ONE = np.array([1])


def value_of(multipliers: Multipliers) -> float:
    """Evaluate multipliers next to faultless ones, which must not hide them."""
    problem = Problem.of(*drawn(0))
    right = Multipliers(np.ones(1))
    bound = evaluate(problem, [Query(root(problem, 0), 0)] * 3, [right, multipliers, right])
    return float(bound.value[1])


def lines(alpha: float, q: float) -> Multipliers:
    return Multipliers(np.ones(1), ONE, np.array([alpha]), np.array([q]))


@pytest.mark.parametrize(
    ("alpha", "q"), [(-0.1, 0.0), (1.1, 0.0), (0.5, -0.1), (np.nan, 0.0), (0.5, np.nan)]
)
def test_a_slope_or_mass_out_of_range_is_refused(alpha: float, q: float) -> None:
    with pytest.raises(ValueError, match="slopes must be in"):
        value_of(lines(alpha, q))


@pytest.mark.parametrize("mass", [-1.0, np.nan])
def test_a_negative_mass_of_a_literal_is_refused(mass: float) -> None:
    with pytest.raises(ValueError, match="masses at least 0"):
        value_of(Multipliers(np.ones(1), literals=ONE, masses=np.array([mass])))


@pytest.mark.parametrize("weight", [-1.0, np.nan])
def test_a_negative_weight_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weights of rows must be"):
        value_of(Multipliers(np.array([weight])))


def test_the_ends_of_the_ranges_are_allowed() -> None:
    for alpha, q in ((0.0, 0.0), (1.0, 5.0)):
        assert value_of(lines(alpha, q)) < np.inf
    assert value_of(Multipliers(np.zeros(1), literals=ONE, masses=np.zeros(1))) < np.inf
