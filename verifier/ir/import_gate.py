# SPDX-License-Identifier: Apache-2.0
"""Hold a graph that was read from a model against onnxruntime running that model.

The reader and everything behind it could misread a file consistently; onnxruntime shares no code
with them. At sample points both must agree up to rounding, and how much rounding may do is derived
(``onnx_rounding``), not guessed:

    |runtime - exact model| <= running error of the model's own operations, in the model's type
    |float64 - exact graph| <= running error of the graph's operations, in float64

If the graph is the model, the two results differ by at most the sum. A transposed weight, a
dropped bias or a wrong axis is off by far more at some point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import ModelError, UnsupportedError
from verifier.ir.onnx_lowering import lower
from verifier.ir.onnx_model import Edge, Model, parse
from verifier.ir.onnx_rounding import Rounded
from verifier.ir.onnx_values import Element
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from verifier.ir.graph import Graph

# Points of several magnitudes: a network often expects inputs of one of them, and says not which.
_SCALES = (1.0, 0.1, 10.0)


def check_against_onnxruntime(
    model_bytes: bytes,
    graph: Graph,
    *,
    samples: int = 4,
    seed: int = 0,
    box: tuple[Sequence[Fraction], Sequence[Fraction]] | None = None,
) -> None:
    """Check that the graph computes what onnxruntime computes, at random points.

    Args:
        model_bytes: The ONNX file that the graph was read from.
        graph: What was read from it.
        samples: Number of points.
        seed: Seed of the random points.
        box: Lower and upper ends of the inputs to sample; by default several boxes around 0.

    Raises:
        ModelError: They differ by more than rounding can explain, or onnxruntime refuses the
            model. The message says where.
        UnsupportedError: The model cannot be read, or is too deep for its precision for any
            comparison to mean something.
    """
    model = parse(model_bytes)
    if model.source.shape != graph.input_shape:
        msg = f"the model's input is {model.source.shape}, the graph's {graph.input_shape}"
        raise ModelError(msg)
    points = _points(model.source, samples, seed, box)
    ours = _in_float64(graph, points)
    theirs = _runtime(model_bytes, model, points)
    if theirs.shape != ours.value.shape:
        msg = f"onnxruntime gives {theirs.shape[1]} outputs, the graph {ours.value.shape[1]}"
        raise ModelError(msg)
    _compare(points, ours.value, theirs, ours.total_error() + _rounding(model, points))


def _compare(
    points: NDArray[np.float64],
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    allowed: NDArray[np.float64],
) -> None:
    if not np.all(np.isfinite(allowed)):
        msg = "the network is too deep for its precision: rounding leaves nothing to compare"
        raise UnsupportedError(msg)
    # Written so that a NaN of the runtime's is a difference.
    wrong = ~(np.abs(theirs - ours) <= allowed)
    if wrong.any():
        sample, output = (int(i) for i in np.argwhere(wrong)[0])
        msg = (
            f"the graph and onnxruntime differ at {points[sample].tolist()[:8]}...: output "
            f"{output} is {ours[sample, output]!r} against {theirs[sample, output]!r}, and "
            f"rounding explains at most {allowed[sample, output]:.3g}"
        )
        raise ModelError(msg)


def _rounding(model: Model, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much a runtime may be off from the exact model, for each point and output."""
    source = Rounded.at(points, model.source.shape, model.source.element)
    output = lower(model, source, _ignore)
    if not isinstance(output, Rounded):
        msg = "the output is of another kind than the input"
        raise TypeError(msg)
    return output.total_error()


def _ignore(label: str) -> None:
    """Take no notice of which node is being lowered."""


def _points(
    source: Edge, samples: int, seed: int, box: tuple[Sequence[Fraction], Sequence[Fraction]] | None
) -> NDArray[np.float64]:
    """Return points that the input's type holds exactly."""
    width = int(np.prod(source.shape))
    unit = np.random.default_rng(seed).uniform(-1, 1, (samples, width))
    if box is None:
        scales = np.array([_SCALES[i % len(_SCALES)] for i in range(samples)])
        points = unit * scales[:, None]
    else:
        lower, upper = (np.array([float(v) for v in end]) for end in box)
        points = lower + (upper - lower) * (unit + 1) / 2
    return np.array(points.astype(source.element.dtype), dtype=np.float64)


def _in_float64(graph: Graph, points: NDArray[np.float64]) -> Rounded:
    """Evaluate the graph with a bound on float64's rounding."""
    values: list[Rounded] = []
    for node in graph.nodes:
        inputs = [values[i] for i in node.inputs]
        match node.operator:
            case Input():
                value = Rounded.at(points, (1, node.width), Element.DOUBLE)
            case Affine(weights, bias):
                value = Rounded.at(np.zeros((len(points), node.width)), bias.shape, Element.DOUBLE)
                for weight, source in zip(weights, inputs, strict=True):
                    transposed = RationalArray(weight.numerators.T, weight.denominator)
                    value = value.plus(source.matmul(transposed))
                value = value.shifted(bias).take(np.arange(node.width).reshape((1, -1)))
            case Relu():
                value = inputs[0].relu()
        values.append(value)
    return values[-1]


def _runtime(model_bytes: bytes, model: Model, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what onnxruntime computes, without rewriting the graph, one point at a time."""
    # Imported here: reading a model must not wait for a runtime that only this check needs.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model_bytes, options, providers=["CPUExecutionProvider"]
        )
        source = model.source
        rows = [
            session.run(
                [model.output_name],
                {source.name: point.astype(source.element.dtype).reshape(source.shape)},
            )[0]
            for point in points
        ]
    except _runtime_errors() as error:
        msg = f"onnxruntime refuses the model: {error}"
        raise ModelError(msg) from error
    return np.array([np.asarray(row, dtype=np.float64).ravel() for row in rows])


def _runtime_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = (
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NoSuchFile",
        "NotImplemented",
        "RuntimeException",
    )
    return (RuntimeError, ValueError, *(getattr(state, name) for name in names))
