# SPDX-License-Identifier: Apache-2.0
"""Linear relaxations of ReLU over preactivation bounds.

For ``l < 0 < u`` the graph of ``y = max(z, 0)`` lies in a triangle: above ``y = 0`` and ``y = z``,
below the chord ``y = s (z - l)`` with ``s = u / (u - l)`` (Ehlers 2017). A *linear* lower bound is
any ``y >= alpha z`` with ``alpha`` in [0, 1]; the adaptive choice takes the one that cuts off less
area (Zhang et al. 2018, CROWN). Where the phase is known the relaxation is exact.

Rounding: for *any* slope ``s`` in [0, 1], ``y <= s z + t`` is valid when it is valid at both ends,
that is for ``t >= max(-s l, (1 - s) u)``. So a rounded slope costs nothing but that maximum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.layers import TINY, UNIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from verifier.bounds.box import Box

    Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Relaxation:
    """``alpha z <= y <= slope z + offset`` for some neurons; all of shape (batch, neurons).

    Attributes:
        alpha: Slope of the lower line: exact where stable, adaptive where unstable.
        slope: Slope of the upper line.
        offset: Constant of the upper line, zero where stable.
        unstable: Where the phase is not known.
    """

    alpha: Array
    slope: Array
    offset: Array
    unstable: NDArray[np.bool_]

    def take(self, members: NDArray[np.intp]) -> Relaxation:
        """Return the given members of the batch, each as often as it is named."""
        return Relaxation(
            self.alpha[members], self.slope[members], self.offset[members], self.unstable[members]
        )

    def columns(self, place: slice) -> Relaxation:
        """Return the relaxation of some of the neurons."""
        return Relaxation(
            self.alpha[:, place],
            self.slope[:, place],
            self.offset[:, place],
            self.unstable[:, place],
        )


def unstable(preactivation: Box) -> NDArray[np.bool_]:
    """Tell whose phase is open. Said in the negative, so that what is not a number is, too."""
    return ~((preactivation.lower >= 0.0) | (preactivation.upper <= 0.0))


def relax(preactivation: Box) -> Relaxation:
    """Return the adaptive linear relaxation of neurons over their preactivation bounds."""
    lower, upper = preactivation.lower, preactivation.upper
    active = (lower >= 0.0).astype(np.float64)
    is_open = unstable(preactivation)
    width = np.where(is_open, upper - lower, 1.0)
    slope = np.where(is_open, np.clip(upper / width, 0.0, 1.0), active)
    ends = np.maximum(-slope * lower, (1.0 - slope) * upper)
    offset = np.where(is_open, ends * (1.0 + 8.0 * UNIT) + TINY, 0.0)
    alpha = np.where(is_open, (upper > -lower).astype(np.float64), active)
    return Relaxation(alpha, slope, offset, is_open)
