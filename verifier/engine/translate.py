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
from verifier.proof.literals import Literal, Path, Phase
from verifier.proof.muc import Core, Multipliers, NeuronMultipliers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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


class Translation:
    """Carries cores over, with a neuron map as arrays.

    By layer there is a table that has for each neuron its counterpart's layer and index, or -1.
    """

    def __init__(self, neuron_map: NeuronMap, layer_widths: Sequence[int]) -> None:
        """Write the map down.

        Args:
            neuron_map: From the original's neurons.
            layer_widths: Number of neurons of each ReLU layer of the original.
        """
        self._map = neuron_map
        stays = all(old == new for old, new in neuron_map.kept.items())
        self._is_identity = stays and len(neuron_map.kept) == sum(layer_widths)
        self._places: dict[int, NDArray[np.intp]] = {}
        layers = set() if self._is_identity else {neuron.layer for neuron in neuron_map.kept}
        for layer in layers:
            pairs = [(old.index, new) for old, new in neuron_map.kept.items() if old.layer == layer]
            table = np.full((max(index for index, _ in pairs) + 1, 2), -1, dtype=np.intp)
            for index, new in pairs:
                table[index] = tuple(new)
            self._places[layer] = table

    def path(self, path: Path) -> tuple[Path, bool] | None:
        """Return what ``translate_path`` does."""
        return (path, False) if self._is_identity else translate_path(path, self._map)

    def core(self, core: Core) -> tuple[Core, bool] | None:
        """Return the core on the compressed network, unchecked, or None where it is vacuous.

        The flag tells whether a literal was lost because its neuron has no counterpart.
        """
        if self._is_identity:
            return core, False
        translated = translate_path(core.path, self._map)
        if translated is None:
            return None
        path, lost = translated
        multipliers = core.multipliers
        if multipliers is not None:
            multipliers = self._multipliers(multipliers)
        return Core(core.case, path, multipliers, core.margin), lost

    def _multipliers(self, multipliers: Multipliers) -> Multipliers:
        layers: dict[int, NeuronMultipliers] = {}
        for layer, part in multipliers.layers.items():
            for target, moved in self._moved(layer, part).items():
                layers[target] = moved if target not in layers else _united(layers[target], moved)
        masses = {
            self._map.kept[neuron]: mass
            for neuron, mass in multipliers.literals.items()
            if neuron in self._map.kept
        }
        return Multipliers(multipliers.rows, layers, masses)

    def _moved(self, layer: int, part: NeuronMultipliers) -> dict[int, NeuronMultipliers]:
        """Return one layer's multipliers by the layer of their counterparts."""
        table = self._places.get(layer)
        if table is None:
            return {}
        known = (part.index >= 0) & (part.index < len(table))
        targets = table[np.where(known, part.index, 0)]
        targets[~known] = -1
        moved: dict[int, NeuronMultipliers] = {}
        for target in np.unique(targets[targets[:, 0] >= 0, 0]).tolist():
            chosen = np.flatnonzero(targets[:, 0] == target)
            chosen = chosen[np.argsort(targets[chosen, 1])]
            index = targets[chosen, 1]
            moved[target] = NeuronMultipliers(index, part.alpha[chosen], part.q[chosen])
        return moved


def _united(one: NeuronMultipliers, other: NeuronMultipliers) -> NeuronMultipliers:
    """Return the multipliers of two disjoint sets of neurons of one layer."""
    index = np.concatenate([one.index, other.index])
    order = np.argsort(index)
    alpha, q = np.concatenate([one.alpha, other.alpha]), np.concatenate([one.q, other.q])
    return NeuronMultipliers(index[order], alpha[order], q[order])
