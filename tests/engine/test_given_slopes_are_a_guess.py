# SPDX-License-Identifier: Apache-2.0
"""Slopes that a proof carries: used where they are good, never believed, never needed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from compression.registry import make_method
from tests.bounds import tangled_networks as tangled
from tests.bounds.escapes import some_slopes
from tests.engine.test_reuse_agrees_with_the_oracle import assert_right
from tests.proof.small_proofs import ON_PHASES, Proved, proofs
from verifier.bounds import tighten
from verifier.engine.problem import Problem
from verifier.pipeline import prove, reverify

if TYPE_CHECKING:
    from verifier.bounds.tighten import Tightened


def deep_proofs(count: int) -> list[Proved]:
    """Return proofs of networks of more than a layer, whose boxes were tightened."""
    found = [one for one in proofs(60, ON_PHASES) if any(len(p.lines) for p in parts_of(one))]
    assert len(found) >= count
    return found[:count]


def parts_of(proved: Proved) -> list[Tightened]:
    return [part for parts in proved.proof.tightened for part in parts]


def test_a_network_is_tightened_by_its_own_slopes_as_it_was_by_ascent() -> None:
    rng, tightened = np.random.default_rng(3), 0
    for trial in range(60):
        graph = tangled.network(rng, tangled.KINDS[trial % 2], widths=(4, 3, 4))
        box = tangled.some_box(rng, graph.input_width)
        prop = tangled.some_property(rng, graph, box)
        first = Problem.of(graph, prop, input_split_width=0)

        again = Problem.of(graph, prop, input_split_width=0, given=first.tightened)

        ours, theirs = first.groups[0].bounds.neurons, again.groups[0].bounds.neurons
        assert np.array_equal(ours.lower, theirs.lower)
        assert np.array_equal(ours.upper, theirs.upper)
        for part, its in zip(first.groups[0].tightened, again.groups[0].tightened, strict=True):
            assert np.array_equal(part.slopes, its.slopes)
        loose = first.groups[0].loose.neurons
        tightened += bool((loose.lower < ours.lower).any() or (loose.upper > ours.upper).any())
    assert tightened > 5


@pytest.mark.parametrize("slope", [-0.25, 1.5, np.nan])
def test_slopes_out_of_range_are_refused(slope: float) -> None:
    (proved,) = deep_proofs(1)
    wrong = [
        [replace(part, slopes=np.full_like(part.slopes, slope)) for part in parts]
        for parts in proved.proof.tightened
    ]

    with pytest.raises(ValueError, match="slopes must be in"):
        Problem.of(proved.graph, proved.prop, input_split_width=0, given=wrong)


def test_where_the_slopes_are_good_nothing_is_ascended(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(tighten, "ascend", never)
    for graph, prop, proof in deep_proofs(3):
        result = reverify(graph, prop, proof, options=ON_PHASES)

        assert result.reuse is not None
        assert result.reuse.valid == len(proof.cores)


def test_where_most_cores_fail_the_box_is_tightened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then all cores are valid again, and certificate and proof are of the box as it is now."""
    monkeypatch.setattr("verifier.engine.reuse.STALE", 0.0)
    anew = 0
    for graph, prop, proof in deep_proofs(12):
        stale = tuple(
            tuple(replace(part, slopes=1.0 - np.round(part.slopes)) for part in parts)
            for parts in proof.tightened
        )

        result = reverify(graph, prop, replace(proof, tightened=stale), options=ON_PHASES)

        assert_right(graph, prop, result)
        assert result.reuse is not None
        assert result.proof is not None
        assert result.reuse.valid == len(proof.cores)
        anew += all(
            np.array_equal(part.slopes, its.slopes)
            for ours, theirs in zip(result.proof.tightened, proof.tightened, strict=True)
            for part, its in zip(ours, theirs, strict=True)
        )
    assert anew > 0


@pytest.mark.slow
@pytest.mark.parametrize("method", ["count=1", "bits=4", "bits=8"])
def test_verdicts_are_the_same_whatever_slopes_a_proof_carries(method: str) -> None:
    kind = "neuron_pruning" if "count" in method else "integer_quantisation"
    rng = np.random.default_rng(5)
    for graph, prop, proof in deep_proofs(12):
        change = make_method(kind, [method]).apply(graph)
        scratch = prove(change.graph, prop, ON_PHASES)
        absurd = some_slopes(rng, sum(proof.layer_widths))
        for slopes in ((), proof.tightened, (tuple(absurd),)):
            carried = replace(proof, tightened=slopes)

            result = reverify(change.graph, prop, carried, change.neuron_map, ON_PHASES)

            assert result.verdict is scratch.verdict
            assert_right(change.graph, prop, result)
