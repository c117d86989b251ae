# SPDX-License-Identifier: Apache-2.0
"""ACAS Xu networks: the known verdicts, kept after compression, with certificates that check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.evidence import ACCEPTED, check_result
from compression.registry import make_method
from verifier.ir.onnx_reader import read_onnx
from verifier.pipeline import prove, reverify
from verifier.spec.vnnlib_reader import read_vnnlib
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.ir.graph import Graph
    from verifier.spec.property import Property

HOLDS, VIOLATED = Verdict.HOLDS, Verdict.VIOLATED


def network(data: Path, name: str) -> Graph:
    return read_onnx(data / "acasxu" / "onnx" / f"ACASXU_run2a_{name}_batch_2000.onnx")


def query(data: Path, number: int) -> Property:
    return read_vnnlib(data / "acasxu" / "vnnlib" / f"prop_{number}.vnnlib")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number", "expected"),
    [
        ("1_1", 3, HOLDS),
        ("1_1", 4, HOLDS),
        ("2_1", 2, VIOLATED),
        ("3_3", 4, HOLDS),
        ("4_2", 4, HOLDS),
        ("5_5", 3, HOLDS),
    ],
)
def test_the_known_verdict_is_found_and_its_certificate_checks(
    data: Path, name: str, number: int, expected: Verdict
) -> None:
    graph, prop = network(data, name), query(data, number)

    result = prove(graph, prop)

    assert result.verdict is expected
    assert check_result(graph, prop, result) == ACCEPTED


@pytest.mark.slow
@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize(("name", "number"), [("1_1", 3), ("1_1", 4), ("2_1", 2), ("4_2", 3)])
def test_reuse_finds_the_verdict_of_a_proof_from_scratch(
    data: Path, name: str, number: int, bits: int
) -> None:
    graph, prop = network(data, name), query(data, number)
    proof = prove(graph, prop).proof
    variant = make_method("integer_quantisation", [f"bits={bits}"]).apply(graph)
    assert proof is not None

    by_reuse = reverify(variant.graph, prop, proof, variant.neuron_map)
    from_scratch = prove(variant.graph, prop)

    assert by_reuse.verdict is from_scratch.verdict
    assert by_reuse.verdict is not Verdict.UNKNOWN
    assert check_result(variant.graph, prop, by_reuse) == ACCEPTED


@pytest.mark.slow
def test_most_cores_survive_sixteen_bits(data: Path) -> None:
    graph, prop = network(data, "1_1"), query(data, 3)
    proof = prove(graph, prop).proof
    variant = make_method("integer_quantisation", ["bits=16"]).apply(graph)
    assert proof is not None

    result = reverify(variant.graph, prop, proof, variant.neuron_map)

    assert result.reuse is not None
    assert result.reuse.cores == len(proof.cores)
    assert result.reuse.proof_reuse_rate > 0.9


def test_the_easiest_instances_take_no_time(data: Path) -> None:
    graph, prop = network(data, "2_1"), query(data, 2)

    result = prove(graph, prop)

    assert result.verdict is VIOLATED
    assert result.counterexample is not None
    assert check_result(graph, prop, result) == ACCEPTED
