# SPDX-License-Identifier: Apache-2.0
"""Two's complement fixed-point numbers: ``Qm.n`` with ``m + n + 1`` bits in all.

A number of ``total_bits`` bits with ``fraction_bits`` of them after the point is ``k * 2**-n`` with
an integer ``-2**(t-1) <= k <= 2**(t-1) - 1``. A weight is rounded to such a ``k`` and saturates at
the ends; saturation is counted in the report, tensor by tensor. ``n`` may exceed ``t - 1`` or be
negative: the point then lies outside the digits, as for very small or very large weights.

Without ``fraction_bits`` each tensor gets the finest format in which nothing saturates after
rounding. ``rounding=floor`` is what hardware does that drops the low bits (``AP_TRN`` of HLS
tools), ``nearest`` (ties to even) is ``AP_RND_CONV``.

Every value has at most 24 significant bits and is a multiple of ``2**-149``, so it is a float32 and
the written file holds the verified numbers exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from compression.base import CompressionResult, Method
from compression.float_format import FLOAT32, floor_log2, power_of_two
from compression.integer_rounding import Rounding, extremes, steps
from compression.options import choice, integer, option, optional_integer
from compression.report import report_weights_only
from compression.rewriting import Place, require_normal_form, rewrite_tensors, round_tensor
from verifier.change.neuron_map import NeuronMap
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from verifier.ir.graph import Graph

_FEWEST_FRACTION_BITS, _MOST_FRACTION_BITS = -127, 149


class BiasTreatment(StrEnum):
    """What happens to biases."""

    KEEP = "keep"
    QUANTISE = "quantise"


@dataclass(frozen=True, kw_only=True)
class FixedPoint(Method):
    """Rounding to fixed-point numbers."""

    name: ClassVar[str] = "fixed_point"
    summary: ClassVar[str] = "round weights and biases to two's complement fixed-point numbers"

    total_bits: int = field(
        default=16,
        metadata=option(integer(2, 24), "bits of a number, the sign included"),
    )
    fraction_bits: int | None = field(
        default=None,
        metadata=option(
            optional_integer(_FEWEST_FRACTION_BITS, _MOST_FRACTION_BITS, "auto"),
            "bits after the point; auto: as many as fit, tensor by tensor",
        ),
    )
    rounding: Rounding = field(
        default=Rounding.NEAREST,
        metadata=option(choice(Rounding), "which neighbour a number is rounded to"),
    )
    biases: BiasTreatment = field(
        default=BiasTreatment.QUANTISE,
        metadata=option(choice(BiasTreatment), "whether biases are rounded too"),
    )

    @property
    def bits_per_number(self) -> int:
        """Bits that a weight is stored in afterwards."""
        return self.total_bits

    def apply(self, graph: Graph) -> CompressionResult:
        """Round; see ``Method.apply``."""
        require_normal_form(graph)
        compressed, details = rewrite_tensors(graph, self._tensor)
        return CompressionResult(
            compressed,
            NeuronMap.identity(graph),
            report_weights_only(self, graph, compressed, details),
        )

    def _tensor(
        self, place: Place, values: RationalArray
    ) -> tuple[RationalArray, Mapping[str, object]]:
        if place.is_bias and self.biases is BiasTreatment.KEEP:
            return values, {"format": "kept"}
        bits = self.fraction_bits
        if bits is None:
            bits = self._finest(values)
        integers = steps(values, power_of_two(-bits), self.rounding)
        lowest, highest = self._range()
        saturated = np.clip(integers, lowest, highest)
        result = _scaled(saturated, bits)
        return round_tensor(place, result, FLOAT32), {
            "format": f"Q{self.total_bits - 1 - bits}.{bits}",
            "saturated": int(np.count_nonzero(saturated != integers)),
        }

    def _range(self) -> tuple[int, int]:
        half: int = 1 << (self.total_bits - 1)
        return -half, half - 1

    def _finest(self, values: RationalArray) -> int:
        """Return the most fraction bits at which no entry saturates."""
        lowest, highest = extremes(values)
        largest = max(-lowest, highest)
        if largest == 0:
            return self.total_bits - 1
        # With one bit more, the largest entry alone would be out of range.
        bits = self.total_bits - 1 - floor_log2(largest.numerator, largest.denominator)
        bits = min(bits, _MOST_FRACTION_BITS)
        ends = RationalArray.from_fractions([lowest, highest], (2,))
        low, high = self._range()
        while bits > _FEWEST_FRACTION_BITS:
            rounded = steps(ends, power_of_two(-bits), self.rounding)
            if low <= rounded[0] and rounded[1] <= high:
                break
            bits -= 1
        return bits


def _scaled(integers: NDArray[Any], bits: int) -> RationalArray:
    step = power_of_two(-bits)
    return RationalArray(integers * step.numerator, step.denominator).reduced()
