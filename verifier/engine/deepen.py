# SPDX-License-Identifier: Apache-2.0
"""Deepen a proof for the trip: split leaves that a small change would undo.

A leaf whose margin is thinner than what compression changes has to be repaired or searched again on
each variant. Splitting it once, here, makes two parts of more margin, and re-validating two parts
costs far less than one linear program. But parts that no variant needs cost time too.

So compression is *rehearsed*: on a copy of the network, with every weight moved at random by up to
a step of an 8-bit grid, leaves are re-validated just as on a variant, with bounds straight from the
root. Those that fail are split. A part keeps the multipliers of the leaf where they will do in its
smaller region, or else gets its own, the best that the linear program finds on the original. The
core keeps its place: it is tried first, its leaves only where it fails.

Nothing here decides a verdict: a rehearsal says where margin is thin, and every part is a core's
leaf like any other, worth what its multipliers prove on the network at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.engine.decide import candidates
from verifier.engine.evaluate import Query
from verifier.engine.refute import PROGRAM_LIMIT, screen, strengthen
from verifier.engine.region_tree import STRAIGHT, RegionTree, in_chunks
from verifier.proof.muc import Leaf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.bounds.layers import Layer
    from verifier.engine.limits import Budget
    from verifier.engine.problem import Problem
    from verifier.engine.region import Region
    from verifier.options import EngineOptions
    from verifier.proof.literals import Path
    from verifier.proof.muc import Core

REHEARSALS = 2
MOVE = 1.0 / 127
"""Largest change of a weight relative to the largest of its matrix: a step of an 8-bit grid."""
ROUNDS = 3
GROWTH = 1.0
"""Most parts that are added, relative to the number of leaves."""


def deepen(
    problem: Problem,
    cores: Sequence[Core],
    leaves: Sequence[Leaf],
    options: EngineOptions,
    budget: Budget,
) -> list[Leaf]:
    """Split leaves that fail in a rehearsal.

    Args:
        problem: The network and the property.
        cores: The cores of a proof.
        leaves: Its leaves.
        options: How the proof was searched; networks with many inputs keep their leaves, because
            no linear program is solved for their parts.
        budget: When to stop; leaves that were not looked at stay as they are.

    Returns:
        The leaves and parts of leaves, in the order of the leaves.
    """
    if problem.layers.wide:
        return list(leaves)
    rehearsals = [problem, *(_moved(problem, options.seed + n) for n in range(REHEARSALS))]
    members: dict[int, list[int]] = {}
    for number, leaf in enumerate(leaves):
        members.setdefault(problem.group_of(cores[leaf.core].case), []).append(number)
    parts: list[list[Leaf]] = [[leaf] for leaf in leaves]
    for group, numbers in members.items():
        deepening = _Deepening(problem, rehearsals, group, cores)
        for chunk in in_chunks(numbers):
            found = deepening.run([leaves[number] for number in chunk], budget)
            for number, own in zip(chunk, found, strict=True):
                parts[number] = own
    return [part for own in parts for part in own]


def _moved(problem: Problem, seed: int) -> Problem:
    """Return a rehearsal: the same property of weights moved at random, none away from zero."""
    rng = np.random.default_rng(seed)

    def moved(layer: Layer) -> Layer:
        weights = {}
        for source, matrix in layer.weights.items():
            most = MOVE * np.abs(matrix).max(initial=0.0)
            weights[source] = matrix + (matrix != 0.0) * rng.uniform(-most, most, matrix.shape)
        return replace(layer, weights=weights)

    layers = problem.layers
    hidden = tuple(moved(layer) for layer in layers.hidden)
    return problem.with_layers(replace(layers, hidden=hidden, output=moved(layers.output)))


@dataclass(frozen=True, eq=False)
class _Deepening:
    """The leaves of one group of a proof, and what they are rehearsed on, the original first."""

    problem: Problem
    rehearsals: Sequence[Problem]
    group: int
    cores: Sequence[Core]

    def run(self, leaves: Sequence[Leaf], budget: Budget) -> list[list[Leaf]]:
        """Return the parts of each leaf, the leaf itself where it stays whole."""
        parts, room = [[leaf] for leaf in leaves], int(GROWTH * len(leaves))
        fresh = list(enumerate(leaves))
        for _ in range(ROUNDS):
            if budget.is_spent:
                break
            failing = [fresh[place] for place in self._failing([leaf for _, leaf in fresh])][:room]
            fresh = []
            halves = self._halves([leaf for _, leaf in failing])
            for (number, leaf), both in zip(failing, halves, strict=True):
                if both:
                    place = parts[number].index(leaf)
                    parts[number][place : place + 1] = both
                    fresh += [(number, half) for half in both]
                    room -= 1
        return parts

    def _failing(self, leaves: Sequence[Leaf]) -> list[int]:
        """Return the numbers of leaves that their multipliers do not refute in some rehearsal."""
        evidence = [self._evidence(leaf) for leaf in leaves]
        worst = np.full(len(leaves), np.inf)
        for rehearsal in self.rehearsals:
            tree = self._regions(rehearsal, [leaf.path for leaf in leaves])
            worst = np.minimum(worst, tree.margins(evidence))
        # Minus infinity stands for no multipliers: only exact arithmetic refutes that leaf.
        return np.flatnonzero((worst <= 0.0) & (worst > -np.inf)).tolist()

    def _regions(self, problem: Problem, paths: Sequence[Path]) -> RegionTree:
        return RegionTree.of(problem, self.group, paths, STRAIGHT)

    def _evidence(self, leaf: Leaf) -> Core:
        core = self.cores[leaf.core]
        return replace(core, multipliers=leaf.multipliers or core.multipliers)

    def _halves(self, leaves: Sequence[Leaf]) -> list[list[Leaf]]:
        """Return the halves of each leaf; none where it has no split, or one is not refuted."""
        tree = self._regions(self.problem, [leaf.path for leaf in leaves])
        queries = [
            Query(tree.region(number), self.cores[leaf.core].case)
            for number, leaf in enumerate(leaves)
        ]
        whole = self.problem.groups[self.group].bounds.box
        sides = [
            (number, side)
            for number, attempt in enumerate(screen(self.problem, queries) if queries else ())
            for literal in candidates(attempt, whole, wide=False)[:1]
            for side in (literal.negated(), literal)
        ]
        paths = [(*leaves[number].path, side) for number, side in sides]
        parts = self._regions(self.problem, paths)
        regions = [parts.region(i) for i in range(len(paths))]
        halves = self._refuted([leaves[number] for number, _ in sides], regions)
        found: list[list[Leaf]] = [[] for _ in leaves]
        for (number, _), half in zip(sides, halves, strict=True):
            found[number] += [] if half is None else [half]
        return [both if len(both) == 2 else [] for both in found]

    def _refuted(self, leaves: Sequence[Leaf], regions: Sequence[Region]) -> list[Leaf | None]:
        """Return what is left of leaves in a region each: by their multipliers, if they will do."""
        halves: list[Leaf | None] = [
            replace(leaf, path=region.path) for leaf, region in zip(leaves, regions, strict=True)
        ]
        failing = self._failing([half for half in halves if half is not None])
        queries = [Query(regions[i], self.cores[leaves[i].core].case) for i in failing]
        screened = screen(self.problem, queries) if queries else []
        # Where default multipliers refute a half, the program still finds more margin.
        bare = [replace(attempt, core=None) for attempt in screened]
        found = strengthen(self.problem, bare, PROGRAM_LIMIT)
        for i, best, plain in zip(failing, found, screened, strict=True):
            core = best.core or plain.core
            multipliers = None if core is None else core.multipliers
            halves[i] = None if core is None else Leaf(core.path, leaves[i].core, multipliers)
        return halves
