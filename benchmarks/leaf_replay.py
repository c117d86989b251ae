# SPDX-License-Identifier: Apache-2.0
"""Verify a variant by solving every leaf of the original's search anew.

This is how IVAN reuses a proof (Ugare et al., *Incremental Verification of Neural Networks*, PLDI
2023, arXiv 2304.01874): the tree of the original's search tells where to split, and nothing more.
It is the tree of a plain search: what else is done to a proof for the sake of reuse is left out.
Each of its leaves is bounded on the variant and goes to the full refuter, the triangle program
included; no multipliers are kept, and no literal was dropped. Where a leaf stays open, the search
goes on from there with splits. (IVAN also leaves out splits that gained little, and prefers splits
that did well. Neither is done here.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.subject import attacked, concluded, search_of
from verifier.engine.evaluate import Query
from verifier.engine.refute import PROGRAM_LIMIT, refute
from verifier.engine.region_tree import ALONG, RegionTree, in_chunks
from verifier.engine.search import Outcome
from verifier.engine.threads import single_threaded
from verifier.engine.translate import Translation
from verifier.verdict import Answer

if TYPE_CHECKING:
    from benchmarks.subject import Subject
    from verifier.engine.clauses import CasePath
    from verifier.engine.evaluate import Attempt
    from verifier.engine.search import Search
    from verifier.pipeline import Result


@single_threaded()
def replay_leaves(subject: Subject) -> Result:
    """Verify; the result has no proof."""
    search = search_of(subject.graph, subject.prop, subject.options)
    outcome = attacked(search)
    if outcome is None:
        open_ = _solved(search, leaves_of(subject))
        if search.budget.is_spent:
            outcome = Outcome(Answer.UNKNOWN, tuple(search.cores), reason="time limit reached")
        else:
            with search.statistics.timing("residual"):
                outcome = search.run((), open_)
    return concluded(search, outcome)


def leaves_of(subject: Subject) -> list[CasePath]:
    """Return case and path, on the variant, of each leaf of the original's search."""
    translation = Translation(
        subject.neuron_map, subject.original.layer_widths, subject.graph.layer_widths
    )
    found: dict[CasePath, None] = {}
    for case, path in subject.leaves:
        translated = translation.path(path)
        if translated is not None:  # Else the variant has no such branch.
            found[case, translated[0]] = None
    return list(found)


def _solved(search: Search, leaves: list[CasePath]) -> list[Attempt]:
    """Add the refuted leaves to the search's cores; return the attempts at the others."""
    open_: list[Attempt] = []
    by_group: dict[int, list[CasePath]] = {}
    for leaf in leaves:
        by_group.setdefault(search.problem.group_of(leaf[0]), []).append(leaf)
    with search.statistics.timing("leaves"):
        for group, members in by_group.items():
            for chunk in in_chunks(members):
                if search.budget.is_spent:
                    return open_
                paths = [path for _, path in chunk]
                tree = RegionTree.of(search.problem, group, paths, ALONG)
                queries = [Query(tree.region(i), case) for i, (case, _) in enumerate(chunk)]
                search.statistics.calls["leaf"] += len(queries)
                for attempt in refute(search.problem, queries, PROGRAM_LIMIT):
                    if attempt.core is None:
                        open_.append(attempt)
                    else:
                        search.cores.append(attempt.core)
    return open_
