# SPDX-License-Identifier: Apache-2.0
"""What came of questions, as VNN-COMP writes it down and as people read it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.engine.limits import TIME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from verifier.batch.job import Job
    from verifier.batch.question import Question
    from verifier.batch.task import Outcome

VERDICTS = ("holds", "violated", "unknown", "timeout", "error")
_WORDS = {"holds": "unsat", "violated": "sat"}
"""VNN-LIB asks for a violation: ``unsat`` says that the property holds."""


@dataclass(frozen=True)
class Result:
    """An answer.

    Attributes:
        question: What was asked.
        verdict: One of ``VERDICTS``.
        seconds: The whole task, reading included; 0 for an error.
        reason: Why there is no verdict, else empty.
        reuse_rate: Share of cores that were valid as they were, 0 to 1; None without reuse.
    """

    question: Question
    verdict: str
    seconds: float
    reason: str
    reuse_rate: float | None

    @classmethod
    def of(cls, question: Question, outcome: Outcome) -> Result:
        """Return what an outcome answers."""
        if outcome.error:
            return cls(question, "error", 0.0, outcome.error, None)
        document = outcome.document
        verdict, reason = str(document["verdict"]), str(document["reason"])
        if verdict == "unknown" and reason.startswith(TIME_LIMIT):
            verdict = "timeout"
        reuse = document.get("reuse")
        rate = None if not reuse or not reuse["cores"] else float(reuse["proof_reuse_rate"])
        return cls(question, verdict, float(document["run_seconds"]), reason, rate)

    @property
    def word(self) -> str:
        """The verdict as VNN-LIB has it."""
        return _WORDS.get(self.verdict, self.verdict)


def results_of(jobs: Iterable[Job], outcomes: Mapping[str, Outcome]) -> list[Result]:
    """Return the results there are, in the order of the questions."""
    return [
        Result.of(job.question, outcomes[job.name])
        for job in jobs
        if job.question is not None and job.name in outcomes
    ]


def results_csv(category: str, results: Iterable[Result]) -> str:
    """Return VNN-COMP's table: category, network, property, preparation, result, seconds.

    Nothing is prepared beforehand, so that column is 0. A compressed network is told by what was
    done to it.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    for result in results:
        question = result.question
        place = (category, str(question.subject), question.prop)
        rows.writerow([*place, "0", result.word, f"{result.seconds:.3f}"])
    return text.getvalue()
