# SPDX-License-Identifier: Apache-2.0
"""Write a graph as an ONNX file that means exactly the same network.

Every Affine is one Gemm, after a Concat where it has skip edges; every Relu is a Relu. Weights are
stored in the asked type only if it holds every one of them exactly: a file that silently rounds is
another network, and a proof of this one would say nothing about it. So reading the file gives back
the same weights, and the same fingerprint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from verifier.ir.operators import Affine, Relu
from verifier.ir.passes.normalize import normalize
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verifier.ir.graph import Graph, Node

_OPSET = 13
_IR_VERSION = 8
_ELEMENTS = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


def write_onnx(graph: Graph, dtype: Literal["float32", "float64"] = "float32") -> bytes:
    """Return the network as an ONNX file, names and shapes of input and output kept.

    Raises:
        ValueError: A weight has no exact value of that type, or the input and output share a name.
    """
    if graph.input_name == graph.output_name:
        msg = f"input and output are both named {graph.input_name!r}"
        raise ValueError(msg)
    return _Writer(normalize(graph), dtype).bytes()


class _Writer:
    """The nodes and initializers written so far."""

    def __init__(self, graph: Graph, dtype: Literal["float32", "float64"]) -> None:
        self._graph = graph
        self._dtype = dtype
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[TensorProto] = []
        self._names = {graph.input_name, graph.output_name}

    def bytes(self) -> bytes:
        """Write all nodes and return the file."""
        graph = self._graph
        last = len(graph.nodes) - 1
        width = graph.input_width
        first = graph.input_name
        if graph.input_shape != (1, width):
            first = self._reshape(first, (1, width), self._fresh("flat"))
        values = [first]
        for position, node in enumerate(graph.nodes[1:], start=1):
            plain = position == last and graph.output_shape == (1, node.width)
            output = graph.output_name if plain else self._fresh(f"value{position}")
            self._write(node, [values[i] for i in node.inputs], output)
            values.append(output)
        if values[-1] != graph.output_name:
            self._reshape(values[-1], graph.output_shape, graph.output_name)
        element = _ELEMENTS[self._dtype]
        proto = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info(graph.input_name, element, graph.input_shape)],
            [helper.make_tensor_value_info(graph.output_name, element, graph.output_shape)],
            self._initializers,
        )
        model = helper.make_model(
            proto, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        return bytes(model.SerializeToString(deterministic=True))

    def _write(self, node: Node, inputs: list[str], output: str) -> None:
        if isinstance(node.operator, Relu):
            self._node("Relu", inputs, output, name=node.name)
            return
        if not isinstance(node.operator, Affine):
            msg = f"node {node.name!r} is a second input"
            raise TypeError(msg)
        if len(inputs) > 1:
            joined = self._fresh(f"{output}.inputs")
            self._node("Concat", inputs, joined, axis=1)
            inputs = [joined]
        blocks = [self._floats(weight, node) for weight in node.operator.weights]
        weight = self._initializer(np.concatenate(blocks, axis=1), f"{output}.weight")
        bias = self._initializer(self._floats(node.operator.bias, node), f"{output}.bias")
        self._node("Gemm", [inputs[0], weight, bias], output, name=node.name, transB=1)

    def _floats(self, array: RationalArray, node: Node) -> NDArray[Any]:
        """Return the array in the asked type, exactly."""
        with np.errstate(over="ignore"):
            floats = array.approximate.astype(self._dtype)
        if not np.all(np.isfinite(floats)):
            msg = f"node {node.name!r}: a weight is too large for {self._dtype}"
            raise ValueError(msg)
        back = RationalArray.from_floats(floats)
        difference = array.numerators * back.denominator - back.numerators * array.denominator
        if difference.any():
            largest = max(abs(int(n)) for n in difference.ravel())
            deviation = largest / (array.denominator * back.denominator)
            msg = (
                f"node {node.name!r}: {np.count_nonzero(difference)} weights have no exact "
                f"{self._dtype} value; the largest deviation is {deviation:.3g}"
            )
            if self._dtype == "float32":
                msg += "; dtype='float64' may hold them"
            raise ValueError(msg)
        return floats

    def _reshape(self, source: str, shape: tuple[int, ...], output: str) -> str:
        wanted = self._initializer(np.array(shape, dtype=np.int64), f"{output}.shape")
        self._node("Reshape", [source, wanted], output)
        return output

    def _node(self, kind: str, inputs: list[str], output: str, **rest: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], **rest))

    def _initializer(self, array: NDArray[Any], name: str) -> str:
        fresh = self._fresh(name)
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), fresh))
        return fresh

    def _fresh(self, name: str) -> str:
        """Return a tensor name like this one that is not taken."""
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name
