# SPDX-License-Identifier: Apache-2.0
"""The names of variables in formulas, the same in every run and in every back end.

``x_i`` and ``y_j`` are inputs and outputs. Neuron ``i`` of layer ``l`` has the preactivation
``z_l_i``, the postactivation ``r_l_i`` and the selector ``s_l_i``, true where it is active.
``case_k`` is true where case ``k`` of the property is the one that is violated, and ``h_n`` where
the ``n``-th half-space that a session was asked about is demanded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.ir.graph import Neuron


def input_variable(index: int) -> str:
    """Return the name of an input."""
    return f"x_{index}"


def output_term(index: int) -> str:
    """Return the name of an output."""
    return f"y_{index}"


def preactivation_term(neuron: Neuron) -> str:
    """Return the name of what a ReLU reads."""
    return f"z_{neuron.layer}_{neuron.index}"


def postactivation_variable(neuron: Neuron) -> str:
    """Return the name of what a ReLU gives."""
    return f"r_{neuron.layer}_{neuron.index}"


def selector(neuron: Neuron) -> str:
    """Return the name of the Boolean that chooses a ReLU's phase."""
    return f"s_{neuron.layer}_{neuron.index}"


def half_space_selector(number: int) -> str:
    """Return the name of the Boolean that demands a half-space of one input."""
    return f"h_{number}"


def case_selector(index: int) -> str:
    """Return the name of the Boolean that chooses a case of the property."""
    return f"case_{index}"
