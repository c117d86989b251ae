# SPDX-License-Identifier: Apache-2.0
"""Regions of a group's input box: literals with the bounds they give.

A region is always bounded from the region one literal above it, because bounds that hold there
hold here. Regions of different groups and depths are bounded together in one batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.box import Box
from verifier.bounds.intersection import bound_regions
from verifier.bounds.region_bounds import RegionBounds
from verifier.ir.graph import Neuron
from verifier.proof.literals import HalfSpace, Literal, Path, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.engine.problem import Problem


@dataclass(frozen=True, eq=False)
class Region:
    """Part of a group's input box.

    Attributes:
        group: Index of the group.
        path: The literals that cut it out.
        bounds: A batch of one.
    """

    group: int
    path: Path
    bounds: RegionBounds

    @property
    def is_empty(self) -> bool:
        """Whether some literal contradicts the bounds."""
        return bool(self.bounds.empty[0])


def root(problem: Problem, group: int) -> Region:
    """Return a group's whole input box."""
    return Region(group, (), problem.groups[group].bounds)


def phases_of(problem: Problem, paths: Sequence[Path]) -> NDArray[np.int8]:
    """Return the phase literals of each path, signed, of shape (paths, neurons)."""
    slices = problem.layers.slices
    phases = np.zeros((len(paths), sum(problem.layers.widths)), dtype=np.int8)
    for row, path in enumerate(paths):
        for literal in path:
            if isinstance(literal, Phase):
                layer, index = literal.neuron
                phases[row, slices[layer].start + index] = 1 if literal.active else -1
    return phases


def exact_bounds(region: Region) -> dict[Neuron, tuple[Fraction, Fraction]]:
    """Return the bounds of every preactivation as rationals."""
    return {
        Neuron(layer, index): (Fraction(float(lower)), Fraction(float(upper)))
        for layer, box in enumerate(region.bounds.preactivations)
        for index, (lower, upper) in enumerate(zip(box.lower[0], box.upper[0], strict=True))
    }


def split(problem: Problem, parts: Sequence[tuple[Region, Literal]]) -> list[Region]:
    """Bound each region with one more literal."""
    return cut(problem, [(region, (literal,)) for region, literal in parts])


def cut(problem: Problem, parts: Sequence[tuple[Region, Path]]) -> list[Region]:
    """Bound each region with some more literals, batch by batch of the same group."""
    regions: list[Region] = []
    for group, members in groupby(parts, key=lambda part: part[0].group):
        batch = list(members)
        paths = [(*region.path, *literals) for region, literals in batch]
        inherited = RegionBounds.stack([region.bounds for region, _ in batch])
        lower, upper = inherited.box.lower.copy(), inherited.box.upper.copy()
        for row, literal in ((row, x) for row, (_, xs) in enumerate(batch) for x in xs):
            if isinstance(literal, HalfSpace):
                end = upper if literal.below else lower
                pick = min if literal.below else max
                end[row, literal.input] = pick(end[row, literal.input], literal.threshold)
        crossed = lower > upper
        empty = inherited.empty | crossed.any(axis=1)
        # Any bounds do for an empty region, as long as the scale of the group holds for them: a
        # threshold of a proof file may be far outside of the box.
        box = Box(
            np.where(crossed, inherited.box.lower, lower),
            np.where(crossed, inherited.box.upper, upper),
        )
        bounds = bound_regions(
            problem.layers,
            RegionBounds(box, inherited.neurons, empty, inherited.slices),
            phases_of(problem, paths),
            problem.groups[group].scale,
        )
        regions += [Region(group, path, bounds.single(i)) for i, path in enumerate(paths)]
    return regions
