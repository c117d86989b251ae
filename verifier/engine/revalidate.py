# SPDX-License-Identifier: Apache-2.0
"""Which cores of the original are valid on the compressed network, by their own multipliers?

A core is valid where its stored multipliers give a positive bound over its region, with bounds of
neurons that are computed anew on this network. Most of the time goes to those bounds. (Bounding
regions straight from the root first, and along their paths only where that is not enough, saves
half of the regions and most of the sharing between paths: no faster on ACAS Xu.)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.engine.limits import Progress
from verifier.engine.region_tree import RegionTree, in_chunks
from verifier.engine.repair import Failed
from verifier.proof.muc import Core

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from verifier.engine.region import Region
    from verifier.engine.search import Search
    from verifier.proof.literals import Path
    from verifier.proof.muc import Multipliers


FEW = 4
"""Where so few parts fail all, splits of the original are not worth keeping: the region is searched
anew as a whole, split for the network at hand."""


@dataclass(frozen=True, eq=False)
class Part:
    """A leaf that a core stands for, or a part of one.

    Attributes:
        path: Its literals.
        multipliers: Returns what may refute it where the core's multipliers fail, if there is
            something; most are never asked.
    """

    path: Path
    multipliers: Callable[[], Multipliers | None]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A core on the compressed network, not yet checked there.

    Attributes:
        core: The core.
        parts: The leaves it stands for, without vacuous ones.
    """

    core: Core
    parts: Sequence[Part]


@dataclass(eq=False)
class Revalidation:
    """The re-validation of some cores.

    Attributes:
        search: Brings the problem, the budget and the counters.
        cores: Refutations here, with their margins: of whole cores and of parts.
        valid: Number of cores that are refuted, as a whole or part by part.
        in_parts: Number of those that are refuted part by part.
        failed: The others, as far as there was time.
    """

    search: Search
    cores: list[Core] = field(default_factory=list)
    valid: int = 0
    in_parts: int = 0
    failed: list[Failed] = field(default_factory=list)

    def run(self, candidates: Sequence[Candidate]) -> None:
        """Try all candidates, as long as there is time."""
        groups: dict[int, list[Candidate]] = {}
        for candidate in candidates:
            group = self.search.problem.group_of(candidate.core.case)
            groups.setdefault(group, []).append(candidate)
        for group, members in groups.items():
            for chunk in in_chunks(members):
                if self.search.budget.is_spent:
                    return
                self._try(chunk, group)
                self.search.statistics.calls["re-validate"] += len(chunk)
                self.search.report(Progress("re-validate", self.valid, len(candidates)))

    def _try(self, chunk: Sequence[Candidate], group: int) -> None:
        """Try cores, then the parts of those that fail."""
        before = len(self.failed)
        failed = self._tried([candidate.core for candidate in chunk], group)
        parts = [
            (i, replace(core, path=part.path, multipliers=part.multipliers() or core.multipliers))
            for i in failed
            for core in (chunk[i].core,)
            for part in chunk[i].parts
            if part.path != core.path
        ]
        failed_parts = self._tried([part for _, part in parts], group)
        left: dict[int, list[Region]] = {i: [] for i in failed}
        for number, region in failed_parts.items():
            left[parts[number][0]].append(region)
        for i, region in failed.items():
            core, own = chunk[i].core, chunk[i].parts
            is_lost = len(left[i]) == len(own) <= FEW
            if is_lost or any(part.path == core.path for part in own):
                left[i] = [region]
            if left[i] or not own:
                self.failed.append(Failed(core, region, left[i]))
            else:
                self.in_parts += 1
        self.valid += len(chunk) - len(self.failed) + before

    def _tried(self, cores: Sequence[Core], group: int) -> dict[int, Region]:
        """Keep those cores that are refutations; return the others' numbers and regions."""
        tree = RegionTree.of(self.search.problem, group, [core.path for core in cores])
        failed: list[int] = []
        margins = tree.margins(cores).tolist()
        for number, (core, margin) in enumerate(zip(cores, margins, strict=True)):
            if margin > 0.0:
                multipliers = None if margin == np.inf else core.multipliers
                self.cores.append(Core(core.case, core.path, multipliers, margin))
            else:
                failed.append(number)
        return dict(zip(failed, tree.regions(failed), strict=True))
