# SPDX-License-Identifier: Apache-2.0
"""A pool that does tasks in this process, and a watcher that writes down what it hears."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verifier.batch.work import execute

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from verifier.batch.job import Job
    from verifier.batch.task import Outcome, Task


@dataclass
class AtOnce:
    """Does each task as soon as outcomes are asked for; ``tasks`` are those that it was given."""

    size: int = 2
    do: Callable[[Task], Outcome] = execute
    tasks: list[Task] = field(default_factory=list)
    waiting: list[Task] = field(default_factory=list)

    @property
    def room(self) -> int:
        return self.size - len(self.waiting)

    def begin(self, task: Task) -> None:
        assert self.room
        self.tasks.append(task)
        self.waiting.append(task)

    def ended(self, seconds: float) -> list[tuple[Task, Outcome]]:
        del seconds
        task = self.waiting.pop()
        return [(task, self.do(task))]

    def close(self) -> None:
        self.waiting.clear()


@dataclass
class Heard:
    """What a watcher was told, in order."""

    begun_jobs: list[str] = field(default_factory=list)
    done_jobs: list[tuple[str, bool]] = field(default_factory=list)

    def asked(self, jobs: Sequence[Job]) -> None:
        pass

    def begun(self, job: Job) -> None:
        self.begun_jobs.append(job.name)

    def done(self, job: Job, outcome: Outcome, *, is_stored: bool) -> None:
        del outcome
        self.done_jobs.append((job.name, is_stored))

    def look(self) -> None:
        pass
