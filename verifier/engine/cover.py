# SPDX-License-Identifier: Apache-2.0
"""Do the cores cover everything?

A search leaves a tree: its leaves are refuted by cores, and each inner node has two children whose
last literals are opposites. If both children of a node are covered so is the node, because every
point satisfies one of two opposite literals; so a tree is checked from its leaves up, and covers
everything when its root, the empty path, is covered for each case. That takes a look at each node.

Where leaves are no tree, because literals were lost in translation or a leaf has no core, cores may
still cover everything together. Then the question is propositional, and ``clauses`` answers it. It
also writes the proof that goes into a certificate, when one is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.engine.clauses import refutation_of
from verifier.errors import VerifierError
from verifier.proof.literals import covers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verifier.engine.clauses import CasePath, Refutation
    from verifier.proof.literals import Path
    from verifier.proof.muc import Core


@dataclass(frozen=True, eq=False)
class Cover:
    """Cores that refute every case everywhere, which was checked.

    Attributes:
        cores: The cores.
        cases: Number of cases of the property.
        leaves: Case and path of the leaves of a tree of cases, as far as there is one.
    """

    cores: tuple[Core, ...]
    cases: int
    leaves: tuple[CasePath, ...]

    def refutation(self) -> Refutation:
        """Return the propositional proof.

        Raises:
            VerifierError: There is none: a defect, since the cores were found to cover.
        """
        found = refutation_of(self.cores, self.cases, self.leaves)
        if found is None:
            msg = "internal error: cores that were found to cover everything do not"
            raise VerifierError(msg)
        return found


def cover(
    cores: Sequence[Core], cases: int, leaves: Mapping[CasePath, Path] | None = None
) -> Cover | None:
    """Return the cores as a cover, or None when they do not refute every case everywhere.

    Args:
        cores: The cores.
        cases: Number of cases of the property.
        leaves: Case and path of leaves, with the path of a core that may refute them; by default
            the cores' own. A hint that saves time.
    """
    if leaves is None:
        leaves = {(core.case, core.path): core.path for core in cores}
    found = Cover(tuple(cores), cases, tuple(leaves))
    if _is_covered_tree(cores, cases, leaves):
        return found
    return None if refutation_of(cores, cases, found.leaves) is None else found


def _is_covered_tree(cores: Sequence[Core], cases: int, leaves: Mapping[CasePath, Path]) -> bool:
    """Tell whether refuted leaves and what follows from them reach the root of each case."""
    refuted = {(core.case, core.path) for core in cores}
    levels: dict[int, set[CasePath]] = {0: set()}
    for leaf, path in leaves.items():
        case, own = leaf
        if leaf in refuted or ((case, path) in refuted and covers(path, own)):
            levels.setdefault(len(own), set()).add(leaf)
    for depth in range(max(levels), 0, -1):
        level = levels.get(depth, set())
        above = levels.setdefault(depth - 1, set())
        for case, path in level:
            *way, last = path
            if (case, (*way, last.negated())) in level:
                above.add((case, tuple(way)))
    return all((case, ()) in levels[0] for case in range(cases))
