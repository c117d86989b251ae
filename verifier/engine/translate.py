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

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import ProofMismatchError
from verifier.proof.literals import Literal, Path, Phase
from verifier.proof.muc import Core, Multipliers, NeuronMultipliers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    """Carries cores over, with a neuron map as an array.

    There is a table that has for each neuron, layer after layer, its counterpart's layer and index,
    or -1; a last entry, -1 too, stands for neurons that the original does not have.
    """

    def __init__(self, neuron_map: NeuronMap, layer_widths: Sequence[int]) -> None:
        """Write the map down.

        Args:
            neuron_map: From the original's neurons.
            layer_widths: Number of neurons of each ReLU layer of the original.
        """
        self._map = neuron_map
        self._widths = layer_widths
        self._starts = list(accumulate(layer_widths, initial=0))
        stays = all(old == new for old, new in neuron_map.kept.items())
        self._is_identity = stays and len(neuron_map.kept) == sum(layer_widths)
        self._table = np.full((self._starts[-1] + 1, 2), -1, dtype=np.intp)
        for (layer, index), new in neuron_map.kept.items():
            self._table[self._starts[layer] + index] = tuple(new)

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
        return Core(core.case, path, self.multipliers(core.multipliers), core.margin), lost

    def multipliers(self, multipliers: Multipliers | None) -> Multipliers | None:
        """Return multipliers of the compressed network's neurons."""
        if multipliers is None or self._is_identity:
            return multipliers
        masses = {
            self._map.kept[neuron]: mass
            for neuron, mass in multipliers.literals.items()
            if neuron in self._map.kept
        }
        return Multipliers(multipliers.rows, self._layers(multipliers.layers), masses)

    def _layers(self, layers: Mapping[int, NeuronMultipliers]) -> dict[int, NeuronMultipliers]:
        if not layers:
            return {}
        old = [
            np.where(part.index < self._widths[layer], self._starts[layer] + part.index, -1)
            for layer, part in layers.items()
        ]
        targets = self._table[np.concatenate(old)]
        order = np.lexsort((targets[:, 1], targets[:, 0]))
        order = order[targets[order, 0] >= 0]
        layer, index = targets[order].T
        alpha = np.concatenate([part.alpha for part in layers.values()])[order]
        q = np.concatenate([part.q for part in layers.values()])[order]
        ends = np.flatnonzero(np.diff(layer, append=-1)) + 1
        return {
            int(layer[start]): NeuronMultipliers(index[start:end], alpha[start:end], q[start:end])
            for start, end in pairwise([0, *ends.tolist()])
        }
