# SPDX-License-Identifier: Apache-2.0
"""Counterexamples, and their replay.

A verdict speaks of real arithmetic, so what makes a point a counterexample is its *exact* output.
A deployed network computes in floats instead, on an input rounded to floats: a point on the
border of the box can leave it by rounding, and an output at its threshold can fall on the other
side. So a replay says separately whether the rounded input is still inside a box, whether the
floats as computed violate the property (compared exactly, without tolerance), and by how much the
run with graph optimisations differs from the run without. It reports; it never repairs a point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.errors import ModelError, PropertyError, UnsupportedError
from verifier.ir.evaluate import evaluate_exactly
from verifier.spec.vnnlib_reader import check_fits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from verifier.ir.graph import Graph
    from verifier.spec.property import InputBox, LinearConstraint, Property

_FLOAT_TYPES: dict[str, np.dtype[np.floating[Any]]] = {
    "tensor(float16)": np.dtype(np.float16),
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
}


@dataclass(frozen=True)
class Replay:
    """One run of the network in floats.

    Attributes:
        runtime: What ran it, with its version.
        is_optimised: Whether the runtime rewrote the graph first.
        float_type: ``float16``, ``float32`` or ``float64``.
        input: The input as it was fed, so after rounding.
        output: What came out, possibly NaN or infinite; empty if the run failed.
        inside_box: Whether ``input`` is inside the box of some case.
        is_violated: Whether ``input`` and ``output``, taken as exact, violate the property.
        deviation: Largest absolute difference from the first run's output; 0 for the first run,
            infinite or NaN where an output is not finite and differs, NaN where a run failed.
        problem: What went wrong; empty if nothing.
    """

    runtime: str
    is_optimised: bool
    float_type: str
    input: tuple[float, ...]
    output: tuple[float, ...]
    inside_box: bool
    is_violated: bool
    deviation: float
    problem: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Replay:
        """Return the replay that ``json`` has written."""
        fields = {name: document[name] for name in cls.__dataclass_fields__}
        numbers = {name: tuple(map(float, document[name])) for name in ("input", "output")}
        return cls(**(fields | numbers | {"deviation": float(document["deviation"])}))

    def json(self) -> dict[str, Any]:
        """Return the replay as JSON values; floats that JSON lacks become strings."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return fields | {
            "input": [_json_float(value) for value in self.input],
            "output": [_json_float(value) for value in self.output],
            "deviation": _json_float(self.deviation),
        }


@dataclass(frozen=True)
class Counterexample:
    """A point that violates a property in exact arithmetic.

    Attributes:
        input: The point.
        output: The network's exact output there.
        replay: Runs of the network in floats at that point, if any were made.
    """

    input: tuple[Fraction, ...]
    output: tuple[Fraction, ...]
    replay: tuple[Replay, ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Counterexample:
        """Return the counterexample that ``json`` has written."""
        return cls(
            tuple(map(Fraction, document["input"])),
            tuple(map(Fraction, document["output"])),
            tuple(map(Replay.of, document["replay"])),
        )

    @property
    def is_confirmed_in_floats(self) -> bool:
        """Whether there were runs in floats, and the property is violated in every one."""
        return bool(self.replay) and all(run.is_violated for run in self.replay)

    def json(self) -> dict[str, Any]:
        """Return the counterexample as JSON values, rationals as ``"p/q"``."""
        return {
            "input": [str(value) for value in self.input],
            "output": [str(value) for value in self.output],
            "replay": [run.json() for run in self.replay],
        }


def is_inside(box: InputBox, x: Sequence[Fraction]) -> bool:
    """Whether a point of the right width is in a box."""
    sides = zip(box.lower, x, box.upper, strict=True)
    return all(lower <= value <= upper for lower, value, upper in sides)


def nearest_floats_inside(
    box: InputBox, x: Sequence[Fraction], float_type: str = "float32"
) -> tuple[Fraction, ...] | None:
    """Return the floats of a box that are nearest to a point of it, one input at a time.

    Plain rounding can leave the box, and then a replay says nothing about the property. Nothing
    is returned where some side of the box has no float between its ends.
    """
    rounded = [
        _nearest_between(lower, value, upper, np.dtype(float_type))
        for lower, value, upper in zip(box.lower, x, box.upper, strict=True)
    ]
    inside = tuple(value for value in rounded if value is not None)
    return inside if len(inside) == len(rounded) else None


def _nearest_between(
    lower: Fraction, value: Fraction, upper: Fraction, dtype: np.dtype[Any]
) -> Fraction | None:
    largest = Fraction(float(np.finfo(dtype).max))
    middle = np.array(float(max(-largest, min(value, largest)))).astype(dtype)
    with np.errstate(all="ignore"):  # The neighbour of the largest or smallest float is no error.
        around = (middle, *(np.nextafter(middle, dtype.type(end)) for end in (-np.inf, np.inf)))
    floats = [Fraction(float(number)) for number in around if np.isfinite(number)]
    inside = [number for number in floats if lower <= number <= upper]
    return min(inside, key=lambda number: abs(number - value), default=None)


def violates(prop: Property, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
    """Whether input ``x`` with output ``y`` is a violation, decided exactly.

    Raises:
        ValueError: ``x`` or ``y`` has another width than the property.
    """
    if (len(x), len(y)) != (prop.input_width, prop.output_width):
        msg = (
            f"the point has {len(x)} inputs and {len(y)} outputs, "
            f"the property {prop.input_width} and {prop.output_width}"
        )
        raise ValueError(msg)
    inside: dict[int, bool] = {}
    for case in prop.cases:
        # Cases share boxes; a box with thousands of entries is compared once.
        if id(case.box) not in inside:
            inside[id(case.box)] = is_inside(case.box, x)
        if inside[id(case.box)] and all(is_met(c, x, y) for c in case.constraints):
            return True
    return False


def is_met(constraint: LinearConstraint, x: Sequence[Fraction], y: Sequence[Fraction]) -> bool:
    """Whether a row holds at input ``x`` with output ``y``."""
    value = sum((c * x[i] for i, c in constraint.inputs), Fraction())
    value += sum((c * y[j] for j, c in constraint.outputs), Fraction())
    return value < constraint.bound if constraint.strict else value <= constraint.bound


def replay_exactly(graph: Graph, prop: Property, x: Sequence[Fraction]) -> Counterexample | None:
    """Return the counterexample at ``x``, or nothing if the property is not violated there.

    Raises:
        PropertyError: The property does not fit the network.
        ValueError: ``x`` has another width than the network's input.
    """
    check_fits(prop, graph)
    point = tuple(Fraction(value) for value in x)
    output = evaluate_exactly(graph, point)
    return Counterexample(point, output) if violates(prop, point, output) else None


def replay_in_onnxruntime(
    model_bytes: bytes, prop: Property, x: Sequence[Fraction]
) -> list[Replay]:
    """Run a model at ``x``, first without and then with graph optimisations.

    The input is rounded to the nearest floats of the model's input type. A run that fails is
    reported as a ``problem``, because a failure of only one of the two is worth knowing.

    Raises:
        PropertyError: ``x`` does not fit the model or the property, or is beyond the range of the
            model's floats.
        UnsupportedError: The model has several inputs or outputs, or an input that is no float.
        ModelError: onnxruntime loads the model neither with nor without optimisations.
    """
    return replay_side_by_side([(model_bytes, range(len(x)))], prop, x)


def replay_side_by_side(
    models: Sequence[tuple[bytes, Sequence[int]]], prop: Property, x: Sequence[Fraction]
) -> list[Replay]:
    """Run several models, each at its entries of ``x``; their outputs make up a row.

    Raises:
        PropertyError: As ``replay_in_onnxruntime`` does.
        UnsupportedError: Likewise, or the models take inputs of different types.
        ModelError: Likewise.
    """
    if len(x) != prop.input_width:
        msg = f"the point has {len(x)} inputs, the property {prop.input_width}"
        raise PropertyError(msg)
    pairs = [[_session(model, is_optimised=flag) for flag in (False, True)] for model, _ in models]
    points: list[NDArray[Any]] = []
    for sessions, (_, entries) in zip(pairs, models, strict=True):
        loaded = [session for session in sessions if not isinstance(session, str)]
        if not loaded:
            msg = f"onnxruntime cannot load the model: {sessions[0]}"
            raise ModelError(msg)
        points.append(_rounded(loaded[0], [x[i] for i in entries]))
    types = {point.dtype for point in points}
    if len(types) != 1:
        msg = f"the models take inputs of types {sorted(map(str, types))}; supported: one for all"
        raise UnsupportedError(msg)
    whole = np.zeros(len(x), types.pop())
    for point, (_, entries) in zip(points, models, strict=True):
        whole[list(entries)] = point.ravel()
    runs: list[Replay] = []
    for is_optimised in (False, True):
        ran = [_run(pair[is_optimised], at) for pair, at in zip(pairs, points, strict=True)]
        output = np.concatenate([values for values, _ in ran])
        problem = next((problem for _, problem in ran if problem), "")
        first = np.array(runs[0].output) if runs else output
        runs.append(_replay(prop, whole, output, first, problem, is_optimised=is_optimised))
    return runs


def _session(model_bytes: bytes, *, is_optimised: bool) -> Any:
    """Return a session, or the message with which the runtime refused the model."""
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if is_optimised else levels.ORT_DISABLE_ALL
    )
    options.log_severity_level = 4  # The message comes back as the exception.
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(
            model_bytes, options, providers=["CPUExecutionProvider"]
        )
    except _runtime_errors() as error:
        return str(error)


def _runtime_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    # The binding's own exceptions derive from Exception directly.
    own = (value for value in vars(state).values() if isinstance(value, type))
    return (RuntimeError, ValueError, *(e for e in own if issubclass(e, Exception)))


def _rounded(session: Any, x: Sequence[Fraction]) -> NDArray[Any]:
    """Return the point as the array that the session takes."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        msg = f"the model has {len(inputs)} inputs and {len(outputs)} outputs; supported: one each"
        raise UnsupportedError(msg)
    float_type = _FLOAT_TYPES.get(inputs[0].type)
    if float_type is None:
        msg = (
            f"input {inputs[0].name!r} is a {inputs[0].type}; supported: {', '.join(_FLOAT_TYPES)}"
        )
        raise UnsupportedError(msg)
    # Symbolic axes come as names or None; they are batch axes, so 1.
    shape = [axis if isinstance(axis, int) else 1 for axis in inputs[0].shape]
    if math.prod(shape) != len(x):
        msg = f"the point has {len(x)} inputs, the model's input {inputs[0].name!r} {shape}"
        raise PropertyError(msg)
    largest = Fraction(float(np.finfo(float_type).max))
    for i, value in enumerate(x):
        if abs(value) > largest:
            msg = f"input X_{i} is beyond the range of {float_type.name}"
            raise PropertyError(msg)
    return np.array([float(value) for value in x]).astype(float_type).reshape(shape)


def _run(session: Any, point: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Return the flattened output and, if the run failed, why."""
    nothing: NDArray[Any] = np.array([])
    if isinstance(session, str):
        return nothing, session
    try:
        (output,) = session.run(None, {session.get_inputs()[0].name: point})
    except _runtime_errors() as error:
        return nothing, str(error)
    return np.ravel(output), ""


def _replay(
    prop: Property,
    point: NDArray[Any],
    output: NDArray[Any],
    first: NDArray[Any],
    problem: str,
    *,
    is_optimised: bool,
) -> Replay:
    import onnxruntime

    x = [Fraction(float(value)) for value in point.ravel()]
    values = [float(value) for value in output]
    if not problem and len(values) != prop.output_width:
        problem = f"the model has {len(values)} outputs, the property {prop.output_width}"
    if not problem and not all(map(math.isfinite, values)):
        worst = next(j for j, value in enumerate(values) if not math.isfinite(value))
        problem = f"output Y_{worst} is {values[worst]}"
    return Replay(
        runtime=f"onnxruntime {onnxruntime.__version__}",
        is_optimised=is_optimised,
        float_type=point.dtype.name,
        input=tuple(float(value) for value in point.ravel()),
        output=tuple(values),
        inside_box=any(
            is_inside(box, x) for box in {id(c.box): c.box for c in prop.cases}.values()
        ),
        is_violated=not problem and violates(prop, x, [Fraction(value) for value in values]),
        deviation=_deviation(values, [float(value) for value in first]),
        problem=problem,
    )


def _deviation(values: list[float], first: list[float]) -> float:
    if len(values) != len(first) or not values:
        return math.nan
    gaps = [0.0 if a == b else abs(a - b) for a, b in zip(values, first, strict=True)]
    return math.nan if any(map(math.isnan, gaps)) else max(gaps)


def _json_float(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
