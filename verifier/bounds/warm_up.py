# SPDX-License-Identifier: Apache-2.0
"""Compile the loops of ``kernels`` now, so that later processes find them on disk.

Numba compiles a function for the types of its arguments when it is first called, which takes many
times as long as most verifications. So both functions are called here as verification calls them,
on the smallest network there is. What numba writes goes to the folder that ``NUMBA_CACHE_DIR``
names, or beside the source. It looks for it under the path and the age of the source file, not of
the folder: a copy of the folder serves as well, on the same installation and kind of processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.bounds import backward
from verifier.bounds.backward import RowMultipliers, Rows
from verifier.bounds.box import Box
from verifier.bounds.intersection import bound_property
from verifier.bounds.layers import INPUT, UNIT, Layer, Layers
from verifier.bounds.loading import load_kernels


@dataclass(frozen=True)
class Warmth:
    """Where the compiled loops are now.

    Attributes:
        folder: Where they are kept; None where numba finds no folder to write to, so that each
            process compiles anew.
        compiled: Names of the functions that had to be compiled.
        loaded: Names of those that were there.
    """

    folder: str | None
    compiled: tuple[str, ...]
    loaded: tuple[str, ...]


def warm_up() -> Warmth:
    """Call all compiled functions, and tell what became of them.

    The second call in a process tells the same as the first.
    """
    one = np.ones((1, 1))
    layer = Layer({INPUT: one}, np.zeros(1))
    output = Layer({0: one}, np.zeros(1))
    layers = Layers((layer,), output, 1, 1024 * UNIT, compiled=True)
    bounds, scale, _ = bound_property(layers, Box(-one, one))
    rows = Rows(np.zeros(1, dtype=np.intp), {0: one}, np.zeros(1), np.ones(1))
    multipliers = RowMultipliers(np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((1, 1)))
    backward.lower_bounds(layers, rows, bounds, multipliers, scale)
    kernels = load_kernels()
    functions = (kernels.bound_regions, kernels.lower_bounds)
    loaded = {function.__name__ for function in functions if function.stats.cache_hits}
    names = tuple(function.__name__ for function in functions)
    return Warmth(
        kernels.bound_regions.stats.cache_path,
        tuple(name for name in names if name not in loaded),
        tuple(name for name in names if name in loaded),
    )
