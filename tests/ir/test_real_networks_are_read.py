# SPDX-License-Identifier: Apache-2.0
"""Benchmark networks.

Those that are fully connected are read and agree with onnxruntime; the others are refused, by the
name of the operator and node that stand in the way.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from verifier.errors import UnsupportedError
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.fingerprint import fingerprint
from verifier.ir.import_gate import check_against_onnxruntime
from verifier.ir.onnx_reader import read_onnx
from verifier.ir.onnx_writer import write_onnx
from verifier.ir.passes.normalize import is_normal_form

if TYPE_CHECKING:
    from pathlib import Path

SMALL = [
    "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx",
    "nn4sys/onnx/lindex.onnx",
    "nn4sys/onnx/pensieve_small_simple.onnx",
    "quantized/onnx/mnist25_fp32.onnx",
    "reach_prob_density/onnx/*.onnx",
    "rl_benchmarks/onnx/*.onnx",
    "safenlp/onnx/*/*.onnx",
    "test/onnx/*.onnx",
    "tllverifybench/onnx/*N=M=8*.onnx",
]
LARGE = [
    "acasxu/onnx/*.onnx",
    "acasxu_compressed/onnx/*/*.onnx",
    "cora/onnx/*.onnx",
    "eran_mnist/onnx/mnist_relu_9_200.onnx",
    "linearizenn/onnx/*.onnx",
    "mnist_fc/onnx/*.onnx",
    "tllverifybench/onnx/*.onnx",
]
LAYERS = {
    "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx": (5, (50,) * 6, 5),
    "mnist_fc/onnx/mnist-net_256x4.onnx": (784, (256,) * 4, 10),
    "nn4sys/onnx/lindex.onnx": (1, (128,) * 3, 1),
    "linearizenn/onnx/AllInOne_10_10.onnx": (4, (256,) * 4 + (16, 8, 8), 2),
}
REFUSED = {
    "cifar10_resnet/onnx/resnet_2b.onnx": "operator 'Conv' (node 'Conv_0')",
    "dist_shift/onnx/mnist_concat.onnx": "operator 'Sigmoid' (node 'Sigmoid_6')",
    "nn4sys/onnx/mscn_128d.onnx": "operator 'Mul' (node 'Mul_39')",
    "tanh_nln2020/onnx/tansig_200_50_onnx.onnx": "operator 'Conv' (node 'Operation_1')",
    "quantized/onnx/ece_v1_int8_qdq.onnx": "operator 'DequantizeLinear'",
    "quantized/onnx/qonnx_TFC_2W2A.onnx": "of domain 'onnx.brevitas'",
    "quantized/onnx/qonnx_jettagging.onnx": "of domain 'finn.custom_op.general'",
    "quantized/onnx/tract_qtanh_1.onnx": "operator 'QuantizeLinear'",
    "verivital/onnx/Convnet_maxpool.onnx": "operator 'Conv' (node 'Conv_0')",
}


@pytest.mark.parametrize(
    "pattern", [*SMALL, *(pytest.param(large, marks=pytest.mark.slow) for large in LARGE)]
)
def test_networks_agree_with_onnxruntime(data: Path, pattern: str) -> None:
    files = sorted(data.glob(pattern))
    assert files
    for file in files:
        graph = read_onnx(file)

        assert is_normal_form(graph)
        check_against_onnxruntime(file.read_bytes(), graph, samples=3)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_what_the_authors_say(data: Path, name: str) -> None:
    graph = read_onnx(data / name)

    assert (graph.input_width, graph.layer_widths, graph.output_width) == LAYERS[name]


@pytest.mark.parametrize("name", REFUSED)
def test_others_are_refused_by_the_name_of_their_operator(data: Path, name: str) -> None:
    with pytest.raises(UnsupportedError) as refusal:
        read_onnx(data / name)

    assert REFUSED[name] in str(refusal.value)
    assert "supported: " in str(refusal.value)


def test_a_network_survives_writing_and_reading(data: Path) -> None:
    graph = read_onnx(data / "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx")

    again = read_onnx(write_onnx(graph))

    assert fingerprint(again) == fingerprint(graph)
    assert (again.input_name, again.input_shape) == (graph.input_name, graph.input_shape)
    assert (again.output_name, again.output_shape) == (graph.output_name, graph.output_shape)


def test_exact_evaluation_is_where_float64_says(data: Path) -> None:
    graph = read_onnx(data / "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx")
    point = np.random.default_rng(0).uniform(-0.5, 0.5, graph.input_width)
    box = ([Fraction(float(x)) for x in point],) * 2

    output = evaluate_exactly(graph, box[0])

    assert len(output) == graph.output_width
    source = data / "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx"
    check_against_onnxruntime(source.read_bytes(), graph, samples=1, box=box)
