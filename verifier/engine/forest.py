# SPDX-License-Identifier: Apache-2.0
"""Bound the regions of many paths at once, sharing what their prefixes share.

Paths in search order have long common prefixes: a proof's cores are the leaves of a tree. All
regions of one depth are bounded in one batch. Paths are taken in chunks, in order, so that a
large proof never holds all its inner regions in memory.

Bounding a region from one a single literal above gives the best bounds; from one several literals
above, about as good ones mostly, with fewer regions on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from verifier.engine.region import Region, cut, root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verifier.engine.problem import Problem
    from verifier.proof.literals import Path

T = TypeVar("T")

CHUNK = 512
BATCH = 256


def prefixes(path: Path, stride: int) -> list[Path]:
    """Return the prefixes of a path that end at multiples of the stride, and the path itself."""
    return [path[:depth] for depth in range(0, len(path), stride)] + [path]


def regions_of(
    problem: Problem, group: int, paths: Sequence[Path], stride: int = 1
) -> dict[Path, Region]:
    """Return the regions of the given paths and of their prefixes.

    Args:
        problem: The network and the property.
        group: The group of all paths.
        paths: The paths.
        stride: By how many literals a prefix is longer than the one before it.
    """
    found: dict[Path, Region] = {(): root(problem, group)}
    chains = [prefixes(path, stride) for path in paths]
    for level in range(1, max(map(len, chains), default=0)):
        # A dict keeps the order, so batches and results are reproducible.
        wanted = {chain[level]: chain[level - 1] for chain in chains if len(chain) > level}
        problem = problem.for_work(len(found) + len(wanted))
        for batch in in_chunks(list(wanted.items()), BATCH):
            parts = [(found[above], path[len(above) :]) for path, above in batch]
            found |= zip((path for path, _ in batch), cut(problem, parts), strict=True)
    return found


def in_chunks(items: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Yield consecutive parts of a sequence."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
