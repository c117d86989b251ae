# SPDX-License-Identifier: Apache-2.0
"""What ``prove`` and ``reverify`` tell of their progress."""

from __future__ import annotations

from tests.proof.small_proofs import ON_INPUTS, proofs
from verifier.engine.limits import Progress
from verifier.pipeline import prove, reverify

HOLDING = proofs(1, ON_INPUTS)[0]


def test_progress_is_told_as_it_goes() -> None:
    graph, prop, proof = HOLDING
    told: list[Progress] = []

    prove(graph, prop, report=told.append)
    reverify(graph, prop, proof, report=told.append)

    steps = list(dict.fromkeys(progress.step for progress in told))
    assert steps == ["search", "minimize", "deepen", "cover", "re-validate"]
    count = len(proof.cores)
    revalidated = [progress for progress in told if progress.step == "re-validate"]
    assert revalidated[-1] == Progress("re-validate", count, 0, count, 0, 0)
    assert told[-1] == Progress("search", count, 0, count, 0, 0)
