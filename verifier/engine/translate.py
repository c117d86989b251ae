# SPDX-License-Identifier: Apache-2.0
"""Carry cores of the original over to the neurons of the compressed network.

A literal of a kept neuron is renamed. A removed neuron has a constant preactivation: a literal
that the constant satisfies is dropped, one that it contradicts makes the core vacuous, because the
branch it came from does not exist any more. A neuron without counterpart loses its literal.
Dropping literals makes a core claim more than it did; that is sound only because every core is
re-validated on the compressed network before it counts.

Multipliers are renamed alike; those of neurons that are gone are left out, which leaves valid
(default) multipliers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import ProofMismatchError
from verifier.ir.graph import Neuron
from verifier.proof.literals import Literal, Path, Phase
from verifier.proof.muc import Core, Multipliers, NeuronMultipliers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.change.neuron_map import NeuronMap


def check_map(
    neuron_map: NeuronMap, original_widths: Sequence[int], compressed_widths: Sequence[int]
) -> None:
    """Check that the neurons of a map exist and that no two share a counterpart.

    Raises:
        ProofMismatchError: One does not exist, or two do.
    """
    sides = (
        ("original", {*neuron_map.kept, *neuron_map.removed}, original_widths),
        ("compressed network", neuron_map.kept.values(), compressed_widths),
    )
    for which, neurons, widths in sides:
        for layer, index in neurons:
            if not (0 <= layer < len(widths) and 0 <= index < widths[layer]):
                msg = (
                    f"the neuron map names neuron {index} of ReLU layer {layer}; the {which} has "
                    f"ReLU layers of {tuple(widths)} neurons: give the map of these two networks"
                )
                raise ProofMismatchError(msg)
    if len(set(neuron_map.kept.values())) != len(neuron_map.kept):
        msg = "the neuron map sends two neurons of the original to one of the compressed network"
        raise ProofMismatchError(msg)


def translate_path(path: Path, neuron_map: NeuronMap) -> tuple[Path, bool] | None:
    """Return the path on the compressed network, or None where it is vacuous there.

    The flag tells whether a literal was lost because its neuron has no counterpart.
    """
    literals: list[Literal] = []
    lost = False
    for literal in path:
        if not isinstance(literal, Phase):
            literals.append(literal)
        elif literal.neuron in neuron_map.kept:
            literals.append(Phase(neuron_map.kept[literal.neuron], literal.active))
        elif literal.neuron in neuron_map.removed:
            constant = neuron_map.removed[literal.neuron]
            if constant != 0 and (constant > 0) != literal.active:
                return None
        else:
            lost = True
    return tuple(dict.fromkeys(literals)), lost


def translate_core(core: Core, neuron_map: NeuronMap) -> tuple[Core, bool] | None:
    """Return the core on the compressed network, unchecked, or None where it is vacuous."""
    translated = translate_path(core.path, neuron_map)
    if translated is None:
        return None
    path, lost = translated
    multipliers = core.multipliers
    if multipliers is not None:
        multipliers = _translate_multipliers(multipliers, neuron_map)
    return Core(core.case, path, multipliers, core.margin), lost


def _translate_multipliers(multipliers: Multipliers, neuron_map: NeuronMap) -> Multipliers:
    found: dict[int, dict[int, tuple[float, float]]] = {}
    for layer, part in multipliers.layers.items():
        for index, alpha, q in zip(part.index, part.alpha, part.q, strict=True):
            neuron = neuron_map.kept.get(Neuron(layer, int(index)))
            if neuron is not None:
                found.setdefault(neuron.layer, {})[neuron.index] = (float(alpha), float(q))
    layers = {layer: _sorted(entries) for layer, entries in found.items()}
    masses = {
        neuron_map.kept[neuron]: mass
        for neuron, mass in multipliers.literals.items()
        if neuron in neuron_map.kept
    }
    return Multipliers(multipliers.rows, layers, masses)


def _sorted(entries: dict[int, tuple[float, float]]) -> NeuronMultipliers:
    index = sorted(entries)
    values = np.array([entries[i] for i in index], dtype=np.float64)
    return NeuronMultipliers(np.array(index, dtype=np.intp), values[:, 0], values[:, 1])
