# SPDX-License-Identifier: Apache-2.0
"""Whether a list of clauses follows, step by step, by unit propagation.

A clause *follows by reverse unit propagation* (RUP; Goldberg and Novikov 2003) if assuming all its
literals false and propagating units meets a conflict. Each step that follows may be used by later
ones; a proof is complete once the empty clause has followed.

Propagation watches two literals of each clause (Moskewicz et al. 2001), which are its first two.
A watched literal is false only while the other one is true. Assumptions are undone after each
step; what follows from units alone stays assigned for good. Nothing is ever deleted: certificates
are small enough, and a deletion that is forgotten is one error less to make.
"""

from __future__ import annotations

from operator import neg
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ClauseSet:
    """Clauses over the variables ``1 .. variable_count``, closed under unit propagation."""

    def __init__(self, variable_count: int) -> None:
        self._size = variable_count
        # Indexed by literal: negative ones count from the end, as Python's indices do.
        self._is_true = [False] * (2 * variable_count + 1)
        self._watches: list[list[list[int]]] = [[] for _ in range(2 * variable_count + 1)]
        self._trail: list[int] = []
        self.is_contradictory = False

    def add(self, clause: Iterable[int]) -> None:
        """Add a clause; the caller vouches for it.

        Raises:
            ValueError: A literal is 0 or beyond the variables.
        """
        literals = list(dict.fromkeys(clause))
        for literal in literals:
            if not 1 <= abs(literal) <= self._size:
                msg = f"literal {literal} is not among {self._size} variables"
                raise ValueError(msg)
        if not set(literals).isdisjoint([-literal for literal in literals]):
            return  # It holds always.
        if self.is_contradictory or any(self._is_true[literal] for literal in literals):
            # What holds by units alone holds for good, so this clause can never propagate.
            return
        open_literals = [literal for literal in literals if not self._is_true[-literal]]
        if len(open_literals) > 1:
            # Literals that are false for good are left out: they can never help.
            self._watches[open_literals[0]].append(open_literals)
            self._watches[open_literals[1]].append(open_literals)
        elif not open_literals or not self._propagate(open_literals):
            self.is_contradictory = True

    def implies(self, clause: Iterable[int]) -> bool:
        """Return whether a clause follows by reverse unit propagation; nothing is changed."""
        if self.is_contradictory:
            return True
        level = len(self._trail)
        negated = dict.fromkeys(map(neg, clause))
        # A literal that is true already, or that comes with its opposite, makes the clause true.
        is_conflict = (
            any(self._is_true[-literal] for literal in negated)
            or not negated.keys().isdisjoint(map(neg, negated))
            or not self._propagate([n for n in negated if not self._is_true[n]])
        )
        for literal in self._trail[level:]:
            self._is_true[literal] = False
        del self._trail[level:]
        return is_conflict

    def _propagate(self, literals: list[int]) -> bool:
        """Assign open literals and all that follows; return whether there is no conflict.

        What follows from the first literal is looked at before the second: a proof by cases has
        its conflict there, and the others need not be looked at.
        """
        for literal in literals:
            self._is_true[literal] = True
        self._trail += literals
        pending = literals[::-1]
        while pending:
            done = len(self._trail)
            if not self._visit(-pending.pop()):
                return False
            pending += self._trail[done:]
        return True

    def _visit(self, false: int) -> bool:
        """Look at the clauses that watch a literal which became false."""
        is_true, watches = self._is_true, self._watches
        visited = watches[false]
        kept: list[list[int]] = []
        watches[false] = kept
        for number, clause in enumerate(visited):
            if clause[0] == false:
                clause[0], clause[1] = clause[1], false
            first = clause[0]
            if is_true[first]:
                kept.append(clause)
                continue
            for place in range(2, len(clause)):
                if not is_true[-clause[place]]:
                    clause[1], clause[place] = clause[place], false
                    watches[clause[1]].append(clause)
                    break
            else:
                kept.append(clause)
                if is_true[-first]:
                    kept.extend(visited[number + 1 :])
                    return False
                is_true[first] = True
                self._trail.append(first)
        return True
