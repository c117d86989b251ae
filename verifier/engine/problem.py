# SPDX-License-Identifier: Apache-2.0
"""A network and a property, as the engine sees them.

Cases with the same input box form a *group*: they share the bounds of every region, and a region
is closed when each of its group's cases is refuted there or higher up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.bounds.box import Box
from verifier.bounds.intersection import bound_property, magnitudes
from verifier.bounds.layers import Layers
from verifier.bounds.objective import Objective, objective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier.bounds.backward import Scales
    from verifier.bounds.intersection import RegionBounds
    from verifier.bounds.relaxation import Relaxation
    from verifier.ir.graph import Graph
    from verifier.spec.property import InputBox, Property


@dataclass(frozen=True, eq=False)
class Group:
    """The cases of one input box.

    Attributes:
        bounds: Of all neurons over the whole box, a batch of one.
        scales: Magnitudes over the whole box.
        first: The relaxations of the zonotopes that the bounds started from.
        objectives: Case index to the rows of that case.
    """

    bounds: RegionBounds
    scales: Scales
    first: tuple[Relaxation, ...]
    objectives: Mapping[int, Objective]


@dataclass(frozen=True, eq=False)
class Problem:
    """A network and a property.

    Attributes:
        graph: The network in normal form.
        prop: The property.
        layers: The network's float64 view.
        groups: The cases by input box, in the order of their first case.
    """

    graph: Graph
    prop: Property
    layers: Layers
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, graph: Graph, prop: Property) -> Problem:
        """Bound the network over every input box of the property."""
        layers = Layers.of(graph)
        cases_of: dict[int, tuple[InputBox, list[int]]] = {}
        for index, case in enumerate(prop.cases):
            cases_of.setdefault(id(case.box), (case.box, []))[1].append(index)
        groups = tuple(_group(layers, prop, box, cases) for box, cases in cases_of.values())
        return cls(graph, prop, layers, groups)

    def group_of(self, case: int) -> int:
        """Return which group a case belongs to."""
        return next(g for g, group in enumerate(self.groups) if case in group.objectives)


def _group(layers: Layers, prop: Property, input_box: InputBox, cases: list[int]) -> Group:
    box = Box.around(input_box.lower, input_box.upper)
    bounds, scales, first = bound_property(layers, box)
    output_scale = magnitudes(layers, box)[-1]
    rows = {c: objective(layers, prop.cases[c], scales.input, output_scale) for c in cases}
    return Group(bounds, scales, first, rows)
