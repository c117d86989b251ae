# SPDX-License-Identifier: Apache-2.0
"""Re-validation goes on along paths where bounds straight from the root do not suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.proof.small_proofs import ON_INPUTS, proofs, search
from verifier.change.neuron_map import NeuronMap
from verifier.engine.problem import Problem
from verifier.engine.region_tree import STRAIGHT, RegionTree
from verifier.engine.reuse import Reuse
from verifier.verdict import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from verifier.proof.muc import Core


@pytest.fixture
def weak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have bounds straight from the root refute nothing."""
    strides: dict[int, int] = {}
    bound, evaluate = RegionTree.of, RegionTree.margins_and_slopes

    def noted(*arguments: object) -> RegionTree:
        tree = bound(*arguments)  # type: ignore[arg-type]
        strides[id(tree)] = arguments[-1]  # type: ignore[assignment]
        return tree

    def weakened(tree: RegionTree, cores: Sequence[Core]) -> tuple[NDArray, NDArray]:  # type: ignore[type-arg]
        margins, slopes = evaluate(tree, cores)
        return (0.0 * margins if strides[id(tree)] == STRAIGHT else margins), slopes

    monkeypatch.setattr(RegionTree, "of", noted)
    monkeypatch.setattr(RegionTree, "margins_and_slopes", weakened)


@pytest.mark.usefixtures("weak")
def test_along_their_paths_all_cores_are_valid_on_the_original() -> None:
    for proved in proofs(12, ON_INPUTS):
        problem = Problem.of(proved.graph, proved.prop)
        reuse = Reuse(search(problem), proved.proof, NeuronMap.identity(proved.graph))

        outcome = reuse.run()

        report = reuse.report
        assert outcome.answer is Answer.UNSAT
        assert report.valid == report.cores
        assert (report.repaired, report.dropped, report.residual_subproblems) == (0, 0, 0)
        assert len(outcome.cores) >= report.cores
