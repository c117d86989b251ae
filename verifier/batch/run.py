# SPDX-License-Identifier: Apache-2.0
"""Keeps a pool busy with the jobs that are ready, in their order.

Jobs are begun in the order they are given in, as soon as what they need is there; an outcome that
is stored is taken as it is, and two jobs that come to the same task are one. At the end every job
has an outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from verifier.batch.task import Outcome
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from verifier.batch.job import Job
    from verifier.batch.pool import Pool

LOOK_SECONDS = 0.5


class Watcher(Protocol):
    """Is told how a run goes."""

    def asked(self, jobs: Sequence[Job]) -> None:
        """Hear of jobs that will be done."""

    def begun(self, job: Job) -> None:
        """Hear that somebody works on a job."""

    def done(self, job: Job, outcome: Outcome, *, is_stored: bool) -> None:
        """Hear of an outcome, and whether it was there already."""

    def look(self) -> None:
        """Hear that time goes on."""


class Memory(Protocol):
    """What keeps outcomes from run to run."""

    def get(self, digest: str) -> Outcome | None:
        """Return the outcome of a task, if there is one."""

    def put(self, digest: str, outcome: Outcome) -> None:
        """Keep an outcome."""


class Run:
    """Jobs that are worked on.

    Args:
        pool: Does tasks.
        store: Keeps outcomes.
        watcher: Is told.
    """

    def __init__(self, pool: Pool, store: Memory, watcher: Watcher) -> None:
        self._pool = pool
        self._store = store
        self._watcher = watcher
        self._jobs: dict[str, Job] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._stored: set[str] = set()
        self._busy: dict[str, list[Job]] = {}

    @property
    def jobs(self) -> Sequence[Job]:
        """What was asked so far, in that order."""
        return tuple(self._jobs.values())

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """What came of jobs so far, by name."""
        return self._outcomes

    @property
    def stored(self) -> AbstractSet[str]:
        """Names of the jobs whose outcome was there already."""
        return self._stored

    def do(self, jobs: Iterable[Job]) -> None:
        """Do jobs, and return when each has an outcome; one that has it already is not done again.

        What they need is among them, or was done before.

        Raises:
            UsageError: Two have the same name: files are called so that it stands for both.
            ValueError: Jobs need what is not there, or each other.
        """
        new = self._named(jobs)
        self._jobs |= new
        waiting = list(new.values())
        self._watcher.asked(waiting)
        while waiting or self._busy:
            left = self._begun(waiting)
            if not self._busy and len(left) == len(waiting):
                msg = f"these need what is not there: {', '.join(job.name for job in left)}"
                raise ValueError(msg)
            waiting = left
            if self._busy:
                self._collect()
            self._watcher.look()

    def _named(self, jobs: Iterable[Job]) -> dict[str, Job]:
        """Return the jobs that are new, by name; no outcome may be taken for that of another."""
        named: dict[str, Job] = {}
        for job in jobs:
            before = self._jobs.get(job.name, job)
            if job.name in named or before.question != job.question:
                msg = f"{job.name!r} can be understood in two ways; rename a file"
                raise UsageError(msg)
            named[job.name] = job
        return {name: job for name, job in named.items() if name not in self._jobs}

    def _begun(self, waiting: list[Job]) -> list[Job]:
        """Begin what is ready while there is room, and return the rest."""
        left = []
        for job in waiting:
            is_ready = all(name in self._outcomes for name in job.needs)
            if not (is_ready and self._pool.room):
                left.append(job)
                continue
            task = job.make(self._outcomes)
            if isinstance(task, Outcome):
                self._end(job, task, is_stored=False)
                continue
            digest = task.digest
            stored = None if job.is_repeated else self._store.get(digest)
            if stored is not None:
                self._end(job, stored, is_stored=True)
            elif digest in self._busy:
                self._busy[digest].append(job)
            else:
                self._busy[digest] = [job]
                self._watcher.begun(job)
                self._pool.begin(task)
        return left

    def _collect(self) -> None:
        for task, outcome in self._pool.ended(LOOK_SECONDS):
            digest = task.digest
            asked_by = self._busy.pop(digest)
            if not outcome.error and not all(job.is_repeated for job in asked_by):
                self._store.put(digest, outcome)
            for job in asked_by:
                self._end(job, outcome, is_stored=False)

    def _end(self, job: Job, outcome: Outcome, *, is_stored: bool) -> None:
        self._outcomes[job.name] = outcome
        if is_stored:
            self._stored.add(job.name)
        self._watcher.done(job, outcome, is_stored=is_stored)
