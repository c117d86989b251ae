# SPDX-License-Identifier: Apache-2.0
"""Repair cores whose stored multipliers fail on the compressed network.

Two rungs, the second only for what the first left:

  * new multipliers for the core's own region: what the refuter finds there, the triangle program
    last;
  * literals added back: new multipliers for the leaves that the core stood for, and that their own
    multipliers do not refute either.

What fails on both rungs is kept as the attempt that failed: its region is bounded and its program
solved, so the residual search goes on from there, with a split.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verifier.engine.evaluate import Query
from verifier.engine.limits import Progress
from verifier.engine.refute import PROGRAM_LIMIT, refute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.engine.evaluate import Attempt
    from verifier.engine.region import Region
    from verifier.engine.search import Search
    from verifier.proof.muc import Core


@dataclass(frozen=True, eq=False)
class Failed:
    """A core that its multipliers do not refute on the compressed network.

    Attributes:
        core: The core.
        region: Its region there.
        leaves: The regions of those of its leaves, or their parts, that are not refuted either;
            among them its own where it is a leaf itself.
    """

    core: Core
    region: Region
    leaves: Sequence[Region]


@dataclass(eq=False)
class Repair:
    """The repair of some cores, step by step.

    Attributes:
        search: Brings the problem, the budget and the counters.
        cores: Refutations found, of whole cores and of single leaves.
        repaired: Number of cores of which every part is refuted.
        tried: Number of cores that were tried; without time they are fewer than were given.
        open: What is left of them: attempts at leaves that were not refuted.
    """

    search: Search
    cores: list[Core] = field(default_factory=list)
    repaired: int = 0
    tried: int = 0
    open: list[Attempt] = field(default_factory=list)

    def run(self, failed: Sequence[Failed], total: int) -> None:
        """Try some cores, as long as there is time.

        Args:
            failed: The cores.
            total: How many there are in all, for the report of progress.
        """
        for start in range(0, len(failed), self.search.options.batch):
            if self.search.budget.is_spent:
                return
            batch = failed[start : start + self.search.options.batch]
            for group in dict.fromkeys(part.region.group for part in batch):
                self._repair([part for part in batch if part.region.group == group])
            self.tried += len(batch)
            self.search.statistics.calls["repair"] += len(batch)
            left, dropped = total - self.tried, self.tried - self.repaired
            told = Progress("repair", self.tried, left, repaired=self.repaired, dropped=dropped)
            self.search.report(told)

    def _repair(self, failed: Sequence[Failed]) -> None:
        # A single part of a core is the likelier to be refuted; several may be refuted at once.
        wholes = [
            number
            for number, part in enumerate(failed)
            if len(part.leaves) != 1 or part.leaves[0] is part.region
        ]
        attempts = self._refute([self._query(failed[i].region, failed[i].core) for i in wholes])
        own = dict(zip(wholes, attempts, strict=True))
        is_left = [i not in own or own[i].core is None for i in range(len(failed))]
        queries = {
            (number, place): self._query(region, part.core)
            for number, part in enumerate(failed)
            for place, region in enumerate(part.leaves)
            if is_left[number] and region is not part.region
        }
        of_leaves = dict(zip(queries, self._refute(list(queries.values())), strict=True))
        for number, part in enumerate(failed):
            if not is_left[number]:
                self.repaired += 1
                continue
            parts = [of_leaves.get((number, i)) or own[number] for i in range(len(part.leaves))]
            is_open = [attempt for attempt in parts if attempt.core is None]
            self.open += is_open
            self.repaired += bool(parts) and not is_open

    def _query(self, region: Region, core: Core) -> Query:
        # Elsewhere a hint is tried as it is, and that the core's own multipliers fail is known.
        hint = core.multipliers if self.search.problem.layers.wide else None
        return Query(region, core.case, hint)

    def _refute(self, queries: Sequence[Query]) -> list[Attempt]:
        if not queries:
            return []
        attempts = refute(self.search.problem, queries, PROGRAM_LIMIT, self.search.budget)
        self.cores += [attempt.core for attempt in attempts if attempt.core is not None]
        return attempts
