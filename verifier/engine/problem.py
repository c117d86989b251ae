# SPDX-License-Identifier: Apache-2.0
"""A network and a property, as the engine sees them.

Cases with the same input box form a *group*: they share the bounds of every region, and a region
is closed when each of its group's cases is refuted there or higher up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from verifier.bounds.accelerator import PROCESSOR, find_device
from verifier.bounds.box import Box
from verifier.bounds.intersection import bound_property, magnitudes
from verifier.bounds.layers import Layers
from verifier.bounds.live import Live
from verifier.bounds.objective import Objective, objective
from verifier.bounds.tighten import Tightened, tighten
from verifier.options import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from verifier.bounds.accelerator import Device
    from verifier.bounds.region_bounds import RegionBounds
    from verifier.bounds.relaxation import Relaxation
    from verifier.ir.graph import Graph
    from verifier.spec.property import InputBox, Property

    Array = NDArray[np.float64]


DEFAULTS = EngineOptions()
COMPILED_FROM = 100_000
"""Neurons in all regions to bound from which compiled loops are used: less takes less time than
loading them. (Network ACAS Xu 1_1: 334 regions.)"""


@dataclass(frozen=True, eq=False)
class Group:
    """The cases of one input box.

    Attributes:
        bounds: Of all neurons over the whole box, a batch of one.
        scale: At least the magnitude of each entry of a source vector over the whole box.
        first: The relaxations of the zonotopes that the bounds started from.
        loose: The bounds before they were tightened.
        tightened: How each layer was tightened; none where the network is not wide.
        live: What is left of a wide network in the box; None where the network is not wide.
        objectives: Case index to the rows of that case.
    """

    bounds: RegionBounds
    scale: Array
    first: tuple[Relaxation, ...]
    loose: RegionBounds
    tightened: tuple[Tightened, ...]
    live: Live | None
    objectives: Mapping[int, Objective]


@dataclass(frozen=True, eq=False)
class Problem:
    """A network and a property.

    Attributes:
        graph: The network in normal form.
        prop: The property.
        layers: The network's float64 view.
        groups: The cases by input box, in the order of their first case.
        device: Where multipliers are searched for.
    """

    graph: Graph
    prop: Property
    layers: Layers
    groups: tuple[Group, ...]
    device: Device = PROCESSOR

    @classmethod
    def of(
        cls,
        graph: Graph,
        prop: Property,
        *,
        compiled: bool = False,
        input_split_width: int = DEFAULTS.input_split_width,
        given: Sequence[Sequence[Tightened]] = (),
    ) -> Problem:
        """Bound the network over every input box of the property.

        Args:
            graph: In normal form.
            prop: As wide as the network.
            compiled: Whether to use compiled loops from the start; on a wide network there is
                nothing that they are faster at.
            input_split_width: A network with more inputs is treated as wide.
            given: For groups of a wide network, slopes to tighten it with; by default they are
                ascended to.
        """
        is_wide = graph.input_width > input_split_width
        layers = replace(Layers.of(graph), wide=is_wide)
        if compiled and not is_wide:
            layers = replace(layers, compiled=True)
        return cls._over(graph, prop, layers, given)

    @classmethod
    def _over(
        cls,
        graph: Graph,
        prop: Property,
        layers: Layers,
        given: Sequence[Sequence[Tightened]] = (),
    ) -> Problem:
        cases_of: dict[int, tuple[InputBox, list[int]]] = {}
        for index, case in enumerate(prop.cases):
            cases_of.setdefault(id(case.box), (case.box, []))[1].append(index)
        groups = tuple(
            _group(layers, prop, box, cases, slopes)
            for (box, cases), slopes in zip_longest(cases_of.values(), given[: len(cases_of)])
        )
        return cls(graph, prop, layers, groups)

    def with_layers(self, layers: Layers) -> Problem:
        """Return the same property of other weights, of which ``graph`` knows nothing."""
        return self._over(self.graph, self.prop, layers)

    @property
    def tightened(self) -> tuple[tuple[Tightened, ...], ...]:
        """How the groups of a wide network were tightened; empty where nothing was."""
        return tuple(group.tightened for group in self.groups if group.tightened)

    def ascended(self) -> Problem:
        """Return the problem with slopes of its own, where it was tightened with given ones."""
        return self._over(self.graph, self.prop, self.layers)

    def for_work(self, regions: int) -> Problem:
        """Return the problem for bounding so many regions: by compiled loops where that pays."""
        layers = self.layers
        if layers.wide or layers.compiled or regions * sum(layers.widths) < COMPILED_FROM:
            return self
        return replace(self, layers=replace(self.layers, compiled=True))

    def accelerated(self) -> Problem:
        """Return the problem with multipliers searched for on an accelerator, if there is one."""
        return replace(self, device=find_device())

    def group_of(self, case: int) -> int:
        """Return which group a case belongs to."""
        return next(g for g, group in enumerate(self.groups) if case in group.objectives)


def _group(
    layers: Layers,
    prop: Property,
    input_box: InputBox,
    cases: list[int],
    given: Sequence[Tightened] | None,
) -> Group:
    box = Box.around(input_box.lower, input_box.upper)
    loose, scale, first = bound_property(layers, box)
    bounds, tightened = tighten(layers, loose, scale, given) if layers.wide else (loose, ())
    output_scale = magnitudes(layers, box)[-1]
    rows = {
        c: objective(layers, prop.cases[c], scale[: layers.input_width], output_scale)
        for c in cases
    }
    live = Live.of(layers, bounds, scale) if layers.wide else None
    return Group(bounds, scale, first, loose, tightened, live, rows)
