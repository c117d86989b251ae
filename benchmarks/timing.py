# SPDX-License-Identifier: Apache-2.0
"""A verification with the processor's seconds that it took, in a process that is warm."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.random_networks import random_network, random_property
from verifier.bounds.loading import load_kernels
from verifier.options import EngineOptions
from verifier.pipeline import prove

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier.pipeline import Result

SMALL_PROOFS = 8


@dataclass(frozen=True, eq=False)
class Timed:
    """A result and its cost.

    Attributes:
        result: The result.
        cpu_seconds: Of the processor: what this process used, whatever else ran meanwhile.
    """

    result: Result
    cpu_seconds: float


def timing(verify: Callable[[], Result]) -> Timed:
    """Run a verification."""
    started = time.process_time()
    result = verify()
    return Timed(result, time.process_time() - started)


@cache
def warm_up() -> None:
    """Have this process load all that a verification needs, compiled loops above all.

    A loop is loaded when it is first called, so a few small proofs are made.
    """
    load_kernels()
    for seed in range(SMALL_PROOFS):
        rng = np.random.default_rng(seed)
        graph = random_network(rng)
        prove(graph, random_property(rng, graph), EngineOptions(compiled=True))
