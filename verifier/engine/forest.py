# SPDX-License-Identifier: Apache-2.0
"""Bound the regions of many paths at once, sharing what their prefixes share.

Paths in search order have long common prefixes: a proof's cores are the leaves of a tree. All
regions of one depth are bounded in one batch. Paths are taken in chunks, in order, so that a
large proof never holds all its inner regions in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from verifier.engine.region import Region, root, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verifier.engine.problem import Problem
    from verifier.proof.literals import Path

T = TypeVar("T")

CHUNK = 512
BATCH = 256


def regions_of(problem: Problem, group: int, paths: Sequence[Path]) -> dict[Path, Region]:
    """Return the regions of the given paths and of all their prefixes."""
    found: dict[Path, Region] = {(): root(problem, group)}
    deepest = max((len(path) for path in paths), default=0)
    for depth in range(1, deepest + 1):
        # A dict keeps the order, so batches and results are reproducible.
        wanted = list(dict.fromkeys(path[:depth] for path in paths if len(path) >= depth))
        problem = problem.for_work(len(found) + len(wanted))
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            parts = [(found[path[:-1]], path[-1]) for path in batch]
            found |= zip(batch, split(problem, parts), strict=True)
    return found


def in_chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield consecutive parts of a sequence."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
