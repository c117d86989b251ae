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

from verifier.engine.limits import Progress
from verifier.engine.region_tree import RegionTree, in_chunks
from verifier.engine.repair import Failed
from verifier.proof.muc import Core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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
        tree = RegionTree.of(self.search.problem, group, [part.core.path for part in chunk])
        leaves = tree.leaves
        empty = tree.bounds.empty[leaves].tolist()
        margins = self._margins([part.core for part in chunk], tree, leaves)
        for number, (candidate, margin) in enumerate(zip(chunk, margins, strict=True)):
            core = candidate.core
            if empty[number]:
                self.valid.append(Core(core.case, core.path, None, np.inf))
            elif margin > 0.0:
                self.valid.append(Core(core.case, core.path, core.multipliers, margin))
            else:
                self.failed.append(Failed(core, tree.region(number), candidate.leaves))

    def _margins(
        self, cores: Sequence[Core], tree: RegionTree, leaves: NDArray[np.intp]
    ) -> list[float]:
        """Evaluate each core's multipliers over its leaf of the tree; 0 where it has none."""
        chosen = {i: core.multipliers for i, core in enumerate(cores) if core.multipliers}
        margins = [0.0] * len(cores)
        if chosen:
            nodes, cases = leaves[list(chosen)], [cores[i].case for i in chosen]
            values = tree.evaluate(nodes, cases, list(chosen.values()))
            for i, value in zip(chosen, values.tolist(), strict=True):
                margins[i] = value
        return margins
