# SPDX-License-Identifier: Apache-2.0
"""Any proof that can be written: of no network and no property in particular."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from verifier.bounds.tighten import GRID, Tightened
from verifier.ir.graph import Neuron
from verifier.proof.literals import HalfSpace, Literal, Path, Phase
from verifier.proof.muc import Core, Leaf, Multipliers
from verifier.proof.store import Proof
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MASSES = st.floats(0.0, width=32, allow_infinity=False)
SLOPES = st.floats(0.0, 1.0, width=32)


@st.composite
def arbitrary_proofs(draw: st.DrawFn) -> Proof:
    """Draw a proof of a network with some layers, of which some may have no neurons."""
    widths = draw(st.lists(st.integers(0, 4), max_size=3))
    neurons = [Neuron(k, i) for k, width in enumerate(widths) for i in range(width)]
    cores = draw(st.lists(_cores(neurons), max_size=4))
    leaves = draw(st.lists(_leaves(neurons, cores), max_size=4)) if cores else []
    return Proof(
        draw(st.text(max_size=5)),
        draw(st.text(max_size=5)),
        tuple(widths),
        Verdict.HOLDS,
        tuple(cores),
        tuple(leaves),
        None,
        draw(st.floats(0.0, allow_infinity=False)),
        tuple(draw(st.lists(_tightened(len(neurons)), max_size=2))),
    )


@st.composite
def _tightened(draw: st.DrawFn, neurons: int) -> tuple[Tightened, ...]:
    """Draw how a box was tightened: a part at least, which may be empty."""
    chosen = st.sets(st.integers(0, max(neurons - 1, 0)), max_size=neurons).map(sorted)
    parts = []
    for _ in range(draw(st.integers(1, 2))):
        bounded, lines = (np.array(draw(chosen), dtype=np.intp) for _ in range(2))
        shape = (2 * len(bounded), len(lines))
        slopes = [draw(st.integers(0, 256)) for _ in range(shape[0] * shape[1])]
        parts.append(Tightened(bounded, lines, np.array(slopes).reshape(shape) * GRID))
    return tuple(parts)


def _cores(neurons: Sequence[Neuron]) -> st.SearchStrategy[Core]:
    margins = st.one_of(st.floats(0.0), st.just(math.inf))
    return st.builds(
        Core,
        st.integers(0, 2**32 - 1),
        _paths(neurons),
        st.none() | _multipliers(len(neurons)),
        margins,
    )


def _leaves(neurons: Sequence[Neuron], cores: Sequence[Core]) -> st.SearchStrategy[Leaf]:
    own = st.sampled_from([core.path for core in cores])
    return st.builds(
        Leaf,
        own | _paths(neurons),
        st.integers(0, len(cores) - 1),
        st.none() | _multipliers(len(neurons)),
    )


def _paths(neurons: Sequence[Neuron]) -> st.SearchStrategy[Path]:
    thresholds = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
    literals: st.SearchStrategy[Literal] = st.builds(
        HalfSpace, st.integers(0, 2**32 - 1) | st.integers(0, 2), thresholds, st.booleans()
    )
    if neurons:
        literals |= st.builds(Phase, st.sampled_from(neurons), st.booleans())
    return st.lists(literals, max_size=5, unique_by=lambda x: x[:-1]).map(tuple)


@st.composite
def _multipliers(draw: st.DrawFn, neurons: int) -> Multipliers:
    chosen = st.sets(st.integers(0, max(neurons - 1, 0)), max_size=neurons).map(sorted)
    lines, literals = draw(chosen), draw(chosen)
    return Multipliers(
        _drawn(draw, MASSES, draw(st.integers(0, 3))),
        np.array(lines, dtype=np.intp),
        _drawn(draw, SLOPES, len(lines)),
        _drawn(draw, MASSES, len(lines)),
        np.array(literals, dtype=np.intp),
        _drawn(draw, MASSES, len(literals)),
    )


def _drawn(draw: st.DrawFn, values: st.SearchStrategy[float], count: int) -> NDArray[np.float64]:
    return np.array([draw(values) for _ in range(count)], dtype=np.float64)
