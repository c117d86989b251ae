# SPDX-License-Identifier: Apache-2.0
"""Boxes: a lower and an upper end for each entry, for a batch of regions at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.layers import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Box:
    """``lower <= value <= upper``; both of shape (batch, width)."""

    lower: Array
    upper: Array

    @classmethod
    def around(cls, lower: Sequence[Fraction], upper: Sequence[Fraction]) -> Box:
        """Return the smallest float64 box around exact ends, as a batch of one.

        Raises:
            RefusedError: An end is too large for float64.
        """
        low = [_at_most(value) for value in lower]
        high = [0.0 - _at_most(-value) for value in upper]  # not -0.0
        return cls(np.array([low], dtype=np.float64), np.array([high], dtype=np.float64))

    @classmethod
    def stack(cls, parts: Sequence[Box]) -> Box:
        """Return one batch of several."""
        lower = np.concatenate([part.lower for part in parts])
        return cls(lower, np.concatenate([part.upper for part in parts]))

    @property
    def magnitude(self) -> Array:
        """Largest absolute value of each entry, shape (batch, width)."""
        return np.maximum(np.abs(self.lower), np.abs(self.upper))

    def intersection(self, other: Box) -> Box:
        """Return what both allow; where they contradict, ``lower > upper``.

        NaN, which overflow leaves behind, says nothing: the other end counts.
        """
        return Box(np.fmax(self.lower, other.lower), np.fmin(self.upper, other.upper))

    def columns(self, place: slice) -> Box:
        """Return some of the entries."""
        return Box(self.lower[:, place], self.upper[:, place])

    def take(self, members: NDArray[np.intp]) -> Box:
        """Return the given members of the batch."""
        return Box(self.lower[members], self.upper[members])


def _at_most(value: Fraction) -> float:
    close = nearest(value, "an end of the input box")
    return close if close <= value else float(np.nextafter(close, -np.inf))
