# SPDX-License-Identifier: Apache-2.0
"""Weight-only quantisation to ``b``-bit integers, as dequantised real weights.

A weight ``w`` becomes ``w' = s * (q - z)`` with an integer ``q`` of ``b`` bits, a scale ``s`` and a
zero point ``z`` (Jacob et al., arXiv 1712.05877). *Symmetric*: ``z = 0``, ``|q| <= 2**(b-1) - 1``,
``s >= max|w| / (2**(b-1) - 1)``. *Asymmetric*: ``-2**(b-1) <= q <= 2**(b-1) - 1`` and
``s >= (max - min) / (2**b - 1)``, the range stretched to hold 0, which is therefore exact. There
is one scale for each matrix, or for each of its rows (``granularity=channel``: a row makes one
neuron).

**The compressed network's weights are the numbers ``w'``, each a float32**, which is what a runtime
computes that dequantises; the network that is verified and the file that is written are thus the
same bit for bit. How ``s`` is chosen decides how much of the textbook formula survives that:

  * ``scale=short`` (default): the ideal scale rounded *up* to ``24 - b`` significant bits. Every
    product ``s * (q - z)`` then fits a float32 exactly, nothing saturates, and
    ``|w - w'| <= s / 2`` holds exactly for ``rounding=nearest``, ``|w - w'| < s`` for the others.
  * ``scale=power_of_two``: rounded up to a power of two; as above, with shorter numerals (which
    exact solvers like) and up to twice the step.
  * ``scale=float32``: the ideal scale rounded to the nearest float32, as onnxruntime's quantiser
    does. The product is then rounded to float32, and ``|w - w'|`` exceeds the bounds above by at
    most the relative ``2**-23`` of the largest weight.

Biases stay, or are quantised like a symmetric matrix of one row with ``biases=quantise``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from compression.base import CompressionResult, Method
from compression.fixed_point import BiasTreatment
from compression.float_format import FLOAT32, floor_log2, power_of_two
from compression.integer_rounding import Rounding, extremes, steps
from compression.options import choice, integer, option
from compression.report import report_weights_only
from compression.rewriting import Place, require_normal_form, rewrite_tensors, round_tensor
from verifier.change.neuron_map import NeuronMap
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from verifier.ir.graph import Graph


class Granularity(StrEnum):
    """What shares a scale."""

    TENSOR = "tensor"
    CHANNEL = "channel"


class Symmetry(StrEnum):
    """Where the integers lie around zero."""

    SYMMETRIC = "symmetric"
    ASYMMETRIC = "asymmetric"


class ScaleKind(StrEnum):
    """Which numbers may be a scale."""

    SHORT = "short"
    POWER_OF_TWO = "power_of_two"
    FLOAT32 = "float32"


class Quantised(NamedTuple):
    """A tensor as integers: its entries are ``scale * (integers - zero_point)``."""

    integers: NDArray[Any]
    scale: Fraction
    zero_point: int

    def exact(self) -> RationalArray:
        """Return the entries before any rounding to a float."""
        numerators = (self.integers - self.zero_point) * self.scale.numerator
        return RationalArray(np.asarray(numerators, dtype=object), self.scale.denominator)


@dataclass(frozen=True, kw_only=True)
class IntegerQuantisation(Method):
    """Weight-only integer quantisation."""

    name: ClassVar[str] = "integer_quantisation"
    summary: ClassVar[str] = "round weights to multiples of a scale that fit b-bit integers"

    bits: int = field(
        default=8,
        metadata=option(integer(2, 16), "bits of an integer"),
    )
    granularity: Granularity = field(
        default=Granularity.CHANNEL,
        metadata=option(choice(Granularity), "what shares a scale: a matrix or a row of it"),
    )
    symmetry: Symmetry = field(
        default=Symmetry.SYMMETRIC,
        metadata=option(choice(Symmetry), "whether the integers lie symmetrically around zero"),
    )
    scale: ScaleKind = field(
        default=ScaleKind.SHORT,
        metadata=option(choice(ScaleKind), "which numbers may be a scale"),
    )
    rounding: Rounding = field(
        default=Rounding.NEAREST,
        metadata=option(choice(Rounding), "which neighbour a number is rounded to"),
    )
    biases: BiasTreatment = field(
        default=BiasTreatment.KEEP,
        metadata=option(choice(BiasTreatment), "whether biases are quantised too"),
    )

    @property
    def bits_per_number(self) -> int:
        """Bits that a weight is stored in afterwards."""
        return self.bits

    def apply(self, graph: Graph) -> CompressionResult:
        """Quantise; see ``Method.apply``."""
        require_normal_form(graph)
        compressed, details = rewrite_tensors(graph, self._tensor)
        return CompressionResult(
            compressed,
            NeuronMap.identity(graph),
            report_weights_only(self, graph, compressed, details),
        )

    def quantise(self, values: RationalArray, symmetric: bool) -> Quantised:
        """Quantise entries that share a scale, of any shape."""
        low, high = extremes(values)
        top = (1 << (self.bits - 1)) - 1
        if symmetric:
            scale = self._scale(max(-low, high) / top)
            integers = steps(values, scale, self.rounding)
            return Quantised(np.clip(integers, -top, top), scale, 0)
        bottom = -top - 1
        scale = self._scale((high - low) / (top - bottom))
        end = RationalArray.from_fractions([low], (1,))
        # A float32 scale may be a hair too fine for the range, hence the limit.
        zero_point = min(bottom - int(steps(end, scale, self.rounding)[0]), top)
        integers = steps(values, scale, self.rounding) + zero_point
        return Quantised(np.clip(integers, bottom, top), scale, zero_point)

    def _tensor(
        self, place: Place, values: RationalArray
    ) -> tuple[RationalArray, Mapping[str, object]]:
        if place.is_bias and self.biases is BiasTreatment.KEEP:
            return values, {"scales": "kept"}
        symmetric = place.is_bias or self.symmetry is Symmetry.SYMMETRIC
        by_row = self.granularity is Granularity.CHANNEL and not place.is_bias
        parts = [values[row] for row in range(values.shape[0])] if by_row else [values]
        quantised = [self.quantise(part, symmetric) for part in parts]
        stacked = _stack([part.exact() for part in quantised], values.shape)
        detail: dict[str, object] = {"scales": [str(part.scale) for part in quantised]}
        if not symmetric:
            detail["zero_points"] = [part.zero_point for part in quantised]
        return round_tensor(place, stacked, FLOAT32), detail

    def _scale(self, ideal: Fraction) -> Fraction:
        """Return the scale to use where the ideal one, in real arithmetic, is ``ideal``."""
        if ideal == 0:
            return Fraction(1)  # Everything is zero, and any scale says so.
        match self.scale:
            case ScaleKind.SHORT:
                return _round_up(ideal, FLOAT32.precision - self.bits)
            case ScaleKind.POWER_OF_TWO:
                return _round_up(ideal, 1)
            case ScaleKind.FLOAT32:
                single = RationalArray.from_fractions([ideal], (1,))
                return max(FLOAT32.nearest(single).fraction(0), _SMALLEST)


_SMALLEST = power_of_two(FLOAT32.quantum)


def _stack(parts: list[RationalArray], shape: tuple[int, ...]) -> RationalArray:
    """Return the entries of all parts, one after the other, in one array."""
    denominator = lcm(*(part.denominator for part in parts))
    scaled = [part.numerators * (denominator // part.denominator) for part in parts]
    return RationalArray(
        np.concatenate([np.ravel(part) for part in scaled]).reshape(shape), denominator
    )


def _round_up(value: Fraction, precision: int) -> Fraction:
    """Return the least number above with so many significant bits, and no finer than float32."""
    exponent = floor_log2(value.numerator, value.denominator) - precision + 1
    step = power_of_two(max(exponent, FLOAT32.quantum))
    return -(-value // step) * step
