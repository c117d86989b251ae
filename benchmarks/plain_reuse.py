# SPDX-License-Identifier: Apache-2.0
"""Verify a variant by the original's cores as they are: what fails is searched, not repaired.

This is the product's reuse with one step left out. Cores, and the leaves of those that fail, are
tried with their stored multipliers alone; what fails then is a subproblem of the search, which does
with it what it does with any region: it asks the linear program, and splits. So what is measured
against this is what it gains to repair whole cores first, and to look at a sample of repairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.subject import attacked, result_of, search_of
from verifier.engine.evaluate import Query
from verifier.engine.refute import PROGRAM_LIMIT, refute
from verifier.engine.repair import Repair
from verifier.engine.reuse import Reuse
from verifier.engine.threads import single_threaded

if TYPE_CHECKING:
    from benchmarks.subject import Subject
    from verifier.engine.repair import Failed
    from verifier.pipeline import Result


@single_threaded()
def reuse_without_repair(subject: Subject) -> Result:
    """Verify; the result has no proof."""
    search = search_of(subject.graph, subject.prop, subject.options)
    outcome = attacked(search)
    if outcome is None:
        outcome = _WithoutRepair(search, subject.proof, subject.neuron_map).run()
    return result_of(search, outcome)


class _WithoutRepair(Reuse):
    """Reuse that hands all that failed to the search."""

    def _repair(self, failed: list[Failed]) -> Repair:
        """Return, as not repaired, what the search makes of each open leaf at first."""
        nothing = Repair(self.search)
        by_group: dict[int, list[Query]] = {}
        for part in failed:
            queries = by_group.setdefault(part.region.group, [])
            queries += [Query(region, part.core.case) for region in part.leaves]
        for queries in by_group.values():
            if queries:
                nothing.open += refute(self.search.problem, queries, PROGRAM_LIMIT)
        return nothing
