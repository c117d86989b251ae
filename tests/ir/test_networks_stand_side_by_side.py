# SPDX-License-Identifier: Apache-2.0
"""Several networks, and several tensors of one, become one network that computes the same."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests.generators import stack
from verifier.errors import UnsupportedError
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.import_gate import check_against_onnxruntime
from verifier.ir.onnx_flattened import Wanted, flattened
from verifier.ir.onnx_reader import read_onnx
from verifier.ir.onnx_structure import structure
from verifier.ir.onnx_writer import write_onnx
from verifier.ir.passes.normalize import is_normal_form
from verifier.ir.product import product
from verifier.ir.rational import RationalArray

WEIGHTS = np.array([[1, -2, 3, 1], [0, 1, -1, 2]], dtype=np.float32).T


def _network(seed: int, inputs: int, outputs: int) -> bytes:
    rng = np.random.default_rng(seed)

    def fill(shape: tuple[int, ...]) -> RationalArray:
        return RationalArray.from_floats(rng.integers(-8, 9, shape) / 8)

    return write_onnx(stack(inputs, (3, 2), outputs, fill, lambda layer: [0] if layer else []))


def _several(rows: str = "N") -> bytes:
    """Return a model with two inputs, two outputs and a hidden layer."""
    shapes: dict[str, list[str | int | None]]
    shapes = {"a": [rows, 1, 2], "b": [1, 2], "sum": [1], "large": [1, 2]}
    a, b, total, large = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    )
    nodes = [
        helper.make_node("Reshape", ["a", "row"], ["flat"], "flatten"),
        helper.make_node("Concat", ["flat", "b"], ["both"], "join", axis=1),
        helper.make_node("MatMul", ["both", "weights"], ["h"], "dense"),
        helper.make_node("Relu", ["h"], ["inner"], "relu"),
        helper.make_node("ReduceSum", ["inner", "axes"], ["sum"], "add", keepdims=0),
        helper.make_node("Sub", ["inner", "b"], ["large"], "minus"),
    ]
    constants = [
        numpy_helper.from_array(np.array([1, 2], dtype=np.int64), "row"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "axes"),
        numpy_helper.from_array(WEIGHTS, "weights"),
    ]
    graph = helper.make_graph(nodes, "several", [a, b], [total, large], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


INPUTS = (Wanted("A", 2), Wanted("B", 2))
OUTPUTS = (Wanted("S", 1), Wanted("L", 2))
values = st.fractions(-3, 3, max_denominator=4)


@given(x=st.lists(values, min_size=3, max_size=3), seeds=st.tuples(*[st.integers(0, 9)] * 2))
def test_a_product_computes_what_its_networks_do(x: list[Fraction], seeds: tuple[int, int]) -> None:
    first, second = (read_onnx(_network(seed, 2, n)) for seed, n in zip(seeds, (1, 2), strict=True))

    both = product([first, second], [(0, 1), (2, 0)], 3)

    expected = evaluate_exactly(first, x[:2]) + evaluate_exactly(second, [x[2], x[0]])
    assert evaluate_exactly(both, x) == expected
    assert is_normal_form(both)
    assert both.neuron_count == first.neuron_count + second.neuron_count


def test_the_same_network_at_the_same_input_stands_there_once() -> None:
    network = read_onnx(_network(1, 2, 1))

    same = product([network, network], [(0, 1), (0, 1)], 2)
    apart = product([network, network], [(0, 1), (1, 0)], 2)

    assert (same.neuron_count, same.output_width) == (network.neuron_count, 2)
    assert apart.neuron_count == 2 * network.neuron_count


def test_one_entry_may_be_two_inputs_of_a_network() -> None:
    network = read_onnx(_network(1, 2, 1))
    x = Fraction(3, 4)

    assert evaluate_exactly(product([network], [(0, 0)], 1), [x]) == evaluate_exactly(
        network, [x, x]
    )
    with pytest.raises(ValueError, match="2 entries of 1 are no input"):
        product([network], [(0, 1)], 1)


@given(x=st.lists(values, min_size=4, max_size=4))
def test_tensors_and_hidden_nodes_are_strung_together(x: list[Fraction]) -> None:
    graph = read_onnx(flattened(_several(), INPUTS, OUTPUTS, [Wanted("H", 2, "inner")]))

    inner = [max(sum(int(w) * v for w, v in zip(c, x, strict=True)), Fraction()) for c in WEIGHTS.T]
    expected = [sum(inner), *(v - b for v, b in zip(inner, x[2:], strict=True)), *inner]
    assert list(evaluate_exactly(graph, x)) == expected


def test_onnxruntime_runs_the_strung_model_to_the_same_values() -> None:
    content = flattened(_several(), INPUTS, OUTPUTS, [Wanted("H", 2, "inner")])

    check_against_onnxruntime(content, read_onnx(content))

    assert flattened(_network(1, 2, 1), INPUTS[:1], OUTPUTS[:1], []) == _network(1, 2, 1)


@pytest.mark.parametrize(
    ("inputs", "outputs", "hidden", "message"),
    [
        (INPUTS[:1], OUTPUTS, [], r"declares 1 input tensors, the model has \['a', 'b'\]"),
        (INPUTS, OUTPUTS[:1], [], r"declares 1 output tensors, the model has \['sum', 'large'\]"),
        (INPUTS, OUTPUTS, [Wanted("H", 2, "none")], "H is the value 'none', which the model does"),
    ],
)
def test_a_model_with_other_tensors_is_refused(
    inputs: list[Wanted], outputs: list[Wanted], hidden: list[Wanted], message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        flattened(_several(), inputs, outputs, hidden)


@pytest.mark.parametrize("swapped", [INPUTS, OUTPUTS])
def test_a_tensor_of_another_size_is_refused_by_name(swapped: tuple[Wanted, Wanted]) -> None:
    wrong = [Wanted(w.label, w.width + d) for w, d in zip(swapped, (1, -1), strict=True)]
    inputs, outputs = (wrong, OUTPUTS) if swapped is INPUTS else (INPUTS, wrong)

    with pytest.raises(Exception, match=f"query variable {swapped[0].label}"):
        read_onnx(flattened(_several(), inputs, outputs, []))


def test_an_input_with_a_value_of_its_own_is_no_input_of_a_query() -> None:
    model = onnx.load_from_string(_several())
    weights = helper.make_tensor_value_info("weights", TensorProto.FLOAT, [4, 2])
    model.graph.input.insert(0, weights)

    content = flattened(model.SerializeToString(), INPUTS, OUTPUTS, [])

    x = [Fraction(i) for i in range(4)]
    expected = evaluate_exactly(read_onnx(flattened(_several(), INPUTS, OUTPUTS, [])), x)
    assert evaluate_exactly(read_onnx(content), x) == expected


def test_an_axis_that_is_free_is_refused_unless_it_is_the_batch() -> None:
    model = onnx.load_from_string(_several())
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "N"

    with pytest.raises(UnsupportedError, match="input 'a' leaves an axis free"):
        flattened(model.SerializeToString(), INPUTS, OUTPUTS, [])


def test_inputs_of_several_types_are_refused() -> None:
    model = onnx.load_from_string(_several())
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.DOUBLE

    with pytest.raises(UnsupportedError, match="the inputs have element types"):
        flattened(model.SerializeToString(), INPUTS, OUTPUTS, [])


def test_structure_is_all_but_weights() -> None:
    assert structure(_network(1, 2, 1)) == structure(_network(2, 2, 1))
    assert structure(_network(1, 2, 1)) != structure(_network(1, 2, 2))
    assert structure(_network(1, 2, 1)) != structure(_network(1, 3, 1))


def _turned(
    axis: int = 1, rows: int = 4, output: str = "y", shape: tuple[int, ...] = (4,)
) -> bytes:
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["square"], "reshape"),
        helper.make_node("Flatten", ["square"], ["y"], axis=axis),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    square = numpy_helper.from_array(np.array([rows, 4 // rows], dtype=np.int64), "shape")
    graph = helper.make_graph(nodes, "turned", [x], [result], [square])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(made.SerializeToString())


@pytest.mark.parametrize(
    "other", [_turned(axis=0), _turned(rows=2), _turned(output="square"), _turned(shape=(2, 2))]
)
def test_attributes_shapes_and_the_output_are_part_of_a_structure(other: bytes) -> None:
    assert structure(_turned()) == structure(_turned())
    assert structure(_turned()) != structure(other)
