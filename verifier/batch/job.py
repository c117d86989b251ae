# SPDX-License-Identifier: Apache-2.0
"""Jobs: tasks that may wait for the outcomes of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verifier.batch.question import Question
    from verifier.batch.task import Outcome, Task

    Outcomes = Mapping[str, Outcome]


@dataclass(frozen=True, eq=False)
class Job:
    """A task that is made when the outcomes it needs are there.

    Attributes:
        name: Unique in a run, for people too.
        needs: Names of jobs that come first.
        make: Returns the task, given the outcomes of all jobs so far; or, where one that it needs
            has failed, an outcome at once.
        question: What its outcome answers; None for a step on the way to an answer.
        is_repeated: Whether it is done in every run: its outcome is worth something only fresh.
    """

    name: str
    needs: tuple[str, ...]
    make: Callable[[Outcomes], Task | Outcome]
    question: Question | None = None
    is_repeated: bool = False
