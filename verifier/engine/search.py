# SPDX-License-Identifier: Apache-2.0
"""Search: split regions until every case is refuted everywhere, or a counterexample is found.

The stack holds regions with the cases still open there, screened by default multipliers. The loop
takes a batch from its end (depth first, so memory stays small), refutes what it can, looks at the
points that the refuter points to, and splits the rest in two. Each refuted (region, case) is a
core.

Invariant: every point of the starting regions that satisfies an open case lies in a region on the
stack, or in one of the cores' regions, which have no such points. So when the stack is empty, the
cores refute everything; that is checked again, independently, by ``cover`` and the certificate.

Complete: splits on phases are finitely many, splits on inputs are bounded by ``decide``, and a
region whose phases are all known is decided exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING

import numpy as np

from verifier.engine.attack import Guess, attack, descend_within
from verifier.engine.candidates import confirm
from verifier.engine.decide import candidates, gain
from verifier.engine.evaluate import Attempt, Query
from verifier.engine.limits import TIME_LIMIT, Progress
from verifier.engine.refute import PROGRAM_LIMIT, screen, strengthen
from verifier.engine.region import exact_bounds, root, split
from verifier.engine.region_tree import in_chunks
from verifier.proof.muc import Core
from verifier.verdict import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from fractions import Fraction

    from verifier.engine.limits import Budget, ProgressFn
    from verifier.engine.problem import Problem
    from verifier.engine.protocols import ExactSolver
    from verifier.engine.statistics import Statistics
    from verifier.options import EngineOptions
    from verifier.proof.literals import Literal, Path
    from verifier.proof.muc import Multipliers

STEPS = 6
"""Steps of descent from each guess at a counterexample."""
ATTACKS = ((32, 96, 25), (10_000, 1000, 25))
WIDE_ATTACKS = ((512, 32, 25),)
"""After how many bounded regions an attack of how many starts and steps is worth its time. The last
takes some seconds: ACAS Xu 2_9 property 8 is violated in a corner that small ones miss."""
GUESSES = 8
"""On wide networks, how many of a batch's points are descended from: regions are cheaper there than
descents."""
ACCELERATED_FROM = 20_000
"""Bounded regions of a wide network from which an accelerator is worth loading."""


SHARED_FROM = 4_000
"""Bounded regions from which a search is shared: some seconds. To start a process takes one."""

Stack = list[list[Attempt]]
"""Attempts at the cases that are open in a region, for each open region."""
ShareFn = Callable[["Search", Stack], "Outcome"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a search found.

    Attributes:
        answer: SAT (a counterexample), UNSAT (all refuted) or UNKNOWN.
        cores: Refutations found, one for each closed (region, case).
        point: The counterexample's input, exact, if SAT.
        reason: Why UNKNOWN.
    """

    answer: Answer
    cores: tuple[Core, ...]
    point: tuple[Fraction, ...] | None = None
    reason: str = ""


@dataclass(eq=False)
class Search:
    """One search over a problem.

    Attributes:
        problem: The network and the property.
        options: How to search.
        budget: When to stop.
        exact: Decides regions whose phases are all known.
        statistics: Counts theory calls.
        report: Told how it goes.
        share: Searches what is on a stack with other processes, if there are any.
        cores: Refutations found so far.
        attacks: How many of the scheduled attacks were made.
    """

    problem: Problem
    options: EngineOptions
    budget: Budget
    exact: ExactSolver
    statistics: Statistics
    report: ProgressFn
    share: ShareFn | None = None
    cores: list[Core] = field(default_factory=list)
    attacks: int = 0

    def run(self, queries: Sequence[Query], tried: Sequence[Attempt] = ()) -> Outcome:
        """Search the given cases over regions, and what attempts have left open."""
        self.attacks = 0
        stack = self.opened(queries)
        found = self._close_or_split(tried, stack)
        while stack and found is None:
            self._tell(stack)
            point = self.attacked({a.query.case for attempts in stack for a in attempts})
            if point is not None:
                return Outcome(Answer.SAT, tuple(self.cores), point)
            if self.budget.is_spent:
                reason = f"{TIME_LIMIT} with {len(stack)} regions open"
                return Outcome(Answer.UNKNOWN, tuple(self.cores), reason=reason)
            self._equip()
            if self.share is not None and self._is_long:
                return self.share(self, stack)
            found = self.advance(stack)
        if found is not None:
            return found
        self._tell(stack)
        return Outcome(Answer.UNSAT, tuple(self.cores))

    def _tell(self, stack: Stack) -> None:
        look = partial(_worst_bound, stack)
        self.report(Progress("search", len(self.cores), len(stack), look=look))

    def opened(self, queries: Sequence[Query]) -> Stack:
        """Return a stack of cases over regions, screened."""
        return _by_region(self._screened(queries))

    def advance(self, stack: Stack) -> Outcome | None:
        """Refute or split a batch from the end of the stack; return an outcome that ends it all."""
        batch = [part for parts in _take(stack, self.options.batch) for part in parts]
        attempts = strengthen(self.problem, batch, PROGRAM_LIMIT, self.budget)
        if not self._is_wide:
            self.statistics.calls["program"] += sum(a.point is not None for a in attempts)
        return self._close_or_split(attempts, stack)

    def attacked(self, cases: AbstractSet[int]) -> tuple[Fraction, ...] | None:
        """Attack open cases, if the next attack is due."""
        schedule = WIDE_ATTACKS if self._is_wide else ATTACKS
        bounded = self.statistics.calls["bound"]
        if self.attacks == len(schedule) or bounded < schedule[self.attacks][0]:
            return None
        _, starts, steps = schedule[self.attacks]
        self.attacks += 1
        with self.statistics.timing("attack"):
            return attack(self.problem, self.options.seed, steps, starts, cases)

    def _equip(self) -> None:
        """Change over to what is fast for much work, once there has been much."""
        bounded = self.statistics.calls["bound"]
        self.problem = self.problem.for_work(bounded)
        if self.options.accelerator and self._is_wide and bounded >= ACCELERATED_FROM:
            self.problem = self.problem.accelerated()

    def _close_or_split(self, attempts: Sequence[Attempt], stack: Stack) -> Outcome | None:
        """Keep what was refuted, look for a counterexample, and split what is left."""
        left: list[Attempt] = []
        for attempt in attempts:
            if attempt.core is not None:
                self.cores.append(attempt.core)
                continue
            point = None if self._is_wide else self._counterexample(attempt)
            if point is not None:
                return Outcome(Answer.SAT, tuple(self.cores), point)
            left.append(attempt)
        point = self._descended(left)
        if point is not None:
            return Outcome(Answer.SAT, tuple(self.cores), point)
        splits: list[tuple[list[Attempt], list[Literal]]] = []
        for members in self._to_split(left):
            region = members[0].query.region
            worst = min(members, key=lambda a: float(a.bound.value[0]))
            box = self.problem.groups[region.group].bounds.box
            literals = candidates(worst, box, wide=self._is_wide)
            if literals:
                splits.append((members, literals))
            else:
                outcome = self._decide(members)
                if outcome is not None:
                    return outcome
        for chunk in in_chunks(splits, self.options.batch):
            self._split(chunk, stack)
        return None

    def _to_split(self, attempts: Sequence[Attempt]) -> list[list[Attempt]]:
        """Put together what is split together: where regions cost nothing, each case by itself."""
        return [[attempt] for attempt in attempts] if self._is_wide else _by_region(attempts)

    def _split(self, splits: Sequence[tuple[list[Attempt], list[Literal]]], stack: Stack) -> None:
        """Look at both parts of each split, and push those of the best one for each region."""
        parts = [
            (members[0].query.region, side)
            for members, literals in splits
            for literal in literals
            for side in (literal.negated(), literal)
        ]
        self.statistics.calls["bound"] += len(parts)
        regions = iter(split(self.problem, parts))
        queries: list[Query] = []
        for members, literals in splits:
            for region in islice(regions, 2 * len(literals)):
                queries += [Query(region, a.query.case, self._hint(a), a.warm) for a in members]
        screened = iter(self._screened(queries))
        for members, literals in splits:
            looks = [[list(islice(screened, len(members))) for _ in range(2)] for _ in literals]
            best = max(looks, key=lambda sides: sum(map(gain, sides)))
            # The part that lacks most comes first: if there is a counterexample, then rather there.
            stack += sorted(best, key=gain, reverse=True)

    def _screened(self, queries: Sequence[Query]) -> list[Attempt]:
        """Screen queries that may be of several groups."""
        groups = groupby(queries, key=lambda query: query.region.group)
        return [attempt for _, part in groups for attempt in screen(self.problem, list(part))]

    def _hint(self, attempt: Attempt) -> Multipliers | None:
        """Return what to try on the parts of a region; nothing for a proof that is kept for reuse.

        A region that is refuted by another's multipliers has a thinner margin than it could have.
        """
        return None if self.options.minimize else attempt.hint

    def _counterexample(self, attempt: Attempt) -> tuple[Fraction, ...] | None:
        """Look at the points where the bound and the program are least."""
        box = attempt.query.region.bounds.box
        points = [np.where(attempt.bound.slopes[0] >= 0.0, box.lower[0], box.upper[0])]
        if attempt.point is not None:
            points.append(attempt.point)
        return confirm(self.problem, attempt.query.case, np.array(points))

    def _descended(self, attempts: Sequence[Attempt]) -> tuple[Fraction, ...] | None:
        """Descend a few steps from where the programs of open regions are least."""
        if self._is_wide:
            attempts = attempts[:: max(len(attempts) // GUESSES, 1)]
        guesses = [
            Guess(attempt.query.region, attempt.query.case, attempt.point)
            for attempt in attempts
            if attempt.point is not None
        ]
        return descend_within(self.problem, guesses, STEPS)

    def _decide(self, attempts: Sequence[Attempt]) -> Outcome | None:
        """Ask the exact solver about a region whose phases are all known."""
        for attempt in attempts:
            query = attempt.query
            self.statistics.calls["exact"] += 1
            path = query.region.path
            bounds = exact_bounds(query.region)
            answer = self.exact.decide(query.case, path, bounds, self.budget.remaining_seconds)
            match answer.answer:
                case Answer.SAT:
                    return Outcome(Answer.SAT, tuple(self.cores), answer.point)
                case Answer.UNKNOWN:
                    reason = f"{TIME_LIMIT} in the exact solver"
                    return Outcome(Answer.UNKNOWN, tuple(self.cores), reason=reason)
                case Answer.UNSAT:
                    self.cores.append(Core(query.case, path, None, 0.0))
        return None

    @property
    def _is_long(self) -> bool:
        """Whether there has been enough work for other processes to be worth starting."""
        is_for_one = self._is_wide and self.options.accelerator
        return self.statistics.calls["bound"] >= SHARED_FROM and not is_for_one

    @property
    def _is_wide(self) -> bool:
        return self.problem.layers.wide


def whole(problem: Problem) -> list[Query]:
    """Return all cases over their whole boxes."""
    return [
        Query(root(problem, number), case)
        for number, group in enumerate(problem.groups)
        for case in group.objectives
    ]


def _worst_bound(stack: Stack) -> float | None:
    bounds = (float(attempt.bound.value[0]) for attempts in stack for attempt in attempts)
    return min(bounds, default=None)


def _by_region(attempts: Sequence[Attempt]) -> Stack:
    """Put attempts at the cases of one region together."""
    regions: dict[tuple[int, Path], list[Attempt]] = {}
    for attempt in attempts:
        region = attempt.query.region
        regions.setdefault((region.group, region.path), []).append(attempt)
    return list(regions.values())


def _take(stack: Stack, most: int) -> Stack:
    """Remove regions of one group from the end of the stack."""
    group = stack[-1][0].query.region.group
    batch: Stack = []
    while stack and len(batch) < most and stack[-1][0].query.region.group == group:
        batch.append(stack.pop())
    return batch
