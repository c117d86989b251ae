# SPDX-License-Identifier: Apache-2.0
"""Read an ONNX file as a graph in normal form, exactly, or refuse it.

What is read is a fully connected ReLU network in any of the forms that exporters give it: the
operators are listed in ``onnx_lowering.LOWERINGS``. The graph computes, in real arithmetic, what
the file says of its stored weights; the one exception is BatchNormalization, whose square root is
rounded to float64 (see there). The leading axis of the input, where it is free, is a batch of 1.

``import_gate`` compares the result with onnxruntime, as a check of all this by other code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from verifier.errors import ModelError, RefusedError
from verifier.ir.onnx_lowering import lower
from verifier.ir.onnx_model import parse
from verifier.ir.onnx_symbolic import Pool, Symbol
from verifier.ir.operators import Affine
from verifier.ir.passes.normalize import normalize

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.ir.graph import Graph


def read_onnx(source: Path | bytes) -> Graph:
    """Read a network from a file, or from its bytes.

    Raises:
        ModelError: The file is damaged, or contradicts itself.
        UnsupportedError: It uses something that is not modelled; the message names it.
        OSError: The file cannot be read.
    """
    try:
        return _read(source)
    except RefusedError as error:
        if isinstance(source, bytes):
            raise
        msg = f"{source}: {error}"
        raise type(error)(msg) from error


def _read(source: Path | bytes) -> Graph:
    model = parse(source)
    pool = Pool()
    symbol = pool.add_input(model.source.shape, model.source.element, model.source.name)

    def begin(label: str) -> None:
        pool.label = label

    output = cast("Symbol", lower(model, symbol, begin))
    names = (model.source.name, model.output_name)
    graph = normalize(pool.finish(output, names, model.source.shape))
    _check_range(graph)
    return graph


def _check_range(graph: Graph) -> None:
    """Refuse weights that float64 cannot approximate: products of weights may be that large."""
    for node in graph.nodes:
        if not isinstance(node.operator, Affine):
            continue
        for array in (*node.operator.weights, node.operator.bias):
            largest = max(abs(int(n)) for n in array.numerators.ravel())
            if largest > array.denominator * int(np.finfo(np.float64).max):
                msg = f"node {node.name!r} has a weight that is too large for float64"
                raise ModelError(msg)
