# SPDX-License-Identifier: Apache-2.0
"""What the engine proves, the checker accepts: from random networks to the benchmark ones."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.architecture.source_tree import ROOT
from tests.generators import random_network, random_property
from verifier.certificate.checker import CheckReport, check_certificate, check_with
from verifier.certificate.integer_matrix import PlainArithmetic
from verifier.ir.onnx_reader import read_onnx
from verifier.ir.operators import Affine
from verifier.ir.passes.normalize import normalize
from verifier.ir.rational import RationalArray
from verifier.options import EngineOptions
from verifier.pipeline import prove, reverify
from verifier.spec.vnnlib_reader import read_vnnlib
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verifier.ir.graph import Graph
    from verifier.pipeline import Result
    from verifier.spec.property import Property


def checked(result: Result, graph: Graph, prop: Property) -> CheckReport:
    """Check the certificate as it would be read from a file."""
    return check_certificate(json.loads(json.dumps(result.certificate())), graph, prop)


def random_problem(seed: int) -> tuple[Graph, Property]:
    rng = np.random.default_rng(seed)
    widths = [int(rng.integers(2, 8)) for _ in range(int(rng.integers(1, 4)))]
    graph = random_network(rng, int(rng.integers(1, 4)), widths, 2, skip_probability=0.3)
    margin = float(rng.choice([-0.1, 0.02, 0.1, 0.5]))
    return graph, random_property(rng, graph, radius=float(rng.uniform(0.3, 2)), margin=margin)


def assert_confirmed(seed: int, options: EngineOptions) -> None:
    graph, prop = random_problem(seed)

    result = prove(graph, prop, options)

    assert result.verdict is not Verdict.UNKNOWN
    assert checked(result, graph, prop).verdict is result.verdict


@pytest.mark.parametrize("seed", range(20))
def test_the_verdict_on_a_random_network_is_confirmed(seed: int) -> None:
    assert_confirmed(seed, EngineOptions())


@pytest.mark.parametrize("seed", range(20))
def test_so_is_a_verdict_found_by_splitting_phases(seed: int) -> None:
    assert_confirmed(seed, EngineOptions(input_split_width=0))


@pytest.mark.slow
@pytest.mark.parametrize("split_width", [0, 12])
def test_so_are_the_verdicts_on_many_random_networks(split_width: int) -> None:
    for seed in range(20, 150):
        assert_confirmed(seed, EngineOptions(input_split_width=split_width))


def test_networks_whose_weights_no_float_holds_are_checked_too() -> None:
    graph, prop = random_problem(4)
    divided = with_weights(graph, lambda w: RationalArray(w.numerators, w.denominator * 3))

    result = prove(divided, prop)

    assert checked(result, divided, prop).verdict is result.verdict is not Verdict.UNKNOWN


def with_weights(graph: Graph, change: Callable[[RationalArray], RationalArray]) -> Graph:
    """Return the network with every weight matrix passed through a function."""
    nodes = []
    for node in graph.nodes:
        operator = node.operator
        if isinstance(operator, Affine):
            operator = replace(operator, weights=tuple(map(change, operator.weights)))
        nodes.append(replace(node, operator=operator))
    return replace(graph, nodes=tuple(nodes))


def rounded(weights: RationalArray) -> RationalArray:
    """Return the nearest multiples of 1/128, as fixed-point quantisation leaves them."""
    values = [Fraction(round(w * 128), 128) for w in weights.fractions()]
    return RationalArray.from_fractions(values, weights.shape)


@pytest.mark.parametrize("seed", range(8))
def test_a_verdict_by_reuse_is_confirmed(seed: int) -> None:
    graph, prop = random_problem(seed)
    original = prove(graph, prop)
    compressed = with_weights(graph, rounded)
    assert original.proof is not None

    result = reverify(compressed, prop, original.proof)

    assert checked(result, compressed, prop).verdict is result.verdict is not Verdict.UNKNOWN


def test_flint_and_the_standard_library_judge_alike() -> None:
    for seed in range(6):
        graph, prop = random_problem(seed)
        document = prove(graph, prop, EngineOptions(input_split_width=0)).certificate()

        report = check_certificate(document, graph, prop)

        assert check_with(PlainArithmetic(), document, graph, prop) == report


DIGITS = ROOT / "examples" / "digits"
DIGITS_PROPERTIES = sorted((DIGITS / "properties").glob("*.vnnlib"))


@pytest.mark.slow
@pytest.mark.parametrize("path", DIGITS_PROPERTIES, ids=lambda path: path.stem)
def test_the_digits_example_is_confirmed(path: Path) -> None:
    graph, prop = normalize(read_onnx(DIGITS / "digits.onnx")), read_vnnlib(path)

    result = prove(graph, prop)

    assert result.verdict is not Verdict.UNKNOWN
    assert checked(result, graph, prop).verdict is result.verdict


@pytest.mark.slow
@pytest.mark.parametrize(("network", "number"), [("1_1", 4), ("1_1", 3), ("4_2", 3)])
def test_collision_avoidance_is_confirmed(data: Path, network: str, number: int) -> None:
    folder = data / "acasxu"
    graph = normalize(read_onnx(folder / "onnx" / f"ACASXU_run2a_{network}_batch_2000.onnx"))
    prop = read_vnnlib(folder / "vnnlib" / f"prop_{number}.vnnlib")

    report = checked(prove(graph, prop), graph, prop)

    assert report.reason == ""
    assert report.verdict is Verdict.HOLDS
