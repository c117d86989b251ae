# SPDX-License-Identifier: Apache-2.0
"""The bound that the multipliers of a core give, in float64.

The bound is that of ``core_bound``, as one form of ``float_bounds``. A neuron's masses make two
more roundings: of ``c + q`` against ``y``, which is at most ``reach``, and of the sum that becomes
the coefficient on ``z``, against ``size``. Multipliers are hints: any numbers of the right sign
will do, so they are rounded to floats as they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.certificate.float_bounds import FloatForms
from verifier.certificate.float_network import nearest

if TYPE_CHECKING:
    from verifier.certificate.core_bound import Multipliers
    from verifier.certificate.float_bounds import FloatRegion
    from verifier.certificate.float_network import FloatLayer, Floats
    from verifier.certificate.regions import Phases
    from verifier.certificate.values import Number


def least_left_side(
    region: FloatRegion, case: FloatLayer, multipliers: Multipliers[Number], phases: Phases
) -> float:
    """Return a lower bound of the weighted left sides of a case; above zero it has no solution.

    Args:
        region: The region, with all layers bounded.
        case: The left sides of the case's constraints.
        multipliers: One row weight per constraint; masses for demanded phases only.
        phases: All phases that the region's path demands.
    """
    form = CoreForm(region, multipliers, phases)
    weights = np.array([[nearest(weight) for weight in multipliers.rows]])
    form.read(case, weights, region.sizes(case), np.zeros(1))
    for layer in range(len(region.layers) - 1, -1, -1):
        form.substitute(layer)
    return float(form.least_values()[0])


class CoreForm(FloatForms):
    """A single form, with the liberties that a core has."""

    def __init__(
        self, region: FloatRegion, multipliers: Multipliers[Number], phases: Phases
    ) -> None:
        """Start with the constant form 0; see above for the rest."""
        super().__init__(region, np.zeros(1))
        self._listed: dict[int, list[tuple[int, float, float]]] = {}
        for (layer, neuron), (slope, held) in multipliers.neurons.items():
            self._listed.setdefault(layer, []).append((neuron, nearest(slope), nearest(held)))
        self._masses: dict[int, list[tuple[int, float]]] = {}
        for (layer, neuron), mass in multipliers.masses.items():
            signed = -nearest(mass) if phases[layer][neuron] else nearest(mass)
            self._masses.setdefault(layer, []).append((neuron, signed))

    def substitute(self, layer: int, own_slopes: Floats | None = None) -> None:
        """Replace the values of a ReLU layer by what it reads, with the core's own choices."""
        if layer not in self._listed and layer not in self._masses:
            super().substitute(layer, own_slopes)
            return
        bounds = self.region.layers[layer]
        row = self.rows.pop(layer + 1, np.zeros((1, len(bounds.lower))))[0]
        slopes, held = bounds.lower_slopes.copy(), np.maximum(-row, 0.0)
        for neuron, slope, least in self._listed.get(layer, ()):
            ends_at_zero_or_beyond = bounds.lower[neuron] <= 0.0 <= bounds.upper[neuron]
            if ends_at_zero_or_beyond and neuron not in bounds.demanded:
                slopes[neuron] = slope
                held[neuron] = max(held[neuron], least)
        on_lower = row + held
        below, above = on_lower * slopes, held * bounds.upper_slopes
        relaxed = below - above
        sizes = below + above
        for neuron, mass in self._masses.get(layer, ()):
            relaxed[neuron] += mass
            sizes[neuron] += abs(mass)
        self.charge(on_lower @ bounds.reach + sizes @ bounds.size)
        amount = np.array([-(held @ bounds.intercepts)])
        self.read(self.region.network.layers[layer], relaxed[np.newaxis], bounds.size, amount)
