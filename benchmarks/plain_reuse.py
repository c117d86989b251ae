# SPDX-License-Identifier: Apache-2.0
"""Verify a variant by the original's cores as they are: what fails is searched, not repaired.

The cores are tried with their stored multipliers alone. Where one fails, the leaves that it stood
for become subproblems of the search, which then has to refute or to split them. What is measured
against this is what repair gains, and what looking at a sample of repairs saves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.subject import attacked, concluded, search_of
from verifier.engine.forest import in_chunks, regions_of
from verifier.engine.refute import Query
from verifier.engine.revalidate import Candidate, Revalidation
from verifier.engine.search import Outcome
from verifier.engine.threads import single_threaded
from verifier.engine.translate import Translation
from verifier.proof.literals import covers
from verifier.verdict import Answer

if TYPE_CHECKING:
    from benchmarks.subject import Subject
    from verifier.engine.clauses import CasePath
    from verifier.engine.repair import Failed
    from verifier.engine.search import Search
    from verifier.pipeline import Result
    from verifier.proof.literals import Path


@single_threaded()
def reuse_without_repair(subject: Subject) -> Result:
    """Verify; the result has no proof."""
    search = search_of(subject.graph, subject.prop, subject.options)
    outcome = attacked(search)
    if outcome is not None:
        return concluded(search, outcome)
    with search.statistics.timing("re-validate"):
        checked = Revalidation(search)
        checked.run(candidates_of(subject))
    if search.budget.is_spent:
        spent = Outcome(Answer.UNKNOWN, tuple(checked.valid), reason="time limit reached")
        return concluded(search, spent)
    search.cores.extend(checked.valid)
    with search.statistics.timing("residual"):
        return concluded(search, search.run(_open(search, checked.failed)))


def candidates_of(subject: Subject) -> list[Candidate]:
    """Return the cores on the variant, unchecked.

    A core that stands for one leaf is tried on the leaf's path, as the product does: the paths of
    leaves share their prefixes.
    """
    proof = subject.proof
    translation = Translation(subject.neuron_map, proof.layer_widths)
    leaves: list[list[Path]] = [[] for _ in proof.cores]
    for leaf in proof.leaves:
        path = translation.path(leaf.path)
        if path is not None:
            leaves[leaf.core].append(path[0])
    candidates: list[Candidate] = []
    for original, paths in zip(proof.cores, leaves, strict=True):
        translated = translation.core(original)
        if translated is not None:
            core = translated[0]
            if len(paths) == 1 and covers(core.path, paths[0]):
                core = replace(core, path=paths[0])
            candidates.append(Candidate(core, paths))
    return candidates


def _open(search: Search, failed: list[Failed]) -> list[Query]:
    """Return the leaves of failed cores as subproblems."""
    leaves: dict[int, dict[CasePath, None]] = {}
    for part in failed:
        of_group = leaves.setdefault(part.region.group, {})
        of_group |= dict.fromkeys((part.core.case, path) for path in part.leaves)
    queries: list[Query] = []
    for group, members in leaves.items():
        for chunk in in_chunks(list(members)):
            regions = regions_of(search.problem, group, [path for _, path in chunk])
            queries += [Query(regions[path], case) for case, path in chunk]
    return queries
