# SPDX-License-Identifier: Apache-2.0
"""How the boxes of a wide network were tightened, as flat columns; see ``columns``.

There is one part for each layer of each box: which neurons were bounded, the neurons before them,
and a matrix of slopes, row by row, as multiples of ``tighten.GRID``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.bounds.tighten import GRID, Tightened
from verifier.proof.parts import Parts, fail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Column = NDArray[Any]

SLOPE_COLUMNS = {
    "box": "<u4",
    "bound_count": "<u4",
    "bound_neuron": "<u4",
    "slope_count": "<u4",
    "slope_neuron": "<u4",
    "slope": "<u2",
}
MOST_PARTS = 1 << 16


def slope_columns_of(tightened: Sequence[Sequence[Tightened]]) -> dict[str, Column]:
    """Return the columns of what boxes were tightened with."""
    parts = [part for parts in tightened for part in parts]
    none = np.zeros(0)
    found: dict[str, Any] = {
        "box": [box for box, parts in enumerate(tightened) for _ in parts],
        "bound_count": [len(part.neurons) for part in parts],
        "bound_neuron": np.concatenate([none, *(part.neurons for part in parts)]),
        "slope_count": [len(part.lines) for part in parts],
        "slope_neuron": np.concatenate([none, *(part.lines for part in parts)]),
        "slope": np.concatenate([none, *(part.slopes.ravel() / GRID for part in parts)]),
    }
    return {name: np.array(found[name]).astype(kind) for name, kind in SLOPE_COLUMNS.items()}


def tightened_of(columns: Mapping[str, Column], neurons: int) -> tuple[tuple[Tightened, ...], ...]:
    """Return what columns stand for, of a network of so many neurons.

    Raises:
        ValueError: They stand for nothing; the message names the place.
    """
    boxes, counts = columns["box"].astype(np.int64), columns["bound_count"]
    if len(boxes) > MOST_PARTS or not len(boxes) == len(counts) == len(columns["slope_count"]):
        fail(
            f"the columns box, bound_count and slope_count: different lengths, or over {MOST_PARTS}"
        )
    steps = np.diff(boxes, prepend=-1)
    if len(boxes) and (steps[0] != 1 or (steps < 0).any() or (steps > 1).any()):
        fail("the boxes of slopes are not numbered through")
    rows = _numbers(counts, columns["bound_neuron"], neurons)
    lines = _numbers(columns["slope_count"], columns["slope_neuron"], neurons)
    # No product overflows, since the sums are lengths of columns that were read.
    sizes = 2 * counts.astype(np.int64) * columns["slope_count"]
    slopes = Parts.of(sizes, len(columns["slope"]), "slopes")
    slopes.check(columns["slope"] <= 1.0 / GRID, "a slope is not in [0, 1]")
    found: list[list[Tightened]] = [[] for _ in range(int(boxes.max(initial=-1)) + 1)]
    for box, row, line, values in zip(
        boxes.tolist(), rows, lines, slopes.cut(columns["slope"]), strict=True
    ):
        matrix = values.reshape(2 * len(row), len(line)) * GRID
        found[box].append(Tightened(row, line, matrix))
    return tuple(tuple(parts) for parts in found)


def _numbers(counts: Column, numbers: Column, neurons: int) -> list[NDArray[np.intp]]:
    parts = Parts.of(counts, len(numbers), "slopes")
    parts.check(numbers < neurons, "no such neuron")
    parts.check_rising(numbers, "its neurons are not in ascending order")
    return parts.cut(numbers.astype(np.intp))
