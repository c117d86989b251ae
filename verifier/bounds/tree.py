# SPDX-License-Identifier: Apache-2.0
"""Bounds over a tree of regions: each starts from those of the region above it.

The regions of a proof's leaves share most of their literals, so they are bounded as the tree that
they are: once for each prefix. All bounds of a tree are kept in flat arrays, row by row, since as
many objects, one for each region, take about as long to make as compiled loops take to bound them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.box import Box
from verifier.bounds.intersection import bound_regions
from verifier.bounds.kernel_data import workspace
from verifier.bounds.loading import load_kernels
from verifier.bounds.region_bounds import RegionBounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verifier.bounds.layers import Layers

    Array = NDArray[np.float64]


BATCH = 256
"""Regions that are bounded at once as products of matrices: what they need grows with them."""


@dataclass(frozen=True, eq=False)
class Tree:
    """Regions that are cut out of one another; node 0 is the root, with no literals.

    Attributes:
        above: Shape (nodes,): the node that each is cut out of, an earlier one; the root's is 0.
        depth: Shape (nodes,): number of steps from the root.
        cuts: What each node's own literals allow of the inputs, infinite where they say nothing.
        phases: Shape (nodes, neurons): 1 for a literal ``z >= 0`` of the node or one above it, -1
            for ``z <= 0``, else 0.
    """

    above: NDArray[np.intp]
    depth: NDArray[np.intp]
    cuts: Box
    phases: NDArray[np.int8]


def bound_tree(layers: Layers, root: RegionBounds, tree: Tree, scale: Array) -> RegionBounds:
    """Bound all nodes of a tree.

    Args:
        layers: The network.
        root: Bounds of the root, a batch of one.
        tree: The nodes.
        scale: At least the magnitude of each entry of a source vector in the root.

    Returns:
        A batch of all nodes. An empty node may have any bounds that hold in the one above it.
    """
    nodes = len(tree.above)
    box = Box(tree.cuts.lower.copy(), tree.cuts.upper.copy())
    shape = (nodes, root.neurons.lower.shape[1])
    found = RegionBounds(
        box, Box(np.empty(shape), np.empty(shape)), np.zeros(nodes, dtype=np.bool_), root.slices
    )
    _put(found, np.array([0]), root)
    if layers.compiled and not layers.wide:
        work = workspace(layers.flat, scale, rows=0)
        kernel = load_kernels().bound_regions
        kernel(layers.flat, found.flat, tree.phases, found.empty, tree.above, work)
        return found
    for depth in range(1, int(tree.depth.max()) + 1):
        level = np.flatnonzero(tree.depth == depth)
        for first in range(0, len(level), BATCH):
            members = level[first : first + BATCH]
            start = _cut(found.take(tree.above[members]), tree.cuts.take(members))
            _put(found, members, bound_regions(layers, start, tree.phases[members], scale))
    return found


def _cut(above: RegionBounds, cuts: Box) -> RegionBounds:
    """Cut boxes; where nothing is left, the region is empty and keeps the ends it had."""
    both = above.box.intersection(cuts)
    crossed = both.lower > both.upper
    box = Box(
        np.where(crossed, above.box.lower, both.lower),
        np.where(crossed, above.box.upper, both.upper),
    )
    return RegionBounds(box, above.neurons, above.empty | crossed.any(axis=1), above.slices)


def _put(found: RegionBounds, members: NDArray[np.intp], part: RegionBounds) -> None:
    for ours, its in ((found.box, part.box), (found.neurons, part.neurons)):
        ours.lower[members], ours.upper[members] = its.lower, its.upper
    found.empty[members] = part.empty
