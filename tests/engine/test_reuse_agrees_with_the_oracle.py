# SPDX-License-Identifier: Apache-2.0
"""Verdicts by reuse against verdicts from scratch and against trying every phase pattern."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.random_changes import random_change, random_map
from compression.registry import METHODS, make_method
from tests.oracles import decide_by_phase_enumeration, violates
from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, assert_cores, drawn, proofs
from verifier.certificate.checker import check_certificate
from verifier.change.neuron_map import NeuronMap
from verifier.errors import RefusedError, UsageError
from verifier.pipeline import prove, reverify
from verifier.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    from verifier.ir.graph import Graph
    from verifier.options import EngineOptions
    from verifier.pipeline import Result
    from verifier.spec.property import Property

OPTIONS = pytest.mark.parametrize("options", [ON_INPUTS, ON_PHASES], ids=["inputs", "phases"])
VARIANTS = [
    ("fixed_point", ["total_bits=8"]),
    ("fixed_point", ["total_bits=4"]),
    ("float_rounding", ["format=float16"]),
    ("float_rounding", ["format=bfloat16"]),
    ("integer_quantisation", ["bits=8"]),
    ("integer_quantisation", ["bits=3"]),
    ("magnitude_pruning", ["sparsity=0.1"]),
    ("magnitude_pruning", ["sparsity=0.5"]),
    ("neuron_pruning", ["count=1", "constant=zero"]),
    ("neuron_pruning", ["count=2", "constant=fold"]),
]


def test_every_compression_method_is_among_the_variants() -> None:
    assert {name for name, _ in VARIANTS} == set(METHODS)


def assert_right(graph: Graph, prop: Property, result: Result) -> None:
    """Assert that a result is the oracle's, and that all it rests on is true."""
    expected, _ = decide_by_phase_enumeration(graph, prop)
    assert result.verdict is verdict_of(expected)
    if result.verdict is Verdict.VIOLATED:
        assert result.counterexample is not None
        assert violates(prop, graph, result.counterexample.input)
    if result.proof is None:
        return  # By the differential margin.
    assert_cores(graph, prop, result.proof.cores)
    document = json.loads(json.dumps(result.certificate()))
    assert check_certificate(document, graph, prop).accepted


def assert_accounted(result: Result) -> None:
    """Assert that the fates of the cores add up to all of them."""
    report = result.reuse
    assert report is not None
    if result.verdict is Verdict.HOLDS:
        fates = report.valid + report.repaired + report.dropped + report.vacuous
        assert fates == report.cores
    assert report.untranslatable <= report.cores
    assert 0.0 <= report.proof_reuse_rate <= 1.0
    assert report.to_json()["proof_reuse_rate"] == round(report.proof_reuse_rate, 6)


@OPTIONS
@pytest.mark.parametrize(("method", "assignments"), VARIANTS)
def test_reuse_for_a_compressed_network_is_right(
    method: str, assignments: list[str], options: EngineOptions
) -> None:
    for graph, prop, proof in proofs(3, options):
        try:
            variant = make_method(method, assignments).apply(graph)
        except UsageError:
            continue  # A layer would be left without neurons.

        result = reverify(variant.graph, prop, proof, variant.neuron_map, options)
        by_margin = reverify(
            variant.graph, prop, proof, variant.neuron_map, options, original=graph
        )

        assert_right(variant.graph, prop, result)
        assert_accounted(result)
        assert by_margin.verdict is result.verdict
        assert prove(variant.graph, prop, options).verdict is result.verdict


@OPTIONS
def test_the_network_itself_needs_nothing_but_its_cores(options: EngineOptions) -> None:
    for graph, prop, proof in proofs(8, options):
        result = reverify(graph, prop, proof, NeuronMap.identity(graph), options)

        assert result.verdict is Verdict.HOLDS
        assert result.reuse is not None
        assert result.reuse.valid == result.reuse.cores == len(proof.cores)
        assert result.reuse.proof_reuse_rate == 1.0
        assert result.reuse.residual_subproblems == 0
        assert result.reuse.original_seconds == proof.seconds
        assert result.statistics.calls["bound"] == 0


@OPTIONS
def test_a_wrong_map_never_makes_a_wrong_verdict(options: EngineOptions) -> None:
    rng = np.random.default_rng(8)
    for graph, prop, proof in proofs(5, options):
        change = random_change(rng).apply(graph)
        variant = graph if change is None else change[0]
        wrong = random_map(rng, graph, variant)

        result = reverify(variant, prop, proof, wrong, options)
        by_margin = reverify(variant, prop, proof, wrong, options, original=graph)

        assert_right(variant, prop, result)
        assert_accounted(result)
        assert by_margin.verdict is result.verdict


@pytest.mark.slow
@OPTIONS
def test_each_variants_proof_seeds_the_next(options: EngineOptions) -> None:
    chain = [
        ("float_rounding", ["format=bfloat16"]),
        ("fixed_point", ["total_bits=8"]),
        ("magnitude_pruning", ["sparsity=0.05"]),
        ("neuron_pruning", ["count=1", "score=outgoing"]),
        ("float_rounding", ["format=float16"]),
    ]
    verdicts = []
    for graph, prop, proof in proofs(3, options):
        for method, assignments in chain:
            try:
                variant = make_method(method, assignments).apply(graph)
            except (UsageError, RefusedError):
                continue
            result = reverify(variant.graph, prop, proof, variant.neuron_map, options)

            assert_right(variant.graph, prop, result)
            assert_accounted(result)
            verdicts.append(result.verdict)
            assert result.proof is not None
            graph, proof = variant.graph, result.proof  # noqa: PLW2901  # The chain goes on.
    assert verdicts.count(Verdict.HOLDS) >= 5


def test_a_violated_original_tells_nothing_of_variants_that_hold_and_the_reverse() -> None:
    met = set()
    for seed in range(300):
        graph, prop = drawn(seed)
        variant = make_method("fixed_point", ["total_bits=3"]).apply(graph)
        before = prove(graph, prop)
        assert before.proof is not None

        after = reverify(variant.graph, prop, before.proof, variant.neuron_map)

        if (before.verdict, after.verdict) not in met:
            met.add((before.verdict, after.verdict))
            assert_right(variant.graph, prop, after)
        if len(met) == 4:
            return
    pytest.fail(f"only {met} came up")
