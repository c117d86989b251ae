# SPDX-License-Identifier: Apache-2.0
"""Bound the regions of many paths at once, sharing what their prefixes share.

Paths in search order have long common prefixes: a proof's cores are the leaves of a tree, and
``bound_tree`` bounds it as one. Paths are taken in chunks, in order, so that a large proof never
holds all its inner regions in memory.

Bounding a region from one a single literal above gives the best bounds. Straight from the root they
are about as good mostly, and there are no regions on the way, which take most of the time. So a
proof is made, and re-validated, for bounds straight from the root as far as they will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from verifier.bounds.box import Box
from verifier.bounds.tree import Tree, bound_tree
from verifier.engine.evaluate import Places, evaluate_in
from verifier.engine.region import Region
from verifier.proof.literals import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from verifier.bounds.region_bounds import RegionBounds
    from verifier.engine.problem import Problem
    from verifier.proof.literals import Path
    from verifier.proof.muc import Core

    Array = NDArray[np.float64]

T = TypeVar("T")

CHUNK = 512
ALONG, STRAIGHT = 1, 1 << 30
"""Strides: literal by literal along the path, or straight from the root."""


@dataclass(frozen=True, eq=False)
class RegionTree:
    """The regions of some paths and of their prefixes, as a tree.

    Attributes:
        problem: The network and the property.
        group: The group of all paths.
        paths: The paths.
        chains: For each path the nodes on the way to it, the root first.
        tree: The nodes.
        bounds: Of all nodes.
    """

    problem: Problem
    group: int
    paths: Sequence[Path]
    chains: Sequence[Sequence[int]]
    tree: Tree
    bounds: RegionBounds

    @classmethod
    def of(cls, problem: Problem, group: int, paths: Sequence[Path], stride: int) -> RegionTree:
        """Bound the regions of paths.

        Args:
            problem: The network and the property.
            group: The group of all paths.
            paths: The paths.
            stride: By how many literals a prefix is longer than the one before it.
        """
        steps, chains = _grow(paths, stride)
        problem = problem.for_work(len(steps))
        tree, own = _tree(problem, steps), problem.groups[group]
        bounds = bound_tree(problem.layers, own.bounds, tree, own.scale)
        return cls(problem, group, paths, chains, tree, bounds)

    @property
    def leaves(self) -> NDArray[np.intp]:
        """The node of each path."""
        return np.array([chain[-1] for chain in self.chains], dtype=np.intp)

    def region(self, number: int) -> Region:
        """Return the region of one of the paths."""
        bounds = self.bounds.single(self.chains[number][-1])
        return Region(self.group, self.paths[number], bounds)

    def margins(self, cores: Sequence[Core]) -> Array:
        """Return what each core's own multipliers prove over the region of the path at its place.

        The core's path does not count. Where the region is empty that is infinity, and where the
        core has no multipliers minus infinity.
        """
        return self.margins_and_slopes(cores)[0]

    def margins_and_slopes(self, cores: Sequence[Core]) -> tuple[Array, Array]:
        """Return the margins, and the slopes of the linear functions that they are the least of.

        Slopes have shape (paths, input width); where nothing was evaluated they are 0.
        """
        leaves = self.leaves
        empty = self.bounds.empty[leaves]
        margins = np.where(empty, np.inf, -np.inf)
        slopes = np.zeros((len(leaves), self.problem.layers.input_width))
        chosen = {
            i: core.multipliers
            for i, core in enumerate(cores)
            if core.multipliers is not None and not empty[i]
        }
        if chosen:
            members = list(chosen)
            nodes = leaves[members]
            cases = [cores[i].case for i in members]
            bounds, phases = self.bounds.take(nodes), self.tree.phases[nodes]
            places = Places(self.group, bounds, phases, cases)
            bound = evaluate_in(self.problem, places, list(chosen.values()))
            margins[members], slopes[members] = bound.value, bound.slopes
        return margins, slopes


# The node above, and the literals that lead from there to a node.
_Step = tuple[int, "Path"]


def _grow(paths: Sequence[Path], stride: int) -> tuple[list[_Step], list[list[int]]]:
    """Return the step to each node but the root, and the nodes on the way to each path."""
    node_of: dict[_Step, int] = {}
    chains: list[list[int]] = []
    for path in paths:
        chain = [0]
        for start in range(0, len(path), stride):
            step = (chain[-1], path[start : start + stride])
            chain.append(node_of.setdefault(step, len(node_of) + 1))
        chains.append(chain)
    return list(node_of), chains


def _tree(problem: Problem, steps: Sequence[_Step]) -> Tree:
    """Write steps down as arrays."""
    nodes, neurons = len(steps) + 1, sum(problem.layers.widths)
    starts = [place.start for place in problem.layers.slices]
    lower = np.full((nodes, problem.layers.input_width), -np.inf)
    upper = np.full_like(lower, np.inf)
    phases = np.zeros((nodes, neurons), dtype=np.int8)
    above, depth = np.zeros(nodes, dtype=np.intp), np.zeros(nodes, dtype=np.intp)
    for node, (parent, literals) in enumerate(steps, start=1):
        above[node], depth[node] = parent, depth[parent] + 1
        phases[node] = phases[parent]
        for literal in literals:
            if isinstance(literal, Phase):
                layer, index = literal.neuron
                phases[node, starts[layer] + index] = 1 if literal.active else -1
            elif literal.below:
                upper[node, literal.input] = min(upper[node, literal.input], literal.threshold)
            else:
                lower[node, literal.input] = max(lower[node, literal.input], literal.threshold)
    return Tree(above, depth, Box(lower, upper), phases)


def in_chunks(items: Sequence[T], size: int | None = None) -> Iterator[Sequence[T]]:
    """Yield consecutive parts of a sequence, by default of ``CHUNK``."""
    size = size or CHUNK
    for start in range(0, len(items), size):
        yield items[start : start + size]
