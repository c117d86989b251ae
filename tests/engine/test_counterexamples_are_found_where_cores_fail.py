# SPDX-License-Identifier: Apache-2.0
"""Re-validation finds counterexamples on its way, and only true ones."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from compression.registry import make_method
from tests.oracles import violates
from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, Proved, proofs, search
from verifier.engine import reuse as reusing
from verifier.engine import revalidate
from verifier.engine.problem import Problem
from verifier.engine.region import root
from verifier.engine.reuse import Reuse
from verifier.engine.revalidate import Candidate, Part, Revalidation, _Open, _sample_first
from verifier.proof.muc import Core
from verifier.verdict import Answer

if TYPE_CHECKING:
    from verifier.change.neuron_map import NeuronMap
    from verifier.ir.graph import Graph
    from verifier.options import EngineOptions

OPTIONS = pytest.mark.parametrize("options", [ON_INPUTS, ON_PHASES], ids=["inputs", "phases"])


@pytest.fixture
def suspicious(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look wherever any core fails."""
    monkeypatch.setattr(revalidate, "SUSPICIOUS", 1)


def coarse(proved: Proved, bits: int) -> tuple[Graph, NeuronMap]:
    result = make_method("integer_quantisation", (f"bits={bits}",)).apply(proved.graph)
    return result.graph, result.neuron_map


def reuse_on(proved: Proved, graph: Graph, neuron_map: NeuronMap, options: EngineOptions) -> Reuse:
    problem = Problem.of(graph, proved.prop, input_split_width=options.input_split_width)
    return Reuse(search(problem, options), proved.proof, neuron_map)


@pytest.mark.slow
@OPTIONS
@pytest.mark.usefixtures("suspicious")
def test_what_is_found_violates_and_saves_the_repair(options: EngineOptions) -> None:
    found = 0
    for proved in proofs(40, options):
        for bits in (2, 3):
            graph, neuron_map = coarse(proved, bits)
            reuse = reuse_on(proved, graph, neuron_map, options)

            outcome = reuse.run()

            if outcome.answer is Answer.SAT and "repair" not in reuse.search.statistics.seconds:
                assert outcome.point is not None
                assert violates(proved.prop, graph, outcome.point)
                assert reuse.report.residual_subproblems == 0
                found += 1
    assert found >= 3


@pytest.mark.slow
def test_a_large_proof_is_worth_a_larger_attack_first(monkeypatch: pytest.MonkeyPatch) -> None:
    found = 0
    for many in (1, 1000):
        monkeypatch.setattr(reusing, "MANY", many)
        for proved in proofs(20, ON_INPUTS):
            graph, neuron_map = coarse(proved, 2)
            reuse = reuse_on(proved, graph, neuron_map, ON_INPUTS)

            outcome = reuse.run()

            is_early = "translate" not in reuse.search.statistics.seconds
            assert not is_early or many == 1
            if is_early:
                assert outcome.point is not None
                assert violates(proved.prop, graph, outcome.point)
                found += 1
    assert found >= 3


@OPTIONS
def test_few_cores_that_fail_arouse_no_suspicion(
    options: EngineOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: object) -> None:
        pytest.fail("nothing is suspicious here")

    monkeypatch.setattr(revalidate, "descend_within", look)
    failed = 0
    for proved in proofs(20, options):
        reuse = reuse_on(proved, *coarse(proved, 3), options)
        checked = Revalidation(reuse.search)
        if len(proved.proof.cores) < revalidate.SUSPICIOUS:
            assert checked.run(reuse._translate()) is None
            failed += len(checked.failed)
    assert failed >= 3


def test_of_many_candidates_each_is_tried_once_and_a_spread_sample_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revalidate, "CHUNK", 100)
    many = [Candidate(Core(0, (), None, float(i)), [Part((), lambda: None)]) for i in range(1000)]

    sample, *others = _sample_first(many)

    places = [int(candidate.core.margin) for candidate in sample]
    assert revalidate.SAMPLE <= len(places) <= 2 * revalidate.SAMPLE
    assert {b - a for a, b in itertools.pairwise(places)} == {15}
    rest = [int(candidate.core.margin) for chunk in others for candidate in chunk]
    assert sorted(places + rest) == list(range(1000))
    assert list(_sample_first(many[:100])) == [many[:100]]


def test_a_guess_is_where_the_linear_function_is_least() -> None:
    [proved, *_] = proofs(1, ON_INPUTS)
    region = root(Problem.of(proved.graph, proved.prop), 0)
    box = region.bounds.box

    opened = _Open.of(region, 0, -1.0, np.array([2.0, -3.0]))

    assert opened.guess.point.tolist() == [box.lower[0, 0], box.upper[0, 1]]
