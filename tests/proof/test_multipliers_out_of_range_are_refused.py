# SPDX-License-Identifier: Apache-2.0
"""Multipliers for which a bound would not be sound cannot be made, wherever they come from."""

from __future__ import annotations

import numpy as np
import pytest

from verifier.ir.graph import Neuron
from verifier.proof.muc import Multipliers, NeuronMultipliers


@pytest.mark.parametrize(
    ("alpha", "q"), [(-0.1, 0.0), (1.1, 0.0), (0.5, -0.1), (np.nan, 0.0), (0.5, np.nan)]
)
def test_a_slope_or_mass_out_of_range_is_refused(alpha: float, q: float) -> None:
    with pytest.raises(ValueError, match="slopes must be in"):
        NeuronMultipliers(np.array([3]), np.array([alpha]), np.array([q]))


@pytest.mark.parametrize(("row", "mass"), [(-1.0, 0.0), (np.nan, 0.0), (1.0, -1.0), (1.0, np.nan)])
def test_a_negative_weight_is_refused(row: float, mass: float) -> None:
    with pytest.raises(ValueError, match="weights and masses must be"):
        Multipliers(np.array([row]), {}, {Neuron(0, 1): mass})


def test_the_ends_of_the_ranges_are_allowed() -> None:
    part = NeuronMultipliers(np.array([0, 1]), np.array([0.0, 1.0]), np.array([0.0, 5.0]))

    assert Multipliers(np.array([0.0]), {0: part}, {Neuron(0, 1): 0.0}).layers[0] is part
