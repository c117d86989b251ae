# SPDX-License-Identifier: Apache-2.0
"""What a network computes at a point: exactly, and in plain float64.

``evaluate_exactly`` is the reference for everything else: counterexamples are replayed with it and
soundness tests compare against it. A vector is kept as Python integers over one common
denominator, so a layer is integer dot products and no entry ever needs a gcd of its own; with
dyadic weights the denominator stays a power of two.

``evaluate`` is ordinary floating point, for sampling and attacks. It proves nothing.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from verifier.ir.operators import Affine, Input, Relu

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from verifier.ir.graph import Graph


class _Vector(NamedTuple):
    """``numerators / denominator``, one denominator for all entries."""

    numerators: NDArray[Any]
    denominator: int

    def fractions(self) -> tuple[Fraction, ...]:
        return tuple(Fraction(n, self.denominator) for n in self.numerators.tolist())


def evaluate_exactly(graph: Graph, point: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Return the network's output at ``point`` in exact arithmetic.

    Raises:
        ValueError: ``point`` has not one entry for each input.
    """
    *_, output = _values(graph, point)
    return output.fractions()


def preactivations_exactly(graph: Graph, point: Sequence[Fraction]) -> list[tuple[Fraction, ...]]:
    """Return what each ReLU layer reads at ``point``, exactly, in the order of ``graph.relus``.

    Raises:
        ValueError: ``point`` has not one entry for each input.
    """
    values = list(_values(graph, point))
    return [values[graph.nodes[relu].inputs[0]].fractions() for relu in graph.relus]


def _values(graph: Graph, point: Sequence[Fraction]) -> Iterator[_Vector]:
    """Yield the exact value of each node, in graph order."""
    values: list[_Vector] = []
    for node in graph.nodes:
        inputs = [values[i] for i in node.inputs]
        match node.operator:
            case Input():
                value = _vector(graph, point)
            case Affine() as affine:
                value = _affine(affine, inputs)
            case Relu():
                value = _Vector(np.maximum(inputs[0].numerators, 0), inputs[0].denominator)
        values.append(value)
        yield value


def _vector(graph: Graph, point: Sequence[Fraction]) -> _Vector:
    if len(point) != graph.input_width:
        msg = f"the point has {len(point)} entries, the network {graph.input_width} inputs"
        raise ValueError(msg)
    fractions = [Fraction(value) for value in point]
    denominator = lcm(*(f.denominator for f in fractions))
    return _Vector(
        _integers(f.numerator * (denominator // f.denominator) for f in fractions), denominator
    )


def _affine(affine: Affine, inputs: list[_Vector]) -> _Vector:
    products = [
        (weight.numerators.dot(vector.numerators), weight.denominator * vector.denominator)
        for weight, vector in zip(affine.weights, inputs, strict=True)
    ]
    terms = [*products, (affine.bias.numerators, affine.bias.denominator)]
    denominator = lcm(*(d for _, d in terms))
    numerators = sum((n if d == denominator else n * (denominator // d)) for n, d in terms)
    return _Vector(np.asarray(numerators, dtype=object), denominator)


def _integers(values: Iterator[int]) -> NDArray[Any]:
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


def evaluate(graph: Graph, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the outputs of a batch of points in float64, without any guarantee on rounding.

    Args:
        graph: The network.
        points: Shape (batch, input width).

    Returns:
        Shape (batch, output width).

    Raises:
        ValueError: ``points`` has another shape.
    """
    if points.ndim != 2 or points.shape[1] != graph.input_width:
        msg = f"points have shape {points.shape}, not (batch, {graph.input_width})"
        raise ValueError(msg)
    values: list[NDArray[np.float64]] = []
    for node in graph.nodes:
        match node.operator:
            case Input():
                value = np.asarray(points, dtype=np.float64)
            case Affine(weights, bias):
                value = np.broadcast_to(bias.approximate, (len(points), node.width))
                for weight, position in zip(weights, node.inputs, strict=True):
                    value = value + values[position] @ weight.approximate.T
            case Relu():
                value = np.maximum(values[node.inputs[0]], 0.0)
        values.append(value)
    return np.array(values[-1])
