# SPDX-License-Identifier: Apache-2.0
"""Rounding of every weight and bias to a shorter floating-point format.

``float16`` and ``bfloat16`` are storage formats here: the network still computes in the arithmetic
that the verdict names, on the rounded numbers. Rounding is to nearest, ties to even, subnormal
numbers included, and starts from the exact value (see ``float_format``). Half an ulp bounds the
change of each entry: relatively ``2**-11`` for normal float16 numbers, ``2**-8`` for bfloat16.

``float32`` is offered for networks whose exact numbers no float holds, such as those with a
division by 255 folded into the first layer: rounded, they can be written to a file.

A number beyond the format would become infinite. That is refused, naming the entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from compression.base import CompressionResult, Method
from compression.float_format import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    FloatFormat,
)
from compression.options import choice, option
from compression.report import report_weights_only
from compression.rewriting import require_normal_form, rewrite_tensors, round_tensor
from verifier.change.neuron_map import NeuronMap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier.ir.graph import Graph


class FloatName(StrEnum):
    """The formats to round to."""

    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"


_FORMATS: Mapping[FloatName, FloatFormat] = {
    FloatName.FLOAT16: FLOAT16,
    FloatName.BFLOAT16: BFLOAT16,
    FloatName.FLOAT32: FLOAT32,
}


@dataclass(frozen=True, kw_only=True)
class FloatRounding(Method):
    """Rounding to a shorter floating-point format."""

    name: ClassVar[str] = "float_rounding"
    summary: ClassVar[str] = "round every weight and bias to float16, bfloat16 or float32"

    format: FloatName = field(
        default=FloatName.FLOAT16,
        metadata=option(choice(FloatName), "the floating-point format to round to"),
    )

    @property
    def bits_per_number(self) -> int:
        """Bits that a weight is stored in afterwards."""
        return _FORMATS[self.format].bits

    def apply(self, graph: Graph) -> CompressionResult:
        """Round; see ``Method.apply``."""
        require_normal_form(graph)
        target = _FORMATS[self.format]
        compressed, _ = rewrite_tensors(
            graph, lambda place, values: (round_tensor(place, values, target), {})
        )
        return CompressionResult(
            compressed,
            NeuronMap.identity(graph),
            report_weights_only(self, graph, compressed),
        )
