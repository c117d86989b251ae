# SPDX-License-Identifier: Apache-2.0
"""The operators of the intermediate representation.

Readers lower every ONNX operator to these few, exactly: a LeakyRelu is one ReLU and a skip edge,
a Clip to [0, 6] is two ReLUs in a row, everything linear is one ``Affine``. So bounds,
encodings and the certificate checker have three rows to get right, not thirty.

To add an operator: a class here and in ``Operator``, one row in each table that
``tests/architecture`` lists, one file in ``encoders/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.ir.rational import RationalArray


@dataclass(frozen=True, eq=False)
class Input:
    """The network's input, flattened in row-major order."""


@dataclass(frozen=True, eq=False)
class Affine:
    """``sum_k weights[k] @ inputs[k] + bias``.

    One matrix for each input makes residual sums, concatenations, slices and skip edges the same
    thing as a dense layer.

    Attributes:
        weights: For each input node, a matrix of shape (width, width of that input).
        bias: Shape (width,).
    """

    weights: tuple[RationalArray, ...]
    bias: RationalArray


@dataclass(frozen=True, eq=False)
class Relu:
    """``max(x, 0)``, entry by entry. Its single input is the preactivation."""


Operator = Input | Affine | Relu
