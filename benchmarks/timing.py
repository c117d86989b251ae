# SPDX-License-Identifier: Apache-2.0
"""What a call costs the processor, in a process that is warm."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from benchmarks.random_networks import random_network, random_property
from verifier.bounds.loading import load_kernels
from verifier.options import EngineOptions
from verifier.pipeline import prove

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL_PROOFS = 8


T = TypeVar("T")


def cpu_seconds(call: Callable[[], T]) -> tuple[T, float]:
    """Return what a call returns, and the processor's seconds that were used for it.

    Those of processes that it started and that have ended are included.
    """
    started = _used_seconds()
    result = call()
    return result, _used_seconds() - started


def _used_seconds() -> float:
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


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
