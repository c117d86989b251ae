# SPDX-License-Identifier: Apache-2.0
"""What is written: the same numbers, both hashes, and the same bytes each time."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from compression.artefact import save
from compression.registry import make_method
from tests.compression.tensors import all_fractions, single_affine
from tests.generators import random_network
from verifier.change.neuron_map import NeuronMap
from verifier.errors import RefusedError
from verifier.ir.onnx_reader import read_onnx

if TYPE_CHECKING:
    from pathlib import Path

VARIANTS = [
    ("magnitude_pruning", ["sparsity=0.3", "scope=global"]),
    ("neuron_pruning", ["count=3"]),
    ("neuron_pruning", ["fraction=0.3", "constant=fold", "scope=layer"]),
    ("float_rounding", ["format=bfloat16"]),
    ("fixed_point", ["total_bits=6"]),
    ("integer_quantisation", ["bits=4"]),
    ("integer_quantisation", ["scale=float32", "symmetry=asymmetric", "biases=quantise"]),
    ("integer_quantisation", ["bits=16", "scale=power_of_two", "granularity=tensor"]),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_the_file_holds_the_same_numbers(name: str, options: list[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    graph = random_network(rng, 4, (6, 5, 4), 3, skip_probability=0.4)

    result = make_method(name, options).apply(graph)
    artefact = save(result, tmp_path / "new" / "folder", base_sha256="ab" * 32)

    written = read_onnx(artefact.model)
    assert all_fractions(written) == all_fractions(result.graph)
    assert written.layer_widths == result.graph.layer_widths
    loaded = NeuronMap.load(artefact.neuron_map)
    assert (loaded.kept, loaded.removed) == (result.neuron_map.kept, result.neuron_map.removed)
    report = json.loads(artefact.report.read_text(encoding="utf-8"))
    assert report["method"] == name
    assert report["number_format"] == "float32"
    assert report["base_sha256"] == "ab" * 32
    assert report["artefact_sha256"] == hashlib.sha256(artefact.model.read_bytes()).hexdigest()
    assert report["kind"] == ("K2" if name == "neuron_pruning" else "K1")
    assert len(report["weight_delta"]) == 4


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_writing_twice_writes_the_same_bytes(name: str, options: list[str], tmp_path: Path) -> None:
    graph = random_network(np.random.default_rng(6), 4, (6, 6), 3)

    first, second = (
        save(make_method(name, options).apply(graph), tmp_path / folder) for folder in "ab"
    )

    for left, right in zip(
        (first.model, first.neuron_map, first.report),
        (second.model, second.neuron_map, second.report),
        strict=True,
    ):
        assert left.read_bytes() == right.read_bytes()


def test_float64_networks_are_written_in_float64(tmp_path: Path) -> None:
    graph = single_affine([[1 + Fraction(1, 2**40), Fraction(3)]], [Fraction(0)])

    result = make_method("magnitude_pruning", ["sparsity=0"]).apply(graph)
    artefact = save(result, tmp_path)

    assert all_fractions(read_onnx(artefact.model)) == all_fractions(graph)
    assert json.loads(artefact.report.read_text(encoding="utf-8"))["number_format"] == "float64"


def test_numbers_that_no_float_holds_are_refused_with_the_way_out(tmp_path: Path) -> None:
    graph = single_affine([[Fraction(1, 255)]], [Fraction(0)])
    pruned = make_method("magnitude_pruning").apply(graph)

    with pytest.raises(RefusedError, match="float_rounding, option format=float32"):
        save(pruned, tmp_path / "refused")

    rounded = make_method("float_rounding", ["format=float32"]).apply(pruned.graph)
    assert save(rounded, tmp_path / "rounded").model.exists()
    assert not (tmp_path / "refused").exists()
