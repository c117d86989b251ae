# SPDX-License-Identifier: Apache-2.0
"""Each way to verify a variant against trying every phase pattern, whatever the map says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.leaf_replay import leaves_of, replay_leaves
from benchmarks.margin_alone import TOO_LARGE, decide_by_margin
from benchmarks.plain_reuse import reuse_without_repair
from benchmarks.random_changes import random_map
from benchmarks.subject import Subject
from benchmarks.ways import SCRATCH, WAYS, Way, reuse
from compression.registry import make_method
from tests.oracles import decide_by_phase_enumeration, violates
from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, Proved, proofs
from verifier.change.neuron_map import NeuronMap
from verifier.options import EngineOptions
from verifier.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    from verifier.engine.clauses import CasePath

COMPLETE = [(name, way) for name, way in WAYS.items() if way is not decide_by_margin]
COMPLETE.append(("reuse with repair", reuse))
EVERY_COMPLETE_WAY = pytest.mark.parametrize(
    "way", [way for _, way in COMPLETE], ids=[name for name, _ in COMPLETE]
)
OPTIONS = pytest.mark.parametrize("options", [ON_INPUTS, ON_PHASES], ids=["inputs", "phases"])
VARIANTS = [
    ("integer_quantisation", ("bits=8",)),
    ("integer_quantisation", ("bits=3",)),
    ("magnitude_pruning", ("sparsity=1/2",)),
    ("neuron_pruning", ("count=2", "constant=fold")),
]


def subject(found: Proved, method: str, options: tuple[str, ...], engine: EngineOptions) -> Subject:
    variant = make_method(method, options).apply(found.graph)
    return Subject(
        variant.graph,
        found.prop,
        found.graph,
        found.proof,
        leaves(found),
        variant.neuron_map,
        replace(engine, minimize=False),
    )


def itself(found: Proved, engine: EngineOptions) -> Subject:
    """Return the original as a variant of itself."""
    identity = NeuronMap.identity(found.graph)
    return Subject(
        found.graph, found.prop, found.graph, found.proof, leaves(found), identity, engine
    )


def leaves(found: Proved) -> list[CasePath]:
    return [(found.proof.cores[leaf.core].case, leaf.path) for leaf in found.proof.leaves]


def assert_right(way: Way, verified: Subject) -> None:
    expected, _ = decide_by_phase_enumeration(verified.graph, verified.prop)

    result = way(verified)

    assert result.verdict is verdict_of(expected)
    if result.counterexample is not None:
        assert violates(verified.prop, verified.graph, result.counterexample.input)


@EVERY_COMPLETE_WAY
@OPTIONS
@pytest.mark.parametrize(("method", "choices"), VARIANTS)
def test_a_complete_way_finds_the_oracles_verdict(
    way: Way, options: EngineOptions, method: str, choices: tuple[str, ...]
) -> None:
    for found in proofs(4, options):
        assert_right(way, subject(found, method, choices, options))


@EVERY_COMPLETE_WAY
def test_a_map_that_means_nothing_changes_no_verdict(way: Way) -> None:
    for seed, found in enumerate(proofs(4, ON_PHASES)):
        true = subject(found, "magnitude_pruning", ("sparsity=1/3",), ON_PHASES)
        arbitrary = random_map(np.random.default_rng(seed), found.graph, true.graph)

        assert_right(way, replace(true, neuron_map=arbitrary))


@OPTIONS
def test_the_margin_carries_a_property_over_to_the_same_network(options: EngineOptions) -> None:
    verdicts = {decide_by_margin(itself(found, options)).verdict for found in proofs(4, options)}

    assert Verdict.VIOLATED not in verdicts
    assert Verdict.HOLDS in verdicts


@OPTIONS
@pytest.mark.parametrize(("method", "choices"), VARIANTS)
def test_the_margin_alone_is_right_or_says_nothing(
    options: EngineOptions, method: str, choices: tuple[str, ...]
) -> None:
    for found in proofs(4, options):
        verified = subject(found, method, choices, options)
        expected, _ = decide_by_phase_enumeration(verified.graph, verified.prop)

        result = decide_by_margin(verified)

        assert result.verdict in {Verdict.UNKNOWN, verdict_of(expected)}
        assert result.reason == (TOO_LARGE if result.verdict is Verdict.UNKNOWN else "")


def test_margins_that_a_proof_only_claims_are_not_believed() -> None:
    found = proofs(1, ON_INPUTS)[0]
    weak = [replace(core, multipliers=None, margin=np.inf) for core in found.proof.cores]
    claimed = replace(found.proof, cores=tuple(weak))

    result = decide_by_margin(replace(itself(found, ON_INPUTS), proof=claimed))

    assert result.verdict is Verdict.UNKNOWN


def test_replay_solves_every_leaf_and_searches_nothing_where_nothing_changed() -> None:
    for found in proofs(4, ON_PHASES):
        same = itself(found, ON_PHASES)

        result = replay_leaves(same)

        assert result.statistics.calls["leaf"] == len(leaves_of(same)) == len(found.proof.leaves)
        assert result.statistics.calls["bound"] == 0


def test_reuse_without_repair_repairs_nothing_where_the_product_does() -> None:
    rounded = [
        subject(found, "integer_quantisation", ("bits=3",), ON_PHASES)
        for found in proofs(4, ON_PHASES)
    ]

    assert any(reuse(variant).statistics.calls["repair"] for variant in rounded)
    assert not any(reuse_without_repair(v).statistics.calls["repair"] for v in rounded)


@pytest.mark.parametrize("name", [name for name in WAYS if name not in {SCRATCH, "margin alone"}])
def test_a_way_without_time_says_so(name: str) -> None:
    found = proofs(1, ON_INPUTS)[0]

    result = WAYS[name](itself(found, EngineOptions(timeout_seconds=0.0)))

    assert result.verdict is Verdict.UNKNOWN
    assert result.reason == "time limit reached"
