# SPDX-License-Identifier: Apache-2.0
"""Whether the multipliers of a core refute a case in a region.

A violation in the region would make every row ``outputs . y + inputs . x - bound <= 0``, hence
every combination of rows with weights ``>= 0`` too. The multipliers give a lower bound of such a
combination; a positive one contradicts the violation. Zero does as well when a *strict* row has a
positive weight.

The bound is a single backward row (``region_bounds``), with two liberties that the certificate may
use. With coefficient ``c`` on an unstable ``y`` it may hold mass ``q >= max(0, -c)`` against the
upper line and ``c + q`` against the lower. And for a phase that the path demands it may subtract
``m z`` (active, ``z >= 0``) or add ``m z`` (inactive, ``z <= 0``), ``m >= 0``: that never
increases the sum. Any nonnegative numbers will do, so they are rounded down like all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Generic, TypeVar

from verifier.certificate.integer_matrix import quotients_rounded_down
from verifier.certificate.scaled_network import (
    FRACTION_BITS,
    INPUT,
    ONE,
    exponent_above,
    power_of_two,
    rounded_down,
)
from verifier.certificate.values import as_fraction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from verifier.certificate.region_bounds import Region
    from verifier.certificate.regions import Phases
    from verifier.certificate.scaled_network import Edge
    from verifier.certificate.values import Number
    from verifier.spec.property import Case

NeuronKey = tuple[int, int]


N = TypeVar("N", bound="Number", covariant=True)  # noqa: PLC0105  (as short as a type can be)


@dataclass(frozen=True)
class Multipliers(Generic[N]):
    """The numbers of a core, all exact.

    Attributes:
        rows: One weight ``>= 0`` for each constraint of the case.
        neurons: By layer and index: slope of the lower line in [0, 1], and ``q >= 0``.
        masses: By layer and index: ``m >= 0``; only for phases that the path demands.
    """

    rows: tuple[N, ...]
    neurons: Mapping[NeuronKey, tuple[N, N]]
    masses: Mapping[NeuronKey, N]

    def as_fractions(self) -> Multipliers[Fraction]:
        """Return the same numbers as fractions."""
        return Multipliers(
            tuple(map(as_fraction, self.rows)),
            {key: (as_fraction(a), as_fraction(q)) for key, (a, q) in self.neurons.items()},
            {key: as_fraction(mass) for key, mass in self.masses.items()},
        )


def refutes(region: Region, case: Case, hints: Multipliers[Number], phases: Phases) -> bool:
    """Return whether the multipliers show that the case has no solution in the region.

    Args:
        region: The region, with all layers bounded.
        case: A case whose box is the box of the region's root.
        hints: One row weight per constraint; masses for demanded phases only.
        phases: All phases that the region's path demands.
    """
    multipliers = hints.as_fractions()
    rows, constant = _combined_rows(region, case, multipliers.rows)
    bound = _CoreRow(region, multipliers, phases, rows, constant).least_value()
    is_strict = any(
        weight > 0 and constraint.strict
        for weight, constraint in zip(multipliers.rows, case.constraints, strict=True)
    )
    return bound > 0 or (bound == 0 and is_strict)


def _combined_rows(
    region: Region, case: Case, weights: Sequence[Fraction]
) -> tuple[dict[int, list[Fraction]], Fraction]:
    """Return the weighted sum of the constraints: coefficients by anchor, and the constant.

    Outputs are replaced by what the output layer reads. Nothing is rounded yet.
    """
    network = region.network
    outputs: dict[int, Fraction] = {}
    inputs = [Fraction(0)] * len(network.origin)
    constant = Fraction(0)
    for weight, constraint in zip(weights, case.constraints, strict=True):
        if weight:
            constant -= weight * constraint.bound
            for index, coefficient in constraint.inputs:
                inputs[index] += weight * coefficient
            for index, coefficient in constraint.outputs:
                outputs[index] = outputs.get(index, Fraction(0)) + weight * coefficient
    constant += sum((c * x for c, x in zip(inputs, network.origin, strict=True) if c), Fraction(0))
    unit = power_of_two(network.exponents[INPUT])
    rows = {INPUT: [c * unit for c in inputs]} if any(inputs) else {}
    for edge in network.layers[-1].edges:
        entries = _weighted_sum(outputs, edge)
        if edge.has_bias:
            constant += entries.pop()
        present = rows.get(edge.anchor)
        rows[edge.anchor] = (
            entries if present is None else [a + b for a, b in zip(present, entries, strict=True)]
        )
    return {anchor: row for anchor, row in rows.items() if any(row)}, constant


def _weighted_sum(outputs: Mapping[int, Fraction], edge: Edge) -> list[Fraction]:
    """Return what a combination of outputs is over an edge's source, the bias last."""
    common = lcm(*(c.denominator for c in outputs.values()))
    weights = [(j, c.numerator * (common // c.denominator)) for j, c in outputs.items()]
    below = common * edge.divisor
    return [Fraction(sum(int(row[j]) * w for j, w in weights), below) for row in edge.by_source]


class _CoreRow:
    """One backward row in fixed point, times a power of two that makes its largest term about 1."""

    def __init__(
        self,
        region: Region,
        multipliers: Multipliers[Fraction],
        phases: Phases,
        rows: Mapping[int, list[Fraction]],
        constant: Fraction,
    ) -> None:
        self._region = region
        self._phases = phases
        exponents = region.network.exponents
        masses = {
            key: mass * power_of_two(exponents[key[0] + 1])
            for key, mass in multipliers.masses.items()
        }
        scale = self._scale(rows, constant, masses.values())
        self._rows = {a: [rounded_down(c * scale) for c in row] for a, row in rows.items()}
        self._constant = rounded_down(constant * scale) << FRACTION_BITS
        self._masses = {key: rounded_down(mass * scale) for key, mass in masses.items()}
        self._slopes = {key: rounded_down(a) for key, (a, _) in multipliers.neurons.items()}
        self._upper_masses = {
            key: rounded_down(q * scale * power_of_two(exponents[key[0] + 1]))
            for key, (_, q) in multipliers.neurons.items()
        }
        self._touched = {layer for layer, _ in [*self._masses, *self._upper_masses]}

    @staticmethod
    def _scale(
        rows: Mapping[int, list[Fraction]], constant: Fraction, masses: Iterable[Fraction]
    ) -> Fraction:
        terms = (abs(c) for row in rows.values() for c in row)
        largest = max([abs(constant), *terms, *masses])
        return power_of_two(-exponent_above(largest))

    def least_value(self) -> int:
        """Return a lower bound of the row over the region; only its sign has a meaning."""
        region = self._region
        for layer in range(len(region.layers) - 1, -1, -1):
            if layer + 1 in self._rows or layer in self._touched:
                self._substitute_layer(layer)
        total = self._constant
        lower, upper = region.box
        row = self._rows.get(INPUT, [0] * len(lower))
        return total + sum(
            c * (low if c >= 0 else high) for c, low, high in zip(row, lower, upper, strict=True)
        )

    def _substitute_layer(self, layer: int) -> None:
        """Replace the values of a ReLU layer by what it reads."""
        region = self._region
        width = len(region.layers[layer].lower)
        row = self._rows.pop(layer + 1, [0] * width)
        row = [self._relaxed(layer, index, c) for index, c in enumerate(row)]
        if not any(row):
            return
        for edge in region.network.layers[layer].edges:
            product = region.network.arithmetic.product(edge.whole, [[c] for c in row])
            new = [c for (c,) in quotients_rounded_down(product, edge.divisor)]
            if edge.has_bias:
                self._constant += new.pop() << FRACTION_BITS
            old = self._rows.get(edge.anchor)
            self._rows[edge.anchor] = (
                new if old is None else [a + b for a, b in zip(old, new, strict=True)]
            )

    def _relaxed(self, layer: int, index: int, c: int) -> int:
        """Return the coefficient on the preactivation; constants are added on the way."""
        bounds, key = self._region.layers[layer], (layer, index)
        lower, upper = bounds.lower[index], bounds.upper[index]
        if index in bounds.demanded:
            coefficient = c if bounds.demanded[index] else 0
        elif lower <= 0 <= upper and key in self._slopes:
            coefficient = self._relaxed_unstable(key, c, lower, upper)
        elif lower >= 0:
            coefficient = c
        elif upper <= 0:
            coefficient = 0
        else:
            coefficient = self._relaxed_unstable(key, c, lower, upper)
        mass = self._masses.get(key)
        if mass is None:
            return coefficient
        return coefficient - mass if self._phases[layer][index] else coefficient + mass

    def _relaxed_unstable(self, key: NeuronKey, c: int, lower: int, upper: int) -> int:
        above = max(self._upper_masses.get(key, 0), -c)
        if lower < 0 < upper:
            below_slope, above_slope = self._region.slopes(*key)
        else:  # It ends at 0, so ``y`` is 0 or ``z``; multipliers are made with wider bounds.
            below_slope, above_slope = 0, 0 if lower < 0 else ONE
        on_lower = ((c + above) * self._slopes.get(key, below_slope)) >> FRACTION_BITS
        on_upper = (-above * above_slope) >> FRACTION_BITS
        self._constant += min(-on_upper * lower, (-above - on_upper) * upper)
        return on_lower + on_upper
