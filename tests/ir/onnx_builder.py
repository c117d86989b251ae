# SPDX-License-Identifier: Apache-2.0
"""An ONNX model that grows node by node, for the steps in ``onnx_steps_*``."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

OPSETS = (9, 11, 12, 13, 18)
_LARGEST = 48
# onnxruntime has no kernel of these for float64 on every operator set.
_SINGLE_ONLY = {"LeakyRelu", "Mean", "PRelu"}


@dataclass
class ModelBuilder:
    """A model that grows; ``name`` and ``shape`` are those of the tensor made last."""

    draw: st.DrawFn
    opset: int
    shape: tuple[int, ...]
    dtype: str = "float32"
    name: str = "x"
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[TensorProto] = field(default_factory=list)
    input_shape: tuple[int, ...] = ()
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self) -> None:
        self.input_shape = self.shape
        self.rng = np.random.default_rng(self.draw(st.integers(0, 2**16)))

    def node(
        self, kind: str, inputs: Sequence[str], shape: Sequence[int], **attributes: Any
    ) -> None:
        """Append a node; its output is the tensor made last."""
        assume(0 < prod(shape) <= _LARGEST and len(shape) <= 5)
        assume(self.dtype == "float32" or kind not in _SINGLE_ONLY)
        assume(self.dtype == "float32" or kind != "Clip" or self.opset >= 12)
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        self.name, self.shape = name, tuple(int(n) for n in shape)

    def constant(self, array: NDArray[Any]) -> str:
        """Add an initializer."""
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.array(array), name))
        return name

    def integers(self, values: Sequence[int]) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def weights(self, shape: Sequence[int]) -> str:
        return self.constant(self.rng.uniform(-2, 2, shape).astype(self.dtype))

    def pick(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def axis(self, *, beyond: int = 0) -> int:
        """Return an axis, counted from either end."""
        rank = len(self.shape) + beyond
        assume(rank > 0)
        axis = self.draw(st.integers(0, rank - 1))
        return axis - rank if self.draw(st.booleans()) and self.opset >= 11 else axis

    def model(self) -> bytes:
        """Return the file."""
        element = TensorProto.FLOAT if self.dtype == "float32" else TensorProto.DOUBLE
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", element, self.input_shape)],
            [helper.make_tensor_value_info(self.name, element, self.shape)],
            self.tensors,
        )
        imports = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=7)
        return bytes(model.SerializeToString())
