# SPDX-License-Identifier: Apache-2.0
"""Load the compiled loops, with one thread for the linear algebra that comes with them.

Numba turns ``np.dot`` into calls of scipy's BLAS, which is another one than numpy's and may start
a thread for each core. Whoever limited threads before it was loaded does not reach it, so it is
limited here, for good: nothing else of ours uses it, and its matrices are small.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from types import ModuleType


@cache
def load_kernels() -> ModuleType:
    """Return the module of compiled loops."""
    before = {library.filepath for library in ThreadpoolController().lib_controllers}
    from verifier.bounds import kernels

    for library in ThreadpoolController().lib_controllers:
        if library.filepath not in before:
            library.set_num_threads(1)
    return kernels
