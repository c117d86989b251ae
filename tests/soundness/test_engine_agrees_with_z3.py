# SPDX-License-Identifier: Apache-2.0
"""On random small cases the engine, reuse, z3 and the certificate checker all agree.

``make fuzz`` does the same for as long as one likes, with other seeds.
"""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.agreement import run_case

CHUNK = 100
CHUNKS = 20


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_verdict_and_certificate_of_random_cases_is_right(chunk: int) -> None:
    counts: Counter[str] = Counter()
    failures: list[str] = []

    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        report = run_case(seed)
        counts += report.counts
        failures += [f"seed {seed}: {failure}" for failure in report.failures]

    assert failures == []
    # The cases are worth something: both verdicts, certificates, and cores that carry over.
    assert counts["verdicts compared"] >= 4 * CHUNK
    assert min(counts["holds"], counts["violated"], counts["with valid cores"]) >= CHUNK // 2
    assert counts["certificates accepted"] >= 3 * CHUNK


# Neurons that touch 0 exactly, where bounds with and without rounding see different phases; and a
# mass on the literal of a neuron that is inactive anyway.
ONCE_REJECTED = (203_019, 204_636, 205_319, 206_219, 206_343, 225)


@pytest.mark.parametrize("seed", [*range(100_000, 100_003), *ONCE_REJECTED])
def test_a_few_random_cases_agree_in_every_run(seed: int) -> None:
    assert run_case(seed).failures == []
