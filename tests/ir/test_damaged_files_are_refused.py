# SPDX-License-Identifier: Apache-2.0
"""Files that are truncated, changed or hostile raise errors of ours, and never anything else."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests.ir.onnx_models import models
from verifier.errors import ModelError, RefusedError, UnsupportedError, VerifierError
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.onnx_reader import read_onnx
from verifier.ir.passes.normalize import is_normal_form

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WEIGHT = numpy_helper.from_array(np.ones((3, 2), dtype=np.float32), "w")


def file(*nodes: onnx.NodeProto, **changes: Any) -> onnx.ModelProto:
    """Return a model ``x -> y`` of width 3 with a weight ``w``, of shape (3, 2)."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, changes.get("shape", [1, 3]))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        changes.get("tensors", [WEIGHT]),
    )
    imports = [helper.make_opsetid("", changes.get("opset", 13))]
    return helper.make_model(graph, opset_imports=imports)


def matmul() -> onnx.NodeProto:
    return helper.make_node("MatMul", ["x", "w"], ["y"], name="product")


def node(kind: str, *inputs: str, **attributes: Any) -> onnx.ModelProto:
    return file(helper.make_node(kind, inputs, ["y"], name="here", **attributes))


def tensor(array: Any, kind: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.array(array, dtype=kind), "w")


def edited(edit: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    model = file(matmul())
    edit(model)
    return model


def external(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../etc/passwd")


def huge(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [1 << 40, 1 << 40]


BRANCH = helper.make_graph([], "b", [], [])
FILES: dict[str, tuple[onnx.ModelProto, type[VerifierError], str]] = {
    "softmax": (node("Softmax", "x"), UnsupportedError, "operator 'Softmax' (node 'here')"),
    "misspelt": (node("Relu6", "x"), UnsupportedError, "operator 'Relu6'"),
    "new attribute": (node("Relu", "x", sharp=1), UnsupportedError, "attribute 'sharp'"),
    "wrong type": (node("Flatten", "x", axis=1.5), ModelError, "attribute 'axis'"),
    "squared": (node("Mul", "x", "x"), UnsupportedError, "both factors depend on the input"),
    "bilinear": (
        file(
            helper.make_node("Transpose", ["x"], ["t"]),
            helper.make_node("MatMul", ["x", "t"], ["y"]),
        ),
        UnsupportedError,
        "both factors are variable",
    ),
    "divisor": (node("Div", "w", "x"), UnsupportedError, "the divisor depends on"),
    "does not fit": (node("MatMul", "w", "x"), ModelError, "[3, 2] and [1, 3]"),
    "too few inputs": (node("Gemm", "x"), ModelError, "1 inputs, expected 2 to 3"),
    "training": (
        file(
            helper.make_node("Constant", [], ["on"], value=numpy_helper.from_array(np.array(True))),
            helper.make_node("Dropout", ["x", "", "on"], ["y"]),
        ),
        UnsupportedError,
        "training_mode is true",
    ),
    "rounding cast": (
        node("Cast", "x", to=TensorProto.FLOAT16),
        UnsupportedError,
        "from FLOAT to FLOAT16 rounds",
    ),
    "control flow": (
        node("If", "x", then_branch=BRANCH, else_branch=BRANCH),
        UnsupportedError,
        "operator 'If'",
    ),
    "reflecting pad": (
        file(
            helper.make_node("Pad", ["x", "w"], ["y"], mode="reflect"),
            tensors=[tensor([0, 1, 0, 0], np.int64)],
        ),
        UnsupportedError,
        "mode 'reflect'",
    ),
    "products of weights": (
        file(helper.make_node("MatMul", ["w", "w"], ["y"]), tensors=[tensor(np.ones((2, 2)))]),
        UnsupportedError,
        "both factors are constant",
    ),
    "training statistics": (
        file(
            helper.make_node(
                "BatchNormalization", ["x", "w", "w", "w", "w"], ["y"], training_mode=1
            ),
            tensors=[tensor([1, 1, 1])],
            opset=15,
        ),
        UnsupportedError,
        "training_mode is 1",
    ),
    "variance": (
        file(
            helper.make_node("BatchNormalization", ["x", "w", "w", "w", "w"], ["y"]),
            tensors=[tensor([-1, -1, -1])],
        ),
        UnsupportedError,
        "not positive",
    ),
    "many divisors": (
        file(
            helper.make_node("Div", ["x", "w"], ["y"]),
            shape=[1, 2000],
            tensors=[tensor(np.arange(1, 2001) + 1e-3)],
        ),
        UnsupportedError,
        "no manageable common denominator",
    ),
    "zero divisor": (
        file(helper.make_node("Div", ["x", "w"], ["y"]), tensors=[tensor([1, 0, 1])]),
        UnsupportedError,
        "division by zero",
    ),
    "overflowing constants": (
        file(
            helper.make_node("Mul", ["w", "w"], ["v"]),
            helper.make_node("Add", ["x", "v"], ["y"]),
            tensors=[tensor([1e30, 1, 1])],
        ),
        ModelError,
        "inf",
    ),
    "overflowing weights": (
        file(
            *(
                helper.make_node("Mul", [a, "w"], [b])
                for a, b in zip("xpqrstuvz", "pqrstuvzy", strict=True)
            ),
            tensors=[tensor([1e38, 1, 1])],
        ),
        ModelError,
        "too large for float64",
    ),
    "crossed limits": (
        file(helper.make_node("Clip", ["x"], ["y"], min=1.0, max=0.0), opset=9),
        UnsupportedError,
        "min 1.0 is above max 0.0",
    ),
    "outside": (
        file(
            helper.make_node("Gather", ["x", "w"], ["y"], axis=1), tensors=[tensor([3], np.int64)]
        ),
        ModelError,
        "outside the 3 entries",
    ),
    "permutation": (node("Transpose", "x", perm=[0, 0]), ModelError, "perm [0, 0]"),
    "mask": (
        file(helper.make_node("Dropout", ["x"], ["y", "mask"])),
        UnsupportedError,
        "the mask is an output",
    ),
    "old": (file(matmul(), opset=6), UnsupportedError, "operator set 6"),
    "future": (file(matmul(), opset=99), UnsupportedError, "operator set 99"),
    "custom domain": (
        file(helper.make_node("Relu", ["x"], ["y"], domain="org.example", name="here")),
        UnsupportedError,
        "of domain 'org.example'",
    ),
    "free axis": (file(matmul(), shape=[1, "n"]), UnsupportedError, "leaves axis 1 free ('n')"),
    "wide input": (file(matmul(), shape=[1, 1 << 40]), UnsupportedError, "entries"),
    "no shape": (file(matmul(), shape=None), UnsupportedError, "declares no shape"),
    "two inputs": (file(matmul(), tensors=[]), ModelError, "reads 'w', which nothing"),
    "NaN": (file(matmul(), tensors=[tensor([[np.nan] * 2] * 3)]), ModelError, "(0, 0) is nan"),
    "infinite": (file(matmul(), tensors=[tensor([[np.inf] * 2] * 3)]), ModelError, "is inf"),
    "integer weight": (
        file(matmul(), tensors=[tensor(np.ones((3, 2)), np.int64)]),
        ModelError,
        "different types: FLOAT, INT64",
    ),
    "cycle": (
        file(helper.make_node("Relu", ["y"], ["z"]), helper.make_node("Relu", ["z"], ["y"])),
        ModelError,
        "reads 'y', which nothing before it makes",
    ),
    "defined twice": (file(matmul(), matmul()), ModelError, "makes 'y' a second time"),
    "constant output": (
        node("Identity", "w"),
        UnsupportedError,
        "output 'y' does not depend on the input",
    ),
    "external data": (edited(external), UnsupportedError, "keeps its data in another file"),
    "huge weight": (edited(huge), ModelError, "shape [1099511627776, 1099511627776]"),
    "no graph": (edited(lambda m: m.ClearField("graph")), ModelError, "no graph"),
    "no operator set": (edited(lambda m: m.ClearField("opset_import")), ModelError, "operator set"),
    "function": (edited(lambda m: m.functions.add(name="f")), UnsupportedError, "has functions"),
}


@pytest.mark.parametrize("case", FILES)
def test_the_message_names_what_is_wrong(case: str) -> None:
    model, error, message = FILES[case]

    with pytest.raises(error) as refusal:
        read_onnx(model.SerializeToString())

    assert type(refusal.value) is error
    assert message in str(refusal.value)


def test_huge_results_are_refused_before_they_are_made() -> None:
    for kind in ("Expand", "ConstantOfShape"):
        inputs = ["x", "w"] if kind == "Expand" else ["w"]
        model = file(
            helper.make_node(kind, inputs, ["y"]), tensors=[tensor([1 << 30, 1 << 30, 3], np.int64)]
        )
        with pytest.raises(UnsupportedError, match="supported: from 1 to"):
            read_onnx(model.SerializeToString())


def test_a_file_is_named_in_the_message(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")

    with pytest.raises(ModelError, match=r"broken\.onnx: not an ONNX model"):
        read_onnx(path)


@given(content=st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(RefusedError):
        read_onnx(content)


@given(model=models(), share=st.floats(0, 1))
def test_truncated_models_are_read_or_refused(model: bytes, share: float) -> None:
    assert is_read_or_refused(model[: int(len(model) * share)])


@given(
    model=models(), changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4)
)
def test_changed_models_are_read_or_refused(model: bytes, changes: list[tuple[float, int]]) -> None:
    content = bytearray(model)
    for share, byte in changes:
        content[int((len(content) - 1) * share)] = byte

    assert is_read_or_refused(bytes(content))


@pytest.mark.slow
def test_changed_benchmark_networks_are_read_or_refused(data: Path) -> None:
    rng = np.random.default_rng(0)
    for file_name in ("test/onnx/test_small.onnx", "nn4sys/onnx/pensieve_small_simple.onnx"):
        original = (data / file_name).read_bytes()
        for _ in range(150):
            content = bytearray(original)
            # Structure lies at both ends; the middle is weights.
            for position in rng.integers(0, min(600, len(content)), 3):
                content[int(position) * int(rng.choice([-1, 1]))] = int(rng.integers(256))

            assert is_read_or_refused(bytes(content))


def is_read_or_refused(content: bytes) -> bool:
    """Tell whether a file is refused, or read as a network that can be evaluated."""
    try:
        graph = read_onnx(content)
    except RefusedError:
        return True
    output = evaluate_exactly(graph, (Fraction(0),) * graph.input_width)
    return is_normal_form(graph) and len(output) == graph.output_width > 0
