# SPDX-License-Identifier: Apache-2.0
"""Who bounds the regions of a certificate and judges its cores: float64 first, then integers.

``FloatJudge`` confirms a core only if it holds whatever was rounded, and gives up on numbers that
its error bounds do not cover. ``IntegerJudge`` has the last word on what is left open.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from verifier.certificate.core_bound import refutes
from verifier.certificate.exact_core import ExactMultipliers, exact_box, refutes_exactly
from verifier.certificate.float_core import least_left_side
from verifier.certificate.float_network import float_network
from verifier.certificate.float_regions import (
    float_child,
    float_kept,
    float_root,
    float_tightened,
)
from verifier.certificate.regions import (
    child_region,
    kept_region,
    root_region,
    tightened_region,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.certificate.document import CoreEntry, RegionEntry
    from verifier.certificate.float_bounds import FloatRegion
    from verifier.certificate.integer_matrix import Arithmetic
    from verifier.certificate.region_bounds import Region
    from verifier.certificate.regions import Phases, Threshold
    from verifier.ir.graph import Graph
    from verifier.spec.property import Case

R = TypeVar("R")


class Judge(Protocol[R]):
    """Bounds regions, of a type of its own, and judges cores."""

    def root(self, entry: RegionEntry) -> R | None:
        """Return a root, or nothing if it is empty."""

    def child(
        self,
        parent: R,
        entry: RegionEntry,
        cuts: Sequence[Threshold],
        layers: Sequence[int],
        phases: Phases,
    ) -> R | None:
        """Return the region that an entry cuts out of its parent, or nothing if it is empty.

        Args:
            parent: The parent.
            entry: The child.
            cuts: What its literals demand of inputs.
            layers: Layers of the neurons whose phases they demand.
            phases: All phases on the path, those of its literals included.
        """

    def refutes(
        self, region: R, core: CoreEntry, phases: Phases, thresholds: Sequence[Threshold]
    ) -> bool:
        """Return whether the multipliers of a core, which has some, refute its case.

        Args:
            region: The core's region.
            core: The core.
            phases: All phases on the region's path.
            thresholds: All that the path demands of inputs.
        """


class IntegerJudge:
    """Judges in scaled integers, and exact cores in fractions."""

    def __init__(self, graph: Graph, cases: Sequence[Case], arithmetic: Arithmetic) -> None:
        """Take the network in normal form, the property's cases and what multiplies matrices."""
        self._graph, self._cases, self._arithmetic = graph, cases, arithmetic

    def root(self, entry: RegionEntry) -> Region | None:
        """Return a root, or nothing if it is empty."""
        box = self._cases[entry.case].box
        root = root_region(self._graph, box, entry.slopes, entry.alphas, self._arithmetic)
        if root is None or not entry.tightened:
            return root
        return tightened_region(root, entry.tightened)

    def child(
        self,
        parent: Region,
        entry: RegionEntry,
        cuts: Sequence[Threshold],
        layers: Sequence[int],
        phases: Phases,
    ) -> Region | None:
        """Return the region that an entry cuts out of its parent, or nothing if it is empty."""
        if entry.is_kept and not cuts:
            return kept_region(parent, layers, phases, entry.alphas)
        return child_region(parent, cuts, layers, phases, entry.alphas)

    def refutes(
        self, region: Region, core: CoreEntry, phases: Phases, thresholds: Sequence[Threshold]
    ) -> bool:
        """Return whether the multipliers of a core refute its case."""
        case = self._cases[core.case]
        if isinstance(core.multipliers, ExactMultipliers):
            box = exact_box(case.box, thresholds)
            return refutes_exactly(region, box, case, core.multipliers, phases)
        return core.multipliers is not None and refutes(region, case, core.multipliers, phases)


# Whatever overflows ends in an infinity or a NaN, which confirms nothing.
_quietly = np.errstate(all="ignore")


class FloatJudge:
    """Judges in float64; leaves exact cores open.

    Raises:
        BeyondFloatsError: The network or a case has numbers that no error bound covers; so may
            bounding a root.
    """

    def __init__(self, graph: Graph, cases: Sequence[Case]) -> None:
        """Take the network in normal form and the property's cases."""
        self._network = float_network(graph)
        self._cases = cases
        self._layers = [self._network.case_layer(case) for case in cases]

    @_quietly
    def root(self, entry: RegionEntry) -> FloatRegion | None:
        """Return a root, or nothing if it is empty."""
        root = float_root(self._network, self._cases[entry.case].box, entry.slopes, entry.alphas)
        if root is None or not entry.tightened:
            return root
        return float_tightened(root, entry.tightened)

    @_quietly
    def child(
        self,
        parent: FloatRegion,
        entry: RegionEntry,
        cuts: Sequence[Threshold],
        layers: Sequence[int],
        phases: Phases,
    ) -> FloatRegion | None:
        """Return the region that an entry cuts out of its parent, or nothing if it is empty."""
        if entry.is_kept and not cuts:
            return float_kept(parent, phases, entry.alphas)
        return float_child(parent, cuts, layers, phases, entry.alphas)

    @_quietly
    def refutes(
        self, region: FloatRegion, core: CoreEntry, phases: Phases, _: Sequence[Threshold]
    ) -> bool:
        """Return whether the multipliers of a core refute its case, beyond all rounding."""
        # What touches zero is for the integers.
        return self.least_left_side(region, core, phases) > 0.0

    def least_left_side(self, region: FloatRegion, core: CoreEntry, phases: Phases) -> float:
        """Return the bound that a core gives, minus infinity where it is for the integers."""
        if core.multipliers is None or isinstance(core.multipliers, ExactMultipliers):
            return -math.inf
        return least_left_side(region, self._layers[core.case], core.multipliers, phases)
