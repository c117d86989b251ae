# SPDX-License-Identifier: Apache-2.0
"""Which cores of the original are valid on the compressed network, by their own multipliers?

A core is valid where its stored multipliers give a positive bound over its region, with bounds of
neurons that are computed anew on this network. Most of the time goes to those bounds. (Bounding
regions straight from the root first, and along their paths only where that is not enough, saves
half of the regions and most of the sharing between paths: no faster on ACAS Xu.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from verifier.engine.evaluate import Query, evaluate
from verifier.engine.forest import in_chunks, regions_of
from verifier.engine.limits import Progress
from verifier.engine.repair import Failed
from verifier.proof.muc import Core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.engine.region import Region
    from verifier.engine.search import Search
    from verifier.proof.literals import Path


@dataclass(frozen=True, eq=False)
class Candidate:
    """A core on the compressed network, not yet checked there.

    Attributes:
        core: The core.
        leaves: Paths of the leaves it stands for, without vacuous ones.
    """

    core: Core
    leaves: Sequence[Path]


@dataclass(eq=False)
class Revalidation:
    """The re-validation of some cores.

    Attributes:
        search: Brings the problem, the budget and the counters.
        valid: Cores that are refutations here, with their margins.
        failed: The others, as far as there was time.
    """

    search: Search
    valid: list[Core] = field(default_factory=list)
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
                self.search.report(Progress("re-validate", len(self.valid), len(candidates)))

    def _try(self, chunk: Sequence[Candidate], group: int) -> None:
        paths = [candidate.core.path for candidate in chunk]
        found = regions_of(self.search.problem, group, paths)
        regions = [found[path] for path in paths]
        margins = self._margins([part.core for part in chunk], regions)
        for candidate, region, margin in zip(chunk, regions, margins, strict=True):
            core = candidate.core
            if region.is_empty:
                self.valid.append(Core(core.case, region.path, None, np.inf))
            elif margin > 0.0:
                self.valid.append(Core(core.case, region.path, core.multipliers, margin))
            else:
                self.failed.append(Failed(core, region, candidate.leaves))

    def _margins(self, cores: Sequence[Core], regions: Sequence[Region]) -> list[float]:
        """Evaluate each core's multipliers over its region; 0 where it has none."""
        chosen = {i: core.multipliers for i, core in enumerate(cores) if core.multipliers}
        margins = [0.0] * len(cores)
        if chosen:
            queries = [Query(regions[i], cores[i].case) for i in chosen]
            values = evaluate(self.search.problem, queries, list(chosen.values())).value
            for i, value in zip(chosen, values.tolist(), strict=True):
                margins[i] = value
        return margins
