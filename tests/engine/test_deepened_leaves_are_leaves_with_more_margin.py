# SPDX-License-Identifier: Apache-2.0
"""Deepening keeps a proof a proof: parts cover their leaf, and what they carry refutes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, Proved, assert_cores, proofs
from verifier.engine import deepen as deepening
from verifier.engine.cover import cover
from verifier.engine.deepen import deepen
from verifier.engine.limits import Budget
from verifier.engine.problem import Problem
from verifier.engine.region_tree import ALONG, STRAIGHT, RegionTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.proof.literals import Path
    from verifier.proof.muc import Core, Leaf


@pytest.fixture
def harsh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rehearse with changes that undo many leaves of these small networks."""
    monkeypatch.setattr(deepening, "MOVE", 0.3)
    monkeypatch.setattr(deepening, "GROWTH", 3.0)


def deepened(proved: Proved) -> tuple[Problem, list[Leaf]]:
    problem, proof = Problem.of(proved.graph, proved.prop), proved.proof
    return problem, deepen(problem, proof.cores, proof.leaves, ON_INPUTS, Budget())


def as_cores(proved: Proved, leaves: Sequence[Leaf]) -> list[Core]:
    """Return each leaf as a core of its own."""
    found = []
    for leaf in leaves:
        core = proved.proof.cores[leaf.core]
        multipliers = leaf.multipliers or core.multipliers
        found.append(replace(core, path=leaf.path, multipliers=multipliers))
    return found


@pytest.mark.usefixtures("harsh")
def test_parts_are_cores_that_cover_everything() -> None:
    grown = 0
    for proved in proofs(12, ON_INPUTS):
        problem, leaves = deepened(proved)
        cores = as_cores(proved, leaves)
        grown += len(leaves) - len(proved.proof.leaves)

        assert cover(cores, len(proved.prop.cases)) is not None
        assert_cores(proved.graph, proved.prop, cores)
        for core in cores:
            tree = RegionTree.of(problem, problem.group_of(core.case), [core.path], ALONG)
            assert core.multipliers is None or tree.margins([core])[0] > 0.0
    assert grown > 10


@pytest.mark.usefixtures("harsh")
def test_parts_stay_with_their_core_in_the_order_of_its_leaves() -> None:
    for proved in proofs(6, ON_INPUTS):
        _, leaves = deepened(proved)

        whole = iter(proved.proof.leaves)
        last = next(whole)
        for leaf in leaves:
            while leaf.path[: len(last.path)] != last.path or leaf.core != last.core:
                last = next(whole)
            if leaf.path == last.path:
                assert leaf is last


def test_a_part_that_fails_holds_in_the_same_rehearsal_once_it_is_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What deepening is for: on the moved network fewer leaves have a part that fails."""
    monkeypatch.setattr(deepening, "MOVE", 0.05)
    before = after = 0
    for proved in proofs(12, ON_INPUTS):
        problem, leaves = deepened(proved)
        moved = deepening._moved(problem, ON_INPUTS.seed)
        before += len(failing(moved, proved, proved.proof.leaves))
        after += len(failing(moved, proved, leaves))
    assert 0 < after < before


def failing(problem: Problem, proved: Proved, parts: Sequence[Leaf]) -> set[Path]:
    """Return the leaves that their multipliers, or those of a part, do not refute from the root."""
    found = set()
    for core in as_cores(proved, parts):
        tree = RegionTree.of(problem, problem.group_of(core.case), [core.path], STRAIGHT)
        if tree.margins([core])[0] <= 0.0:
            leaves = [leaf.path for leaf in proved.proof.leaves]
            found.add(next(path for path in leaves if core.path[: len(path)] == path))
    return found


def test_without_time_or_with_many_inputs_leaves_stay_as_they_are() -> None:
    for proved, options, budget in (
        (proofs(1, ON_INPUTS)[0], ON_INPUTS, Budget(0.0)),
        (proofs(1, ON_PHASES)[0], ON_PHASES, Budget()),
    ):
        width, proof = options.input_split_width, proved.proof
        problem = Problem.of(proved.graph, proved.prop, input_split_width=width)

        found = deepen(problem, proof.cores, proof.leaves, options, budget)

        assert found == list(proof.leaves)


@pytest.mark.usefixtures("harsh")
def test_deepening_is_the_same_in_every_run() -> None:
    [proved] = proofs(1, ON_INPUTS)
    (_, one), (_, other) = deepened(proved), deepened(proved)

    assert [leaf.path for leaf in one] == [leaf.path for leaf in other]


def test_a_rehearsal_moves_no_weight_away_from_zero_and_none_too_far() -> None:
    for proved in proofs(3, ON_INPUTS):
        problem = Problem.of(proved.graph, proved.prop)
        moved = deepening._moved(problem, 0)
        for old, new in zip(problem.layers.hidden, moved.layers.hidden, strict=True):
            for source, matrix in old.weights.items():
                change = np.abs(new.weights[source] - matrix)
                assert (change[matrix == 0.0] == 0.0).all()
                assert change.max() <= deepening.MOVE * np.abs(matrix).max() * (1 + 2.0**-40)
                assert change.any() == matrix.any()
