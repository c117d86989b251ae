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

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.bounds.tighten import Tightened
from verifier.errors import ProofMismatchError
from verifier.proof.literals import Literal, Path, Phase
from verifier.proof.muc import Core, Multipliers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.change.neuron_map import NeuronMap

    Array = NDArray[np.float64]


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

    There is a table that has for each neuron its counterpart, both numbered layer after layer, or
    -1; a last entry, -1 too, stands for neurons that the original does not have.
    """

    def __init__(
        self,
        neuron_map: NeuronMap,
        original_widths: Sequence[int],
        compressed_widths: Sequence[int],
    ) -> None:
        """Write the map down.

        Args:
            neuron_map: From the original's neurons.
            original_widths: Number of neurons of each ReLU layer of the original.
            compressed_widths: The same of the compressed network.
        """
        self._map = neuron_map
        before = list(accumulate(original_widths, initial=0))
        after = list(accumulate(compressed_widths, initial=0))
        stays = all(old == new for old, new in neuron_map.kept.items())
        self._is_identity = (
            stays
            and len(neuron_map.kept) == before[-1]
            and tuple(original_widths) == tuple(compressed_widths)
        )
        self._table = np.full(before[-1] + 1, -1, dtype=np.intp)
        for (layer, index), new in neuron_map.kept.items():
            self._table[before[layer] + index] = after[new.layer] + new.index

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
        neurons, alpha, q = self._moved(multipliers.neurons, multipliers.alpha, multipliers.q)
        literals, masses = self._moved(multipliers.literals, multipliers.masses)
        return Multipliers(multipliers.rows, neurons, alpha, q, literals, masses)

    def tightened(self, part: Tightened) -> Tightened:
        """Return slopes of the compressed network's neurons, in any order, as far as they exist."""
        if self._is_identity:
            return part
        neurons, lines = self._table[part.neurons], self._table[part.lines]
        rows, columns = np.flatnonzero(neurons >= 0), np.flatnonzero(lines >= 0)
        both = np.concatenate([rows, rows + len(neurons)])
        return Tightened(neurons[rows], lines[columns], part.slopes[np.ix_(both, columns)])

    def _moved(self, neurons: NDArray[np.intp], *values: Array) -> tuple[NDArray[Any], ...]:
        """Return counterparts of neurons, ascending, and the values that belong to them."""
        targets = self._table[np.minimum(neurons, len(self._table) - 1)]
        order = np.argsort(targets)
        order = order[np.count_nonzero(targets < 0) :]
        return targets[order], *(value[order] for value in values)
