# SPDX-License-Identifier: Apache-2.0
"""Decide how to split a region.

Two scores tell which splits are worth a look:

  * an input's score is its width times the steepest slope, by default multipliers, of any row of
    the case: how much of the rows' range goes with that input. (The slope of the *best
    combination* of rows is a bad guide: the triangle program flattens it towards zero.)
  * a neuron's score is the cost of its upper line in the bound, ``q t``: what the bound would gain
    at best if the phase were known. Where bounds of later neurons are computed anew it is halved
    for each layer, because fixing an early one tightens all that follows.

Of the inputs with the best scores each is tried (strong branching; Applegate et al. 1995): its two
parts are bounded, and the split whose parts lack least is taken. The parts are needed anyway, and
looking at two more inputs costs four regions, which is nothing beside a tree that is several times
smaller.

Networks with few inputs are split on inputs: bounds of *all* neurons tighten, quadratically in
the width. On ACAS Xu with the triangle program at every region that needs far fewer regions than
phases do (``benchmarks`` has the figures). Where few neurons are unstable, or where the box is cut
so often that it must enclose a kink, phases finish: there are finitely many, so search ends.
So they do where the bound is 0 but for rounding: a row that is 0 over an area, such as a ReLU
against ``y < 0``, stays so however small the box; once phases are known the exact solver decides.

On wide networks a neuron's cost is taken with *default* slopes and the best masses. With the best
slopes, which are often 0 in the last layer, the layers before look free of cost, and searches on
MNIST 256x4 take many times the regions. Tried there, and dropped: halving the score for each layer
(more than twice the regions), the score of BaBSR (Bunel et al. 2020) and a look at the parts of
several neurons before each split (FSB, De Palma et al. 2021): fewer regions at first, but a look
costs more than the regions it saves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.ir.graph import Neuron
from verifier.proof.literals import HalfSpace, Literal, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.bounds.backward import LinearBound
    from verifier.bounds.box import Box
    from verifier.engine.evaluate import Attempt
    from verifier.engine.region import Region

FLOOR = 0.001
"""Least sensitivity of an input relative to the largest. Without it, an input whose slopes cancel
is never split although its width is what keeps neurons unstable (ACAS Xu 1_1 property 5 does not
end); at 0.01 property 2 needs up to four times the regions, at 0.05 seven times."""
LOOKS = 3
"""How many inputs are looked at. With one, trees are up to 1,400 times larger (leaves on ACAS Xu
2_8 property 1: 448,130 instead of 323; on 4_2 property 2: 7,124 instead of 4,152)."""
CLOSE = 0.25
"""Least score of an input that is looked at, relative to the best. Without it, an input that gains
nothing at once but keeps neurons unstable is never split, and 4_2 property 2 does not end."""
DISCOUNT = 0.5
"""How much less a neuron's score counts for each layer, where its bounds tighten those behind."""
FEW_UNSTABLE = 8
MANY_CUTS = 80


def candidates(attempt: Attempt, whole: Box, *, wide: bool) -> list[Literal]:
    """Return literals to split an unrefuted region on, the most promising first.

    There is none where every phase is known.

    Args:
        attempt: The failed refutation.
        whole: The input box of the region's group.
        wide: Whether the network has too many inputs to be split on them.
    """
    region = attempt.query.region
    cuts = sum(isinstance(literal, HalfSpace) for literal in region.path)
    unstable = int(region.bounds.unstable_count[0])
    if unstable == 0:
        return []
    is_tied = bool(attempt.bound.value[0] >= -2.0 * attempt.bound.slack[0])
    if not wide and unstable > FEW_UNSTABLE and cuts < MANY_CUTS and not is_tied:
        literals = _widest_inputs(attempt, whole)
        if literals:
            return literals
    return [_costliest_neuron(region, attempt.bound, 1.0 if wide else DISCOUNT)]


def gain(screened: Sequence[Attempt]) -> float:
    """Return what speaks for a split: how little its parts, with all open cases, lack."""
    return sum(
        min(float(attempt.bound.value[0]), 0.0) for attempt in screened if attempt.core is None
    )


def _widest_inputs(attempt: Attempt, whole: Box) -> list[Literal]:
    """Return the inputs with the best scores, cut in the middle."""
    box = attempt.query.region.bounds.box
    lower, upper = box.lower[0], box.upper[0]
    extent = whole.upper[0] - whole.lower[0]
    sensitivity = attempt.sensitivity * extent
    floor = FLOOR * sensitivity.max()
    share = (upper - lower) / np.where(extent > 0.0, extent, 1.0)
    middle = lower + (upper - lower) / 2
    score = np.where(
        (lower < middle) & (middle < upper), np.maximum(sensitivity, floor) * share, -1.0
    )
    best = np.argsort(-score, kind="stable")[:LOOKS]
    return [
        HalfSpace(int(i), float(middle[i]), below=True)
        for i in best
        if score[i] >= max(CLOSE * score[best[0]], 0.0)
    ]


def _costliest_neuron(region: Region, bound: LinearBound, discount: float) -> Phase:
    bounds = region.bounds
    score = bound.gaps[0].copy()
    for layer, place in enumerate(bounds.slices):
        score[place] *= discount**layer
    score[~bounds.unstable[0]] = -1.0
    number = int(np.argmax(score))
    layer = next(k for k, place in enumerate(bounds.slices) if number < place.stop)
    return Phase(Neuron(layer, number - bounds.slices[layer].start), active=True)
