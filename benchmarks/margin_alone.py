# SPDX-License-Identifier: Apache-2.0
"""Verify a variant by the differential margin and by nothing else.

The property is carried over where compression changes the network by less than every core of the
original spares (see ``verifier/engine/differential.py``). As in the product, margins are believed
only once they were evaluated on the original again. Where the change is too large, nothing is
known: such a run tells how often the shortcut applies, and what asking costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.subject import result_of, search_of
from verifier.engine.cover import cover
from verifier.engine.differential import transfers
from verifier.engine.revalidate import Candidate, Revalidation
from verifier.engine.search import Outcome
from verifier.engine.threads import single_threaded
from verifier.verdict import Answer

if TYPE_CHECKING:
    from benchmarks.subject import Subject
    from verifier.engine.search import Search
    from verifier.pipeline import Result

TOO_LARGE = "the change is not below the margin of every core"


@single_threaded()
def decide_by_margin(subject: Subject) -> Result:
    """Verify; the verdict is HOLDS or UNKNOWN, and the result has no proof."""
    search = search_of(subject.graph, subject.prop, subject.options)
    with search.statistics.timing("differential margin"):
        is_transferred = _transfers(subject, search)
    answer = Answer.UNSAT if is_transferred else Answer.UNKNOWN
    return result_of(search, Outcome(answer, (), reason="" if is_transferred else TOO_LARGE))


def _transfers(subject: Subject, search: Search) -> bool:
    before = search_of(subject.original, subject.prop, subject.options)
    proof, neuron_map = subject.proof, subject.neuron_map
    cores = proof.cores
    if not transfers(before.problem, search.problem, cores, neuron_map):
        return False
    check = Revalidation(before)
    check.run([Candidate(core, ()) for core in cores])
    leaves = {(cores[leaf.core].case, leaf.path): cores[leaf.core].path for leaf in proof.leaves}
    return cover(check.cores, len(subject.prop.cases), leaves) is not None and transfers(
        before.problem, search.problem, check.cores, neuron_map
    )
