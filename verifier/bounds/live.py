# SPDX-License-Identifier: Apache-2.0
"""Bounds on a wide network over parts of a whole box, without what is 0 all over it.

On wide image networks most neurons of the first layers are inactive over the whole box: they are 0
there, exactly, whatever is computed of them. And a region of a wide network has the bounds of the
whole box, cut with its phases (ADR-0011), so its relaxation is that of the box but for the neurons
whose phase it decides. So rows of any regions are bounded together, as products of small matrices:
there are no bounds of regions to be computed, kept or compared.

Leaving a neuron out leaves terms out that are exactly 0, from the bound and from the magnitudes of
which its rounding is a share. A mass on its phase literal is left out with it: any mass is valid,
so none is, too; but then a certificate must not name it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds import backward
from verifier.bounds.backward import LinearBound, RowMultipliers
from verifier.bounds.layers import INPUT, Layer, Layers
from verifier.bounds.relaxation import Relaxation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from verifier.bounds.backward import Rows
    from verifier.bounds.box import Box
    from verifier.bounds.region_bounds import RegionBounds

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Live:
    """The neurons that are not inactive all over a box, and the network between them.

    Attributes:
        numbers: Which of all neurons they are, ascending.
        column: Shape (all neurons,): the place of each among the live ones, or -1.
        entries: For each source which of its entries are live; all of the input are.
        layers: The network between them.
        whole: Their relaxation over the box, a batch of one.
        never: Shape (2, all neurons): which phases no point of the box has, active and inactive.
        scale: At least the magnitude of each entry of a source vector of ``layers`` in the box.
    """

    numbers: NDArray[np.intp]
    column: NDArray[np.intp]
    entries: Mapping[int, NDArray[np.intp]]
    layers: Layers
    whole: Relaxation
    never: NDArray[np.bool_]
    scale: Array

    @classmethod
    def of(cls, layers: Layers, root: RegionBounds, scale: Array) -> Live:
        """Leave out what is inactive.

        Args:
            layers: The network.
            root: Bounds of the box, a batch of one.
            scale: At least the magnitude of each entry of a source vector in the box.
        """
        lower, upper = root.neurons.lower[0], root.neurons.upper[0]
        is_live = ~(upper <= 0.0)
        numbers = np.flatnonzero(is_live)
        column = np.full(len(is_live), -1)
        column[numbers] = np.arange(len(numbers))
        here = [np.flatnonzero(is_live[place]) for place in layers.slices]
        entries = {INPUT: np.arange(layers.input_width)} | dict(enumerate(here))
        hidden = tuple(
            Layer(
                {s: w[np.ix_(here[k], entries[s])] for s, w in layer.weights.items()},
                layer.bias[here[k]],
            )
            for k, layer in enumerate(layers.hidden)
        )
        line = root.relaxation
        whole = Relaxation(
            line.alpha[:, numbers],
            line.slope[:, numbers],
            line.offset[:, numbers],
            line.unstable[:, numbers],
        )
        width = layers.input_width
        scale = np.concatenate([scale[:width], scale[width:][numbers]])
        never = np.array([upper < 0.0, lower > 0.0])
        return cls(numbers, column, entries, replace(layers, hidden=hidden), whole, never, scale)

    def empty(self, phases: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Tell which regions, of phases of shape (regions, all neurons), contradict the bounds."""
        active, inactive = self.never
        contradicted = (active & (phases > 0)) | (inactive & (phases < 0))
        found: NDArray[np.bool_] = np.logical_or.reduce(contradicted, axis=1)
        return found

    def relaxation(self, phases: NDArray[np.int8]) -> Relaxation:
        """Return the relaxation over regions, of phases of shape (regions, live neurons)."""
        whole = self.whole
        is_cut = (phases != 0) & whole.unstable
        line = (phases > 0).astype(np.float64)
        return Relaxation(
            np.where(is_cut, line, whole.alpha),
            np.where(is_cut, line, whole.slope),
            np.where(is_cut, 0.0, whole.offset),
            ~is_cut & whole.unstable,
        )

    def lower_bounds(
        self, rows: Rows, lines: Relaxation, box: Box, chosen: RowMultipliers
    ) -> LinearBound:
        """Bound each row, a form of all neurons, from below over its region.

        Args:
            rows: What to bound.
            lines: The relaxation of each row's region.
            box: Its input box.
            chosen: Its multipliers; of live neurons, as all that follows.
        """
        coefficients = np.zeros((len(rows.constant), len(self.scale)))
        for source, part in rows.coefficients.items():
            coefficients[:, self.layers.place(source)] = part[:, self.entries[source]]
        parts = (coefficients, rows.constant, rows.magnitude)
        multipliers = (chosen.alpha, chosen.q, chosen.beta)
        value, slack, slopes, costs = backward.substitute(
            self.layers, parts, lines, box, self.scale, multipliers
        )
        gaps = np.zeros((len(value), len(self.column)))
        gaps[:, self.numbers] = costs
        return LinearBound(value, slack, slopes, gaps)
