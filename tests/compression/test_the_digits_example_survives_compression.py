# SPDX-License-Identifier: Apache-2.0
"""The bundled network and properties are what they say, and compression leaves it accurate."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from compression.registry import make_method
from verifier.ir.evaluate import evaluate, evaluate_exactly
from verifier.ir.onnx_reader import read_onnx
from verifier.spec.vnnlib_reader import read_vnnlib

if TYPE_CHECKING:
    from verifier.ir.graph import Graph

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits"


@pytest.fixture(scope="module")
def network() -> Graph:
    return read_onnx(EXAMPLE / "digits.onnx")


def accuracy(graph: Graph) -> float:
    """Return the accuracy in percent on the images that the training script set aside."""
    images, labels = load_digits(return_X_y=True)
    _, test = train_test_split(
        np.arange(len(labels)), test_size=500, stratify=labels, random_state=0
    )
    predicted = np.argmax(evaluate(graph, images[test] / 16), axis=1)
    return 100 * float(np.mean(predicted == labels[test]))


def test_the_network_is_small_and_accurate(network: Graph) -> None:
    assert network.layer_widths == (48, 48, 48)
    assert (EXAMPLE / "digits.onnx").stat().st_size < 50_000
    assert accuracy(network) >= 95


@pytest.mark.parametrize(
    ("name", "options", "points"),
    [
        ("integer_quantisation", ["bits=8"], 1),
        ("integer_quantisation", ["bits=8", "granularity=tensor"], 1),
        ("integer_quantisation", ["bits=8", "symmetry=asymmetric", "biases=quantise"], 1),
        ("integer_quantisation", ["bits=8", "scale=power_of_two"], 1),
        ("magnitude_pruning", ["sparsity=0.1"], 1),
        ("neuron_pruning", ["count=2"], 1),
        ("float_rounding", ["format=float16"], 1),
        ("float_rounding", ["format=bfloat16"], 1),
        ("fixed_point", ["total_bits=8"], 1),
    ],
)
def test_mild_compression_loses_less_than_a_point(
    network: Graph, name: str, options: list[str], points: float
) -> None:
    compressed = make_method(name, options).apply(network).graph

    assert accuracy(compressed) > accuracy(network) - points


def test_each_property_is_a_ball_around_an_image_that_is_classified_right(
    network: Graph,
) -> None:
    images, labels = load_digits(return_X_y=True)
    with (EXAMPLE / "properties" / "index.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == len(list((EXAMPLE / "properties").glob("*.vnnlib"))) == 8
    for row in rows:
        prop = read_vnnlib(EXAMPLE / "properties" / row["file"])
        epsilon, label = Fraction(row["epsilon"]), int(row["label"])
        pixels = [Fraction(int(v), 16) for v in images[int(row["image"])]]
        scores = evaluate_exactly(network, pixels)
        assert label == labels[int(row["image"])] == scores.index(max(scores))
        assert len(prop.cases) == 9
        for case in prop.cases:
            assert case.box.lower == tuple(max(p - epsilon, Fraction(0)) for p in pixels)
            assert case.box.upper == tuple(min(p + epsilon, Fraction(1)) for p in pixels)
