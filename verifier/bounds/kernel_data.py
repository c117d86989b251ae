# SPDX-License-Identifier: Apache-2.0
"""What compiled loops read and write: the network, regions and a workspace, as flat arrays.

Sources are numbered 0 for the input and ``k + 1`` for ReLU layer ``k``. A *source vector* has the
input's entries first, then all neurons, layer by layer.

Compiled code that is kept on disk reads fields by position and is made anew when ``kernels``
changes, not when this file does: a change here has to be repeated there, or it will not load.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
Signs = NDArray[np.int8]
Forms = tuple[Array, Array, Array]
"""Linear forms: coefficients over the source vector, constants, magnitudes of all terms behind."""
Chosen = tuple[Array, Array, Array]
"""``alpha``, ``q`` and ``beta`` of all neurons for one row; or three arrays without entries: the
usual slopes and no masses."""


class Network(NamedTuple):
    """The affine layers in front of ReLUs as flat arrays.

    Attributes:
        place: Where each source starts in a source vector; one more entry for its end.
        edges: For each layer, the number of its first edge; one more entry for the end.
        source: For each edge, the source that it reads.
        matrix: For each edge, where its matrix starts in ``weights``.
        weights: Matrices of shape (width, source width), row by row.
        transposed: The same matrices, column by column.
        bias: Of all neurons.
        error: Relative error that covers any one bound computed on this network.
    """

    place: Indices
    edges: Indices
    source: Indices
    matrix: Indices
    weights: Array
    transposed: Array
    bias: Array
    error: float


class Regions(NamedTuple):
    """Bounds of a batch of regions, or of a single one with a dimension less.

    Attributes:
        box_lower: Of the inputs, shape (batch, input width).
        box_upper: The same.
        lower: Of all neurons, shape (batch, neurons).
        upper: The same.
    """

    box_lower: Array
    box_upper: Array
    lower: Array
    upper: Array


class Workspace(NamedTuple):
    """What is known of one region, and rows that are being substituted.

    Attributes:
        middle: Centre of each entry's interval, over the source vector.
        half: Half its width.
        magnitude: Its largest absolute value, with ``TINY`` added.
        alpha: Slope of each neuron's lower line.
        slope: Slope of its upper line.
        offset: Constant of its upper line.
        mass: Least mass on its upper line.
        beta: Signed mass on its phase.
        gap: What its upper line costs the first row.
        live: For each source, the indices of its live entries.
        lives: How many they are.
        compact: For each edge, its matrix between live entries, column by column.
        rows: For each source, the coefficients of all rows on its first live entry, then those on
            its second, and so on.
        used: Whether any row reads the source.
        constant: Constant of each row.
        terms: Magnitude of all terms of each row so far.
        scale: At least the magnitude of each entry of a source vector.
    """

    middle: Array
    half: Array
    magnitude: Array
    alpha: Array
    slope: Array
    offset: Array
    mass: Array
    beta: Array
    gap: Array
    live: Indices
    lives: Indices
    compact: Array
    rows: Array
    used: Flags
    constant: Array
    terms: Array
    scale: Array


FIELDS = [list(kind._fields) for kind in (Network, Regions, Workspace)]
"""What compiled code reads by position."""


def workspace(net: Network, scale: Array, rows: int) -> Workspace:
    """Return a workspace for so many rows at once, or as many as a layer may need where 0."""
    sources, inputs = len(net.place) - 1, int(net.place[1])
    entries, neurons = int(net.place[-1]), int(net.place[-1]) - inputs
    widest = int(np.diff(net.place).max())
    rows = rows if rows > 0 else 2 * int(np.diff(net.place)[1:].max(initial=1))
    live = np.empty((sources, widest), dtype=np.int64)
    live[0, :inputs] = np.arange(inputs)
    lives = np.zeros(sources, dtype=np.int64)
    lives[0] = inputs
    return Workspace(
        middle=np.empty(entries),
        half=np.empty(entries),
        magnitude=np.empty(entries),
        alpha=np.empty(neurons),
        slope=np.empty(neurons),
        offset=np.empty(neurons),
        mass=np.empty(neurons),
        beta=np.empty(neurons),
        gap=np.zeros(neurons),
        live=live,
        lives=lives,
        compact=np.empty((len(net.source), widest * widest)),
        rows=np.empty((sources, widest * rows)),
        used=np.zeros(sources, dtype=np.bool_),
        constant=np.empty(rows),
        terms=np.empty(rows),
        scale=scale,
    )
