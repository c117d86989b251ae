# SPDX-License-Identifier: Apache-2.0
"""Search with several processes.

Open regions are independent of each other, so a long search can be shared. This process keeps the
stack and hands out packets of its open regions. A worker searches a packet for so many regions,
then reports the cores that it found and what it left open, which goes back onto the stack. So
processes are busy to the end, however uneven regions are, and a region that turns out to be hard is
divided among all.

Invariant: an open region is on the stack or in one packet, and a report accounts for all of its
packet. Regions travel as their paths and are bounded anew, which costs far less than to search
them. Nothing that a worker says is taken for a proof: ``cover`` and the certificate are made from
the cores as they are from those of this process.
"""

from __future__ import annotations

import math
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from verifier.engine.evaluate import Query
from verifier.engine.limits import TIME_LIMIT, Budget, Progress, silent
from verifier.engine.problem import Problem
from verifier.engine.region_tree import ALONG, STRAIGHT, RegionTree
from verifier.engine.search import Outcome, Search
from verifier.engine.statistics import Statistics
from verifier.engine.threads import single_threaded
from verifier.errors import VerifierError
from verifier.verdict import Answer

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from verifier.bounds.ascent import Start
    from verifier.bounds.tighten import Tightened
    from verifier.engine.evaluate import Attempt
    from verifier.engine.protocols import ExactSolver
    from verifier.ir.graph import Graph
    from verifier.options import EngineOptions
    from verifier.proof.literals import Path
    from verifier.proof.muc import Core, Multipliers
    from verifier.spec.property import Property

PACKET = 512
"""Regions that a worker bounds before it reports: about a second."""
PATIENCE = 0.5
"""Seconds between two looks at the time limit."""


@dataclass(frozen=True, eq=False)
class Task:
    """A case that is open in a region, with what is known of its multipliers.

    Attributes:
        case: The case.
        path: The literals of the region.
        hint: Multipliers that may refute it, if any are known.
        warm: Where to start an ascent, likewise.
        bound: The best bound so far, for reports of progress.
    """

    case: int
    path: Path
    hint: Multipliers | None
    warm: Start | None
    bound: float

    @classmethod
    def of(cls, attempt: Attempt) -> Task:
        """Return what an attempt has left open."""
        query, bound = attempt.query, float(attempt.bound.value[0])
        return cls(query.case, query.region.path, query.hint, query.warm, bound)


@dataclass(frozen=True, eq=False)
class Report:
    """What came of a packet.

    Attributes:
        cores: Refutations found.
        open: What is left.
        outcome: Set where the search of the whole ends here: a counterexample, or a region that
            the exact solver had no time for.
        calls: Theory calls by kind.
    """

    cores: list[Core]
    open: list[Task]
    outcome: Outcome | None
    calls: Counter[str]


@dataclass(eq=False)
class _Worker:
    """A process, with the number of tasks in its packet and the worst of their bounds."""

    process: SpawnProcess
    connection: Connection
    packet: int = 0
    worst: float = math.inf

    def receive(self) -> Report:
        """Return the report on its packet.

        Raises:
            VerifierError: The process is gone.
        """
        self.packet, self.worst = 0, math.inf
        try:
            report: Report = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            msg = (
                f"a search process ended with exit code {self.process.exitcode}: it may have been "
                "out of memory; processes=1 does without (a script that asks for several has to "
                "start below `if __name__ == '__main__'`)"
            )
            raise VerifierError(msg) from None
        return report


def search_together(search: Search, stack: list[list[Attempt]]) -> Outcome:
    """Search what is on a stack, in as many processes as the options say.

    Args:
        search: Brings all there is to know; its cores, counters and progress go on.
        stack: Attempts at the open cases of open regions; empty afterwards.

    Raises:
        VerifierError: A process ended before its time.
    """
    tasks = [Task.of(attempt) for attempts in stack for attempt in attempts]
    stack.clear()
    with _crew(search) as crew:
        while tasks or any(worker.packet for worker in crew):
            left = len(tasks) + sum(worker.packet for worker in crew)
            look = partial(_worst_bound, tasks, crew)
            search.report(Progress("search", len(search.cores), left, look=look))
            if search.budget.is_spent:
                reason = f"{TIME_LIMIT} with {left} regions open"
                return Outcome(Answer.UNKNOWN, tuple(search.cores), reason=reason)
            _hand_out(search, crew, tasks)
            point = search.attacked({task.case for task in tasks})
            if point is not None:
                return Outcome(Answer.SAT, tuple(search.cores), point)
            busy = {worker.connection: worker for worker in crew if worker.packet}
            for ready in wait(list(busy), PATIENCE):
                report = next(w for c, w in busy.items() if c is ready).receive()
                search.cores += report.cores
                search.statistics.calls.update(report.calls)
                tasks += report.open
                if report.outcome is not None:
                    return Outcome(
                        report.outcome.answer,
                        tuple(search.cores),
                        report.outcome.point,
                        report.outcome.reason,
                    )
    search.report(Progress("search", len(search.cores), 0))
    return Outcome(Answer.UNSAT, tuple(search.cores))


def _worst_bound(tasks: Sequence[Task], crew: Sequence[_Worker]) -> float | None:
    """Return the worst bound of what is on the stack or in a packet."""
    bounds = [*(task.bound for task in tasks), *(w.worst for w in crew if w.packet)]
    return min(bounds, default=None)


def _hand_out(search: Search, crew: Sequence[_Worker], tasks: list[Task]) -> None:
    """Give the idle an even share of the tasks, from the end of the stack, a batch at most."""
    for worker in crew:
        if tasks and not worker.packet:
            share = max(min(search.options.batch, len(tasks) // len(crew)), 1)
            packet = tasks[-share:]
            worker.connection.send((packet, search.budget.remaining_seconds))
            worker.packet, worker.worst = share, min(task.bound for task in packet)
            del tasks[-share:]


@contextmanager
def _crew(search: Search) -> Iterator[list[_Worker]]:
    """Start workers; stop them at the end, whatever they are doing."""
    context = get_context("spawn")
    crew: list[_Worker] = []
    problem = search.problem
    try:
        for _ in range(search.options.processes):
            ours, theirs = context.Pipe()
            what = Assignment(
                problem.graph, problem.prop, problem.tightened, search.options, search.exact
            )
            process = context.Process(target=work, args=(theirs, what), daemon=True)
            process.start()
            theirs.close()
            crew.append(_Worker(process, ours))
        yield crew
    finally:
        for worker in crew:
            worker.connection.close()
            worker.process.terminate()
        for worker in crew:
            worker.process.join()


@dataclass(frozen=True, eq=False)
class Assignment:
    """What a worker needs to know of a search.

    Attributes:
        graph: The network.
        prop: The property.
        tightened: How the boxes of a wide network were tightened: bounds have to be the same.
        options: How to search.
        exact: Decides regions whose phases are all known.
    """

    graph: Graph
    prop: Property
    tightened: tuple[tuple[Tightened, ...], ...]
    options: EngineOptions
    exact: ExactSolver

    def problem(self) -> Problem:
        """Return the problem, bounded as it is at the other end."""
        width, given = self.options.input_split_width, self.tightened
        return Problem.of(
            self.graph, self.prop, compiled=True, input_split_width=width, given=given
        )


def work(connection: Connection, what: Assignment) -> None:
    """Search packet after packet, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The process at the other end says when to stop.
    with single_threaded():
        problem = what.problem()
        while True:
            try:
                tasks, seconds = connection.recv()
                budget = Budget(seconds)
                search = Search(problem, what.options, budget, what.exact, Statistics(), silent)
                connection.send(searched(search, tasks))
            except (EOFError, BrokenPipeError):
                return


def searched(search: Search, tasks: Sequence[Task]) -> Report:
    """Search a packet until ``PACKET`` regions were bounded or the time is over."""
    stack = search.opened(_queries(search.problem, tasks))
    outcome = None
    while stack and outcome is None and not search.budget.is_spent:
        if search.statistics.calls["bound"] >= PACKET:
            break
        outcome = search.advance(stack)
    left = [Task.of(attempt) for attempts in stack for attempt in attempts]
    return Report(search.cores, left, outcome, search.statistics.calls)


def _queries(problem: Problem, tasks: Sequence[Task]) -> list[Query]:
    """Bound the regions of tasks."""
    queries: list[Query] = []
    for group in range(len(problem.groups)):
        members = [task for task in tasks if problem.group_of(task.case) == group]
        if not members:
            continue
        stride = STRAIGHT if problem.layers.wide else ALONG
        tree = RegionTree.of(problem, group, [task.path for task in members], stride)
        regions = tree.regions(range(len(members)))
        queries += [
            Query(region, task.case, task.hint, task.warm)
            for region, task in zip(regions, members, strict=True)
        ]
    return queries
