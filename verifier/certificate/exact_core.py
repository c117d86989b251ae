# SPDX-License-Identifier: Apache-2.0
"""Whether exact multipliers refute a case in a region whose phases are all known.

There the network is affine, so no line of a ReLU is needed, and the combination of rows that
``core_bound`` describes is a linear function of the inputs: it is computed here in rationals, with
no rounding at all, on the box as the property and the thresholds give it. That is for rows that
touch the border of what is excluded, which any rounding would push over it.

What is rounded are the bounds that tell the phase of a neuron that is not on the path, and those
are on the safe side: a neuron that they leave open refutes the core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from verifier.ir.operators import Affine, Input, Relu

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from verifier.certificate.region_bounds import Region
    from verifier.certificate.regions import Phases, Threshold
    from verifier.ir.graph import Graph
    from verifier.ir.rational import RationalArray
    from verifier.spec.property import Case, InputBox

ExactBox = tuple[Sequence[Fraction], Sequence[Fraction]]

_ZERO = Fraction(0)


@dataclass(frozen=True)
class ExactMultipliers:
    """The numbers of an exact core.

    Attributes:
        rows: One weight ``>= 0`` for each constraint of the case, a whole number.
        masses: By layer and index: ``m >= 0``, whole; only for phases that the path demands.
    """

    rows: tuple[Fraction, ...]
    masses: Mapping[tuple[int, int], Fraction]


def exact_box(box: InputBox, thresholds: Iterable[Threshold]) -> ExactBox:
    """Return a box cut by thresholds; its ends may cross."""
    lower, upper = list(box.lower), list(box.upper)
    for cut in thresholds:
        if cut.is_upper:
            upper[cut.index] = min(upper[cut.index], cut.value)
        else:
            lower[cut.index] = max(lower[cut.index], cut.value)
    return lower, upper


def refutes_exactly(
    region: Region, box: ExactBox, case: Case, multipliers: ExactMultipliers, phases: Phases
) -> bool:
    """Return whether the multipliers show that the case has no solution in the region.

    Args:
        region: The region, with all layers bounded.
        box: Lower and upper ends of the region's box; they may cross, in an empty one.
        case: The case.
        multipliers: One row weight per constraint; masses for demanded phases only.
        phases: All phases that the region's path demands.
    """
    graph = region.network.graph
    coefficients, constant, is_strict = _combined_rows(graph, case, multipliers.rows)
    layer = len(graph.relus)
    for position, node in reversed(list(enumerate(graph.nodes))):
        match node.operator:
            case Input():
                least = constant + _least_value(coefficients[position], box)
            case Affine(weights, bias):
                row = coefficients.pop(position)
                constant += _dot(row, bias.fractions())
                for weight, source in zip(weights, node.inputs, strict=True):
                    before = coefficients.get(source, [_ZERO] * weight.shape[1])
                    coefficients[source] = _sum(before, _product(row, weight))
            case Relu():
                layer -= 1
                row = coefficients.pop(position, [_ZERO] * node.width)
                read = _before_relu(region, layer, row, multipliers.masses, phases.get(layer, {}))
                if read is None:
                    return False
                coefficients[node.inputs[0]] = read
    return least > 0 or (least == 0 and is_strict)


def _combined_rows(
    graph: Graph, case: Case, weights: Sequence[Fraction]
) -> tuple[dict[int, list[Fraction]], Fraction, bool]:
    """Return the weighted sum of the constraints, and whether a strict one is in it.

    The sum is given by its coefficients on the values of nodes, by position, and its constant.
    """
    inputs, outputs = [_ZERO] * graph.input_width, [_ZERO] * graph.output_width
    constant, is_strict = _ZERO, False
    for weight, constraint in zip(weights, case.constraints, strict=True):
        constant -= weight * constraint.bound
        is_strict |= weight > 0 and constraint.strict
        for i, coefficient in constraint.inputs:
            inputs[i] += weight * coefficient
        for j, coefficient in constraint.outputs:
            outputs[j] += weight * coefficient
    return {0: inputs, len(graph.nodes) - 1: outputs}, constant, is_strict


def _before_relu(
    region: Region,
    layer: int,
    row: Sequence[Fraction],
    masses: Mapping[tuple[int, int], Fraction],
    demanded: Mapping[int, bool],
) -> list[Fraction] | None:
    """Turn coefficients on ``y`` into coefficients on ``z``; None if a phase is open."""
    bounds, read = region.layers[layer], []
    for index, c in enumerate(row):
        mass = masses.get((layer, index), _ZERO)
        if index in demanded:
            read.append(c - mass if demanded[index] else mass)
        elif bounds.lower[index] >= 0:
            read.append(c)
        elif bounds.upper[index] <= 0 or c == 0:
            read.append(_ZERO)
        else:
            return None
    return read


def _least_value(row: Sequence[Fraction], box: ExactBox) -> Fraction:
    ends = (low if c >= 0 else high for c, low, high in zip(row, *box, strict=True))
    return _dot(row, list(ends))


def _product(row: Sequence[Fraction], weight: RationalArray) -> list[Fraction]:
    common = lcm(*(c.denominator for c in row))
    integers = [c.numerator * (common // c.denominator) for c in row]
    below = common * weight.denominator
    columns = zip(*weight.numerators.tolist(), strict=True)
    return [
        Fraction(sum(n * w for n, w in zip(integers, column, strict=True)), below)
        for column in columns
    ]


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), _ZERO)


def _sum(left: Sequence[Fraction], right: Sequence[Fraction]) -> list[Fraction]:
    return [a + b for a, b in zip(left, right, strict=True)]
