# SPDX-License-Identifier: Apache-2.0
"""From cores to minimal unsat cores (MUCs), with a margin.

Each literal that a core can do without makes it apply to more of the input space, and makes one
thing less that compression can break. But a minimal core has a thin margin, and thin margins are
what compression breaks first. So a literal is dropped only when the core's *own multipliers* still
refute the larger region with at least ``KEEP`` of the leaf's margin. That is the theory which
minimality refers to: evaluation of stored multipliers with bounds straight from the root, which is
also what reuse tries first.

Deletion (Marques-Silva 2010): one literal at a time, in path order, each success for good. All
cores are tried side by side, so a trial is a row of a batch. Two things save trials: half-spaces
that others on the path imply go first, all at once; and a half-space is kept untried where the
linear function that the multipliers put below the rows, as it is, would lose too much without it.
A shortened core may cover other leaves; they are then handed to it, and their own cores dropped.

The leaf keeps its full path and its own multipliers: on a compressed network, where the core fails,
the leaf is tried next.
Interrupting is safe, since what is held at any time are cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.engine.region_tree import STRAIGHT, RegionTree, in_chunks
from verifier.proof.literals import HalfSpace, Phase, without_implied
from verifier.proof.muc import Core, Leaf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.bounds.box import Box
    from verifier.engine.limits import Budget
    from verifier.engine.problem import Problem
    from verifier.ir.graph import Neuron
    from verifier.proof.literals import Path

    Array = NDArray[np.float64]

KEEP = 0.5


def minimize(
    problem: Problem, cores: Sequence[Core], budget: Budget, trials: int | None = None
) -> tuple[list[Core], list[Leaf]]:
    """Shrink the cores of a search until nothing can be dropped, or as far as limits allow.

    Args:
        problem: The network and the property.
        cores: One core for each leaf, with the leaf's full path.
        budget: When to stop.
        trials: Most shorter paths to try in all, or None for no limit. Unlike a time limit it
            gives the same cores on every run.

    Returns:
        The cores that are left, and for each given core its leaf with the core that covers it.
    """
    if not cores:
        return [], []
    short, left = list(cores), np.inf if trials is None else trials
    for group in range(len(problem.groups)):
        own = [
            i
            for i, core in enumerate(cores)
            if core.multipliers is not None and problem.group_of(core.case) == group
        ]
        for chunk in in_chunks(own):
            shrinking = {i: _Shrinking.of(cores[i]) for i in chunk}
            left -= _shrink(problem, group, shrinking, budget, left)
            for i, state in shrinking.items():
                short[i] = state.core
    return _merge(cores, short)


def _shrink(
    problem: Problem, group: int, states: dict[int, _Shrinking], budget: Budget, limit: float
) -> int:
    """Try shorter paths of cores side by side; return how many were tried."""
    whole, tried = problem.groups[group].bounds.box, 0
    while not budget.is_spent:
        active = [state for state in states.values() if state.seek(whole)]
        active = active[: int(min(limit - tried, len(active)))]
        if not active:
            break
        tried += len(active)
        paths = [state.trial() for state in active]
        tree = RegionTree.of(problem, group, paths, STRAIGHT)
        found = tree.margins_and_slopes([state.core for state in active])
        for state, path, margin, slopes in zip(active, paths, *found, strict=True):
            state.settle(path, float(margin), slopes)
    return tried


ALL_IMPLIED = -1


@dataclass(eq=False)
class _Shrinking:
    """A core on its way to a minimal one.

    Attributes:
        core: What is left of it.
        enough: The margin that it has to keep.
        position: The literal that is tried next, those before it being needed; or ``ALL_IMPLIED``.
        slopes: Of the linear function of the input that its multipliers put below its rows.
    """

    core: Core
    enough: float
    position: int
    slopes: Array | None = None

    @classmethod
    def of(cls, core: Core) -> _Shrinking:
        """Start with all half-spaces that others imply, if there are half-spaces."""
        cuts = any(isinstance(literal, HalfSpace) for literal in core.path)
        return cls(core, KEEP * core.margin, ALL_IMPLIED if cuts else 0)

    def seek(self, whole: Box) -> bool:
        """Go on to the next literal that may be dropped; tell whether there is one."""
        while self.core.multipliers is not None and self.position < len(self.core.path):
            if self.core.margin - self._cost(whole) >= self.enough:
                return True
            self.position += 1
        return False

    def _cost(self, whole: Box) -> float:
        """Return what the linear function loses, as it is, without the next literal."""
        literal = self.core.path[self.position]
        if self.position == ALL_IMPLIED or self.slopes is None or isinstance(literal, Phase):
            return 0.0
        slope = float(self.slopes[literal.input])
        if literal.below:
            return max(-slope, 0.0) * float(whole.upper[0, literal.input] - literal.threshold)
        return max(slope, 0.0) * float(literal.threshold - whole.lower[0, literal.input])

    def trial(self) -> Path:
        """Return the shorter path."""
        path = self.core.path
        if self.position == ALL_IMPLIED:
            return without_implied(path)
        return path[: self.position] + path[self.position + 1 :]

    def settle(self, path: Path, margin: float, slopes: Array) -> None:
        """Take a path that was tried if enough margin is left, else go on to the next."""
        is_enough = margin >= self.enough and margin > 0.0
        if is_enough:
            evidence = None if margin == np.inf else self.core.multipliers
            self.core = Core(self.core.case, path, evidence, margin)
        if is_enough or self.position == ALL_IMPLIED:
            self.slopes = slopes
        if self.position == ALL_IMPLIED or not is_enough:
            self.position += 1


def _merge(cores: Sequence[Core], short: Sequence[Core]) -> tuple[list[Core], list[Leaf]]:
    """Drop cores whose leaf another core covers; shortest cores first, since they cover most."""
    boxes = _Leaves(cores)
    owner = np.full(len(cores), -1)
    for i in sorted(range(len(cores)), key=lambda i: (len(short[i].path), i)):
        if owner[i] >= 0:
            continue
        owner[i] = i
        if len(short[i].path) < len(cores[i].path):  # Else it covers its own leaf and no other.
            owner[(owner < 0) & boxes.covered_by(short[i])] = i
    kept = sorted(set(owner.tolist()))
    place = {i: position for position, i in enumerate(kept)}
    leaves = [
        Leaf(core.path, place[own], None if own == i else core.multipliers)
        for i, (core, own) in enumerate(zip(cores, owner.tolist(), strict=True))
    ]
    return [short[i] for i in kept], leaves


class _Leaves:
    """The leaves' cases, boxes and phases as arrays, to compare a core with all at once."""

    def __init__(self, cores: Sequence[Core]) -> None:
        literals = {literal for core in cores for literal in core.path}
        inputs = sorted({x.input for x in literals if isinstance(x, HalfSpace)})
        neurons = sorted({x.neuron for x in literals if isinstance(x, Phase)})
        self._column: dict[int | Neuron, int] = {}
        self._column |= {index: column for column, index in enumerate(inputs)}
        self._column |= {neuron: column for column, neuron in enumerate(neurons)}
        self._shape = (len(inputs), len(neurons))
        self._case = np.array([core.case for core in cores])
        rows = [self._row(core.path) for core in cores]
        self._lower, self._upper, self._phase = (np.array(part) for part in zip(*rows, strict=True))

    def covered_by(self, core: Core) -> NDArray[np.bool_]:
        """Tell for each leaf whether all of its points satisfy the core's literals and case."""
        lower, upper, phase = self._row(core.path)
        covered: NDArray[np.bool_] = (
            (self._case == core.case)
            & (lower <= self._lower).all(axis=1)
            & (upper >= self._upper).all(axis=1)
            & ((phase == 0) | (phase == self._phase)).all(axis=1)
        )
        return covered

    def _row(self, path: Path) -> tuple[Array, Array, NDArray[np.int8]]:
        inputs, neurons = self._shape
        lower, upper = np.full(inputs, -np.inf), np.full(inputs, np.inf)
        phase = np.zeros(neurons, dtype=np.int8)
        for literal in path:
            if isinstance(literal, Phase):
                phase[self._column[literal.neuron]] = 1 if literal.active else -1
            else:
                ends, pick = (upper, min) if literal.below else (lower, max)
                column = self._column[literal.input]
                ends[column] = pick(ends[column], literal.threshold)
        return lower, upper, phase
