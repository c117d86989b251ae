# SPDX-License-Identifier: Apache-2.0
"""Search: split regions until every case is refuted everywhere, or a counterexample is found.

A task is a region and the cases still open there. The loop takes a batch of tasks from the end of
a stack (depth first, so memory stays small), refutes what it can, looks at the points that the
refuter points to, and splits the rest in two. Each refuted (region, case) is a core.

Invariant: every point of the starting regions that satisfies an open case lies in a task on the
stack, or in one of the cores' regions, which have no such points. So when the stack is empty, the
cores refute everything; that is checked again, independently, by ``cover`` and the certificate.

Complete: splits on phases are finitely many, splits on inputs are bounded by ``decide``, and a
region whose phases are all known is decided exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from verifier.engine.candidates import confirm
from verifier.engine.decide import choose
from verifier.engine.limits import Progress
from verifier.engine.refute import Attempt, Query, refute
from verifier.engine.region import Region, exact_bounds, split
from verifier.proof.muc import Core
from verifier.verdict import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from verifier.engine.limits import Budget, ProgressFn
    from verifier.engine.problem import Problem
    from verifier.engine.protocols import ExactSolver
    from verifier.engine.statistics import Statistics
    from verifier.options import EngineOptions
    from verifier.proof.literals import Literal, Path
    from verifier.proof.muc import Multipliers

INPUT_SPLIT_PROGRAM = 70
PHASE_SPLIT_PROGRAM = 1200
"""Most unstable neurons for which the triangle program is solved, by kind of split. Input splits
shrink the count by themselves, so waiting is cheaper than a large program."""


@dataclass(frozen=True, eq=False)
class Task:
    """A region and the cases still open there.

    Attributes:
        region: The region.
        cases: The cases, with multipliers that may refute them where such are known.
    """

    region: Region
    cases: Mapping[int, Multipliers | None]


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
    """

    problem: Problem
    options: EngineOptions
    budget: Budget
    exact: ExactSolver
    statistics: Statistics
    report: ProgressFn
    cores: list[Core] = field(default_factory=list)

    def run(self, tasks: Sequence[Task], tried: Sequence[Attempt] = ()) -> Outcome:
        """Search the given tasks, and what attempts have left open."""
        stack = list(tasks)
        found = self._close_or_split(tried, stack)
        if found is not None:
            return found
        while stack:
            if self.budget.is_spent:
                reason = f"time limit reached with {len(stack)} regions open"
                return Outcome(Answer.UNKNOWN, tuple(self.cores), reason=reason)
            self.report(Progress("search", len(self.cores), len(stack)))
            batch = _take(stack, self.options.batch)
            found = self._step(batch, stack)
            if found is not None:
                return found
        return Outcome(Answer.UNSAT, tuple(self.cores))

    def _step(self, batch: Sequence[Task], stack: list[Task]) -> Outcome | None:
        """Refute what a batch of one group allows; push the rest, split."""
        self.problem = self.problem.for_work(self.statistics.calls["bound"])
        queries = [Query(task.region, *case) for task in batch for case in task.cases.items()]
        attempts = refute(self.problem, queries, self.program_limit)
        self.statistics.calls["bound"] += len(batch)
        self.statistics.calls["program"] += sum(a.point is not None for a in attempts)
        return self._close_or_split(attempts, stack)

    def _close_or_split(self, attempts: Sequence[Attempt], stack: list[Task]) -> Outcome | None:
        """Keep what was refuted, look for a counterexample, and split what is left."""
        open_attempts: dict[tuple[int, Path], list[Attempt]] = {}
        for attempt in attempts:
            if attempt.core is not None:
                self.cores.append(attempt.core)
            else:
                point = self._counterexample(attempt)
                if point is not None:
                    return Outcome(Answer.SAT, tuple(self.cores), point)
                region = attempt.query.region
                open_attempts.setdefault((region.group, region.path), []).append(attempt)
        parts: list[tuple[Region, Literal]] = []
        cases: list[dict[int, Multipliers | None]] = []
        for members in open_attempts.values():
            region = members[0].query.region
            worst = min(members, key=lambda a: float(a.bound.value[0]))
            whole = self.problem.groups[region.group].bounds.box
            literal = choose(worst, whole, split_inputs=self._split_inputs)
            if literal is None:
                outcome = self._decide(members)
                if outcome is not None:
                    return outcome
                continue
            parts += [(region, literal.negated()), (region, literal)]
            cases += 2 * [{a.query.case: self._hint(a) for a in members}]
        regions = split(self.problem, parts)
        stack += [Task(*task) for task in zip(regions, cases, strict=True)]
        return None

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
                    reason = "time limit reached in the exact solver"
                    return Outcome(Answer.UNKNOWN, tuple(self.cores), reason=reason)
                case Answer.UNSAT:
                    self.cores.append(Core(query.case, path, None, 0.0))
        return None

    @property
    def _split_inputs(self) -> bool:
        return self.problem.graph.input_width <= self.options.input_split_width

    @property
    def program_limit(self) -> int:
        """Most unstable neurons for which the triangle program is solved."""
        return INPUT_SPLIT_PROGRAM if self._split_inputs else PHASE_SPLIT_PROGRAM


def _take(stack: list[Task], most: int) -> list[Task]:
    """Remove tasks of one group from the end of the stack."""
    group = stack[-1].region.group
    batch: list[Task] = []
    while stack and len(batch) < most and stack[-1].region.group == group:
        batch.append(stack.pop())
    return batch
