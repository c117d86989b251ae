# SPDX-License-Identifier: Apache-2.0
"""From cores to minimal unsat cores (MUCs), with a margin.

Each literal that a core can do without makes it apply to more of the input space, and makes one
thing less that compression can break. But a minimal core has a thin margin, and thin margins are
what compression breaks first. So a literal is dropped only when the core's *own multipliers* still
refute the larger region with at least ``KEEP`` of the leaf's margin. That is the theory which
minimality refers to: re-evaluation of stored multipliers, which is also what reuse will do.

Deletion (Marques-Silva 2010): one literal at a time, in path order, each success for good. All
cores are tried side by side, so a trial is a row of a batch. A shortened core may cover other
leaves; they are then handed to it, and their own cores are dropped.

The leaf keeps its full path: adding literals back is the first repair on a compressed network.
Interrupting is safe, since what is held at any time are cores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.engine.evaluate import Query, evaluate
from verifier.engine.forest import in_chunks, regions_of
from verifier.proof.literals import HalfSpace, Phase
from verifier.proof.muc import Core, Leaf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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
        trials: Most literals to try in all, or None for no limit. Unlike a time limit it gives
            the same cores on every run.

    Returns:
        The cores that are left, and for each given core its leaf with the core that covers it.
    """
    if not cores:
        return [], []
    short = list(cores)
    for chunk in in_chunks(range(len(cores))):
        tried = _shrink(problem, short, chunk, budget, trials)
        trials = None if trials is None else trials - tried
    return _merge(cores, short)


def _shrink(
    problem: Problem, short: list[Core], chunk: Sequence[int], budget: Budget, limit: int | None
) -> int:
    """Try to drop each literal of each core of a chunk, position by position; count the tries."""
    tried = 0
    leaf_margin = {i: short[i].margin for i in chunk}
    position = dict.fromkeys(chunk, 0)
    while not budget.is_spent:
        active = [i for i in chunk if _can_shrink(short[i], position[i])]
        if limit is not None:
            active = active[: limit - tried]
        if not active:
            break
        tried += len(active)
        trials = {i: _without(short[i].path, position[i]) for i in active}
        margins = _margins(problem, {i: (short[i], trials[i]) for i in active})
        for i in active:
            if margins[i] >= KEEP * leaf_margin[i] and margins[i] > 0.0:
                core = short[i]
                short[i] = Core(core.case, trials[i], core.multipliers, margins[i])
            else:
                position[i] += 1
    return tried


def _can_shrink(core: Core, position: int) -> bool:
    return core.multipliers is not None and position < len(core.path)


def _without(path: Path, position: int) -> Path:
    return path[:position] + path[position + 1 :]


def _margins(problem: Problem, trials: dict[int, tuple[Core, Path]]) -> dict[int, float]:
    """Evaluate each core's multipliers over the region of another path."""
    margins: dict[int, float] = {}
    for group in range(len(problem.groups)):
        members = [i for i, (core, _) in trials.items() if problem.group_of(core.case) == group]
        if not members:
            continue
        regions = regions_of(problem, group, [trials[i][1] for i in members])
        queries = [Query(regions[trials[i][1]], trials[i][0].case) for i in members]
        chosen = [m for i in members if (m := trials[i][0].multipliers) is not None]
        values = evaluate(problem, queries, chosen).value
        margins |= {i: float(value) for i, value in zip(members, values, strict=True)}
    return margins


def _merge(cores: Sequence[Core], short: Sequence[Core]) -> tuple[list[Core], list[Leaf]]:
    """Drop cores whose leaf another core covers; shortest cores first, since they cover most."""
    leaves = _Leaves(cores)
    owner = np.full(len(cores), -1)
    for i in sorted(range(len(cores)), key=lambda i: (len(short[i].path), i)):
        if owner[i] >= 0:
            continue
        owner[i] = i
        if len(short[i].path) < len(cores[i].path):  # Else it covers its own leaf and no other.
            owner[(owner < 0) & leaves.covered_by(short[i])] = i
    kept = sorted(set(owner.tolist()))
    place = {i: position for position, i in enumerate(kept)}
    paths = [Leaf(core.path, place[int(owner[i])]) for i, core in enumerate(cores)]
    return [short[i] for i in kept], paths


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
