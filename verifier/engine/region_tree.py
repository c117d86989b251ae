# SPDX-License-Identifier: Apache-2.0
"""Bound the regions of many paths at once, sharing what their prefixes share.

Paths in search order have long common prefixes: a proof's cores are the leaves of a tree, and
``bound_tree`` bounds it as one. Paths are taken in chunks, in order, so that a large proof never
holds all its inner regions in memory.

Bounding a region from one a single literal above gives the best bounds. Straight from the root they
are about as good mostly, and there are no regions on the way, which take most of the time. So a
proof is made, and re-validated, for bounds straight from the root as far as they will do.

On wide networks there is nothing on the way at all: bounds are those of the whole box, cut with the
phases of the path. They are computed only where they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from verifier.bounds.box import Box
from verifier.bounds.tree import Tree, bound_tree
from verifier.engine.evaluate import Places, evaluate_in
from verifier.engine.region import Region, cut, root
from verifier.proof.literals import HalfSpace, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from verifier.bounds.live import Live
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
    """

    problem: Problem
    group: int
    paths: Sequence[Path]
    chains: Sequence[Sequence[int]]
    tree: Tree

    @classmethod
    def of(cls, problem: Problem, group: int, paths: Sequence[Path], stride: int) -> RegionTree:
        """Lay out the regions of paths.

        Args:
            problem: The network and the property.
            group: The group of all paths.
            paths: The paths.
            stride: By how many literals a prefix is longer than the one before it.
        """
        steps, chains = _grow(paths, stride)
        problem = problem.for_work(len(steps))
        return cls(problem, group, paths, chains, _tree(problem, steps))

    @cached_property
    def bounds(self) -> RegionBounds:
        """Bounds of all nodes."""
        own = self.problem.groups[self.group]
        return bound_tree(self.problem.layers, own.bounds, self.tree, own.scale)

    @property
    def leaves(self) -> NDArray[np.intp]:
        """The node of each path."""
        return np.array([chain[-1] for chain in self.chains], dtype=np.intp)

    def region(self, number: int) -> Region:
        """Return the region of one of the paths."""
        bounds = self.bounds.single(self.chains[number][-1])
        return Region(self.group, self.paths[number], bounds)

    def regions(self, numbers: Sequence[int]) -> list[Region]:
        """Return the regions of some of the paths."""
        if not self.problem.layers.wide:
            return [self.region(number) for number in numbers]
        whole = root(self.problem, self.group)
        return cut(self.problem, [(whole, self.paths[number]) for number in numbers])

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
        empty = self._empty(leaves)
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
            places = Places(self.group, self._bounds(nodes), self.tree.phases[nodes], cases)
            bound = evaluate_in(self.problem, places, list(chosen.values()))
            margins[members], slopes[members] = bound.value, bound.slopes
        return margins, slopes

    @cached_property
    def _kept(self) -> Live | None:
        """What the bounds of a wide network's regions are cut from, if only phases cut them."""
        if any(isinstance(literal, HalfSpace) for path in self.paths for literal in path):
            return None
        return self.problem.groups[self.group].live

    def _empty(self, nodes: NDArray[np.intp]) -> NDArray[np.bool_]:
        if self._kept is None:
            return self.bounds.empty[nodes]
        whole = self.problem.groups[self.group].bounds
        return whole.empty | self._kept.empty(self.tree.phases[nodes])

    def _bounds(self, nodes: NDArray[np.intp]) -> RegionBounds:
        """Return bounds of nodes, or of the box where that is all that evaluating them reads."""
        if self._kept is None:
            return self.bounds.take(nodes)
        return self.problem.groups[self.group].bounds


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
    shape = (nodes, problem.layers.input_width)
    # Where no input is cut, as on wide networks, no memory is spent on saying so.
    lower, upper = np.broadcast_to(-np.inf, shape), np.broadcast_to(np.inf, shape)
    if any(isinstance(literal, HalfSpace) for _, literals in steps for literal in literals):
        lower, upper = lower.copy(), upper.copy()
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
