# SPDX-License-Identifier: Apache-2.0
"""A counterexample is what exact arithmetic says it is, and a replay in floats hides nothing."""

from __future__ import annotations

import csv
import json
import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests import oracles
from tests.generators import boxes, networks, points_in, properties
from verifier.errors import ModelError, PropertyError, UnsupportedError
from verifier.ir.evaluate import evaluate_exactly
from verifier.spec.counterexample import (
    Counterexample,
    Replay,
    is_inside,
    nearest_floats_inside,
    replay_exactly,
    replay_in_onnxruntime,
    violates,
)
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.spec.vnnlib_reader import check_fits, parse_vnnlib, read_vnnlib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE_TO_ONE = """
(declare-const X_0 Real) (declare-const Y_0 Real)
(assert (>= X_0 0)) (assert (<= X_0 {upper})) (assert (>= Y_0 {threshold}))
"""


def _model(
    float_type: int = TensorProto.FLOAT,
    operator: str = "Relu",
    shape: tuple[int | str, ...] = ("batch", 1),
    outputs: tuple[str, ...] = ("y",),
) -> bytes:
    """Return a model ``y = operator(x)``."""
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], [name]) for name in outputs],
        "g",
        [helper.make_tensor_value_info("x", float_type, shape)],
        [helper.make_tensor_value_info(name, float_type, shape) for name in outputs],
    )
    opsets = [helper.make_opsetid("", 17)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return bytes(model.SerializeToString())


def _property(upper: str = "1", threshold: str = "0.5") -> Property:
    return parse_vnnlib(ONE_TO_ONE.format(upper=upper, threshold=threshold))


@given(data=st.data())
def test_exact_replay_agrees_with_the_oracle(data: st.DataObject) -> None:
    network = data.draw(networks())
    prop = data.draw(properties(network))
    point = data.draw(points_in(data.draw(st.sampled_from(prop.cases)).box))

    found = replay_exactly(network, prop, point)

    assert (found is not None) == oracles.violates(prop, network, point)
    if found is not None:
        assert found == Counterexample(point, evaluate_exactly(network, point))


@given(data=st.data())
def test_a_property_of_another_width_is_refused(data: st.DataObject) -> None:
    network = data.draw(networks())
    box = InputBox((Fraction(0),) * network.input_width, (Fraction(1),) * network.input_width)
    more_inputs = Property(network.input_width + 1, network.output_width, ())
    more_outputs = Property(network.input_width, network.output_width + 1, (Case(box, ()),))

    check_fits(Property(network.input_width, network.output_width, ()), network)
    with pytest.raises(PropertyError, match=r"declares \d+ inputs, the network has \d+"):
        replay_exactly(network, more_inputs, box.lower)
    with pytest.raises(PropertyError, match=r"declares \d+ outputs, the network has \d+"):
        replay_exactly(network, more_outputs, box.lower)


def test_a_point_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="the point has 2 inputs and 1 outputs, the property 1"):
        violates(_property(), [Fraction(0)] * 2, [Fraction(0)])
    with pytest.raises(PropertyError, match="the point has 2 inputs, the property 1"):
        replay_in_onnxruntime(_model(), _property(), [Fraction(0)] * 2)


def test_strict_constraints_exclude_equality() -> None:
    box = InputBox((Fraction(0),), (Fraction(1),))
    third = Fraction(1, 3)
    for strict in (False, True):
        constraint = LinearConstraint(((0, Fraction(2)),), ((0, Fraction(-1)),), third, strict)
        prop = Property(1, 1, (Case(box, (constraint,)),))

        assert violates(prop, [third], [third]) == (not strict)
        assert violates(prop, [third], [third + Fraction(1, 10**30)])


def test_both_runs_are_reported() -> None:
    runs = replay_in_onnxruntime(_model(), _property(), [Fraction(3, 4)])

    assert [run.is_optimised for run in runs] == [False, True]
    for run in runs:
        assert run.runtime.startswith("onnxruntime ")
        assert (run.float_type, run.input, run.output) == ("float32", (0.75,), (0.75,))
        assert (run.inside_box, run.is_violated, run.deviation) == (True, True, 0.0)
        assert run.problem == ""


def test_rounding_out_of_the_box_is_reported() -> None:
    types = {
        "float16": TensorProto.FLOAT16,
        "float32": TensorProto.FLOAT,
        "float64": TensorProto.DOUBLE,
    }
    seen = set()
    for name, float_type in types.items():
        for upper in ("0.6", "0.7", "0.8", "0.9"):
            inside = Fraction(float(np.dtype(name).type(upper))) <= Fraction(upper)
            seen.add((name, inside))

            runs = replay_in_onnxruntime(_model(float_type), _property(upper), [Fraction(upper)])

            assert [run.float_type for run in runs] == [name, name]
            assert [run.inside_box for run in runs] == [inside, inside]
            assert [run.is_violated for run in runs] == [inside, inside]
    assert len(seen) == 6, seen


@given(data=st.data(), float_type=st.sampled_from(["float16", "float32", "float64"]))
def test_the_nearest_floats_inside_are_inside_and_nearest(
    data: st.DataObject, float_type: str
) -> None:
    wide = data.draw(boxes(2))
    sevenths = InputBox(*(tuple(v / 7 for v in side) for side in (wide.lower, wide.upper)))
    point = data.draw(points_in(sevenths))

    rounded = nearest_floats_inside(sevenths, point, float_type)

    if rounded is None:
        thin = [
            u - low < Fraction(1, 100)
            for low, u in zip(sevenths.lower, sevenths.upper, strict=True)
        ]
        assert any(thin)
        return
    assert is_inside(sevenths, rounded)
    for i, (value, given_value) in enumerate(zip(rounded, point, strict=True)):
        plain = Fraction(float(np.float64(float(given_value)).astype(float_type)))
        assert Fraction(float(np.dtype(float_type).type(float(value)))) == value
        if sevenths.lower[i] <= plain <= sevenths.upper[i]:
            assert abs(value - given_value) <= abs(plain - given_value)


def test_a_side_without_floats_has_no_nearest() -> None:
    third = InputBox((Fraction(1, 3),), (Fraction(1, 3),))
    huge = InputBox((Fraction(10**50),), (Fraction(10**50),))

    assert nearest_floats_inside(third, third.lower) is None
    assert nearest_floats_inside(huge, huge.lower) is None


def test_an_output_that_is_not_finite_is_a_problem_and_no_violation() -> None:
    for operator, x, shown in [("Sqrt", -1, "nan"), ("Reciprocal", 0, "inf")]:
        prop = parse_vnnlib(
            ONE_TO_ONE.format(upper="1", threshold="0").replace(">= X_0 0", ">= X_0 -1")
        )

        runs = replay_in_onnxruntime(_model(operator=operator), prop, [Fraction(x)])

        for run in runs:
            assert run.problem == f"output Y_0 is {shown}"
            assert not run.is_violated
            assert json.loads(json.dumps(run.json(), allow_nan=False))["output"] == [shown]


def test_a_model_of_another_output_width_is_a_problem() -> None:
    prop = parse_vnnlib("(declare-const Y_1 Real)" + ONE_TO_ONE.format(upper="1", threshold="0"))

    runs = replay_in_onnxruntime(_model(), prop, [Fraction(1)])

    assert {run.problem for run in runs} == {"the model has 1 outputs, the property 2"}
    assert not any(run.is_violated for run in runs)


def test_models_that_cannot_be_replayed_are_refused() -> None:
    prop, point = _property(), [Fraction(1)]

    with pytest.raises(ModelError, match="onnxruntime cannot load the model"):
        replay_in_onnxruntime(b"no model", prop, point)
    with pytest.raises(UnsupportedError, match="1 inputs and 2 outputs"):
        replay_in_onnxruntime(_model(outputs=("y", "z")), prop, point)
    with pytest.raises(UnsupportedError, match=r"input 'x' is a tensor\(int32\)"):
        replay_in_onnxruntime(_model(TensorProto.INT32, "Abs"), prop, point)
    with pytest.raises(
        PropertyError, match=r"the point has 1 inputs, the model's input 'x' \[1, 2\]"
    ):
        replay_in_onnxruntime(_model(shape=(1, 2)), prop, point)
    with pytest.raises(PropertyError, match="input X_0 is beyond the range of float32"):
        replay_in_onnxruntime(_model(), prop, [Fraction(10**39)])


def test_a_run_that_fails_is_reported() -> None:
    # The shapes fit when the model is loaded and clash when it runs.
    shape = numpy_helper.from_array(np.array([7], dtype=np.int64), "shape")
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("batch",))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (7,))],
        [shape],
    )
    opsets = [helper.make_opsetid("", 17)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=9)

    runs = replay_in_onnxruntime(model.SerializeToString(), _property(), [Fraction(1)])

    for run in runs:
        assert "Reshape" in run.problem
        assert (run.output, run.is_violated) == ((), False)
        assert math.isnan(run.deviation)


def test_a_counterexample_is_confirmed_only_by_all_runs() -> None:
    def run(*, is_violated: bool) -> Replay:
        return Replay("r", False, "float32", (0.1,), (1.0,), True, is_violated, 0.0)

    point = (Fraction(1, 10),)

    for runs, confirmed in [
        ((), False),
        ((run(is_violated=True),), True),
        ((run(is_violated=True), run(is_violated=False)), False),
    ]:
        assert Counterexample(point, point, runs).is_confirmed_in_floats == confirmed


def test_the_json_form_keeps_rationals_exact() -> None:
    runs = tuple(replay_in_onnxruntime(_model(), _property(), [Fraction(2, 3)]))
    found = Counterexample((Fraction(2, 3),), (Fraction(2, 3),), runs)

    document = json.loads(json.dumps(found.json(), allow_nan=False))

    assert document["input"] == document["output"] == ["2/3"]
    assert document["replay"][0]["input"] == [float(np.float32(2 / 3))]
    assert document["replay"][1]["is_optimised"] is True


def _published(data: Path) -> Iterator[tuple[bytes, Property, list[Fraction]]]:
    folder = data / "acasxu"
    with (folder / "counterexamples.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            point = [Fraction(text) for text in row["x"].split()]
            yield (folder / row["onnx"]).read_bytes(), read_vnnlib(folder / row["vnnlib"]), point


@pytest.mark.slow
def test_published_counterexamples_lie_in_the_box_and_are_confirmed_inside(data: Path) -> None:
    count = 0
    for model, prop, point in _published(data):
        box = next(case.box for case in prop.cases if is_inside(case.box, point))
        inside = nearest_floats_inside(box, point)
        assert inside is not None

        runs = replay_in_onnxruntime(model, prop, inside)

        assert all(run.inside_box and run.is_violated for run in runs), point
        count += 1
    assert count > 40
