# SPDX-License-Identifier: Apache-2.0
"""Random ONNX models with several inputs and outputs, and their values by exact arithmetic.

The arithmetic here follows ONNX's own definitions node by node and shares nothing with the reader.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

Shape = tuple[int, ...]


def random_shape(rng: random.Random, width: int) -> Shape:
    """Return a shape with so many entries."""
    halves = [(2, width // 2), (1, width // 2, 2)] if width % 2 == 0 else []
    return rng.choice([(width,), (1, width), (width, 1), *halves])


@dataclass
class RandomModel:
    """A model.

    Attributes:
        rng: Where it comes from.
        inputs: Shapes of its inputs, ``in0`` and so on.
        shapes: The shape of each of its values.
        nodes: Operator, inputs, output and attributes of each node.
        constants: Values of its initializers.
        outputs: Names of its outputs.
        declared: A shape for each value with as many entries, for queries to declare.
    """

    rng: random.Random
    inputs: Sequence[Shape]
    shapes: dict[str, Shape] = field(default_factory=dict)
    nodes: list[tuple[str, list[str], str, dict[str, Any]]] = field(default_factory=list)
    constants: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    declared: dict[str, Shape] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make nodes."""
        self.shapes |= {f"in{i}": shape for i, shape in enumerate(self.inputs)}
        values = list(self.shapes)
        if self.rng.random() < 0.3:
            values = [self._node("Relu", [name], self.shapes[name]) for name in values]
        self.rng.shuffle(values)
        row = self._row(values)
        for _ in range(self.rng.randint(0, 2)):
            row = self.rng.choice([self._layer, self._layer, self._turned, self._skip])(row)
        for _ in range(self.rng.randint(1, 3)):
            source = self._row([row, self.rng.choice(list(self.shapes))])
            result = self._dense(source, self.rng.randint(1, 3))
            shape = random_shape(self.rng, self.shapes[result][1])
            self.outputs.append(self._shaped(result, shape))
        for name, shape in self.shapes.items():
            self.declared[name] = random_shape(self.rng, prod(shape))

    def _node(self, operator: str, inputs: list[str], shape: Shape, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append((operator, inputs, name, attributes))
        self.shapes[name] = shape
        return name

    def _constant(self, values: np.ndarray[Any, Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = values
        return name

    def _shaped(self, name: str, shape: Shape) -> str:
        return self._node("Reshape", [name, self._constant(np.array(shape, np.int64))], shape)

    def _row(self, names: Sequence[str]) -> str:
        parts = [self._shaped(name, (1, prod(self.shapes[name]))) for name in names]
        width = sum(self.shapes[part][1] for part in parts)
        return self._node("Concat", parts, (1, width), axis=1)

    def _dense(self, row: str, width: int) -> str:
        numbers = [[self.rng.randint(-2, 2) for _ in range(width)] for _ in range(self._width(row))]
        weights = self._constant(np.array(numbers, np.float32))
        return self._node("MatMul", [row, weights], (1, width))

    def _layer(self, row: str) -> str:
        dense = self._dense(row, self.rng.randint(1, 3))
        shape = self.shapes[dense]
        bias = np.array([self.rng.randint(-2, 2) / 2 for _ in range(shape[1])], np.float32)
        return self._node("Relu", [self._node("Add", [dense, self._constant(bias)], shape)], shape)

    def _turned(self, row: str) -> str:
        width = self._width(row)
        if width % 2:
            return row
        turned = self._shaped(row, (2, width // 2))
        return self._row([self._node("Transpose", [turned], (width // 2, 2), perm=[1, 0])])

    def _skip(self, row: str) -> str:
        alike = [name for name, shape in self.shapes.items() if shape == self.shapes[row]]
        return self._node("Sub", [row, self.rng.choice(alike)], self.shapes[row])

    def _width(self, row: str) -> int:
        return self.shapes[row][1]

    def content(self) -> bytes:
        """Return the file."""
        made = [helper.make_node(op, i, [o], f"n{o}", **more) for op, i, o, more in self.nodes]
        inputs, outputs = (
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, self.shapes[n]) for n in names]
            for names in ([f"in{i}" for i in range(len(self.inputs))], self.outputs)
        )
        constants = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(made, "random", inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())

    def values(self, inputs: Sequence[Sequence[Fraction]]) -> dict[str, list[Fraction]]:
        """Return the entries of each value, in row-major order."""
        known: dict[str, Any] = {name: _exact(value) for name, value in self.constants.items()}
        for i, (shape, entries) in enumerate(zip(self.inputs, inputs, strict=True)):
            known[f"in{i}"] = np.array([*entries, None], object)[:-1].reshape(shape)
        for operator, names, output, attributes in self.nodes:
            known[output] = _computed(operator, [known[name] for name in names], attributes)
        return {name: list(known[name].ravel()) for name in self.shapes}


def _exact(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if value.dtype == np.int64:
        return value
    exact = np.array([*map(Fraction, value.ravel().tolist()), None], object)
    return exact[:-1].reshape(value.shape)


def _computed(operator: str, values: list[Any], attributes: dict[str, Any]) -> Any:
    first, *others = values
    computed: dict[str, Callable[[], Any]] = {
        "Relu": lambda: np.where(first > 0, first, first * 0),
        "Reshape": lambda: first.reshape(others[0]),
        "Concat": lambda: np.concatenate(values, axis=attributes["axis"]),
        "Transpose": lambda: first.transpose(attributes["perm"]),
        "MatMul": lambda: first.dot(others[0]),
        "Add": lambda: first + others[0],
        "Sub": lambda: first - others[0],
    }
    return computed[operator]()
