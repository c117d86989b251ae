# SPDX-License-Identifier: Apache-2.0
"""Bounds of all neurons over a batch of regions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.box import Box
from verifier.bounds.kernel_data import Regions
from verifier.bounds.relaxation import Relaxation, relax, unstable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RegionBounds:
    """Bounds over a batch of regions.

    Attributes:
        box: Input boxes.
        neurons: Bounds of all preactivations, layer after layer, with the region's phase literals
            applied.
        empty: Shape (batch,): whether bounds contradict each other, so that no point is left.
        slices: Where each ReLU layer is among the neurons.
    """

    box: Box
    neurons: Box
    empty: NDArray[np.bool_]
    slices: tuple[slice, ...]

    @property
    def preactivations(self) -> tuple[Box, ...]:
        """The bounds of each ReLU layer."""
        return tuple(self.neurons.columns(place) for place in self.slices)

    @cached_property
    def relaxation(self) -> Relaxation:
        """Adaptive relaxation of all neurons."""
        return relax(self.neurons)

    @property
    def relaxations(self) -> tuple[Relaxation, ...]:
        """The relaxation of each ReLU layer."""
        return tuple(self.relaxation.columns(place) for place in self.slices)

    @property
    def flat(self) -> Regions:
        """The bounds as compiled code reads them."""
        return Regions(
            box_lower=self.box.lower,
            box_upper=self.box.upper,
            lower=self.neurons.lower,
            upper=self.neurons.upper,
        )

    @property
    def unstable(self) -> NDArray[np.bool_]:
        """Whether the phase of each neuron is open, shape (batch, neurons)."""
        return unstable(self.neurons)

    @cached_property
    def unstable_count(self) -> NDArray[np.intp]:
        """Number of unstable neurons of each region, shape (batch,)."""
        count: NDArray[np.intp] = self.unstable.sum(axis=1)
        return count

    def single(self, member: int) -> RegionBounds:
        """Return one member as a batch of its own, which does not keep the others in memory."""
        place = slice(member, member + 1)
        box, neurons = (
            Box(part.lower[place].copy(), part.upper[place].copy())
            for part in (self.box, self.neurons)
        )
        return RegionBounds(box, neurons, self.empty[place].copy(), self.slices)

    def take(self, members: NDArray[np.intp]) -> RegionBounds:
        """Return the given members of the batch, each as often as it is named."""
        box, neurons = self.box.take(members), self.neurons.take(members)
        return RegionBounds(box, neurons, self.empty[members], self.slices)

    @classmethod
    def stack(cls, parts: Sequence[RegionBounds]) -> RegionBounds:
        """Return one batch of several."""
        return cls(
            Box.stack([part.box for part in parts]),
            Box.stack([part.neurons for part in parts]),
            np.concatenate([part.empty for part in parts]),
            parts[0].slices,
        )
