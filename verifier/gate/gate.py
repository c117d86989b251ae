# SPDX-License-Identifier: Apache-2.0
"""Runs a manifest: jobs of a batch, whose stored outcomes are the cache, and then a judgement.

An outcome is taken from the cache where all that it depends on is the same: the bytes of the files
as they are (the import gate and a replay are about the file, not only about the graph in it), the
options and the version. What was not answered is asked again. Certificates are checked anew in
every run: whoever can write to a cache cannot forge a verdict that needs one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from verifier.batch.job import Job
from verifier.batch.results import Result
from verifier.batch.reuse import jobs_of_zoo
from verifier.batch.run import Run
from verifier.batch.task import Outcome, Task, failure
from verifier.gate.check import Certification, Check, Confirmation, Report, judge
from verifier.verdict import Verdict
from verifier.version import version

if TYPE_CHECKING:
    from verifier.batch.job import Outcomes
    from verifier.batch.pool import Pool
    from verifier.batch.run import Memory, Watcher
    from verifier.gate.judgement import Policy
    from verifier.gate.manifest import Manifest

INPUTS = ("model.onnx", "property.vnnlib")
_CERTIFIED = ("holds", "violated")


class _Answers:
    """The outcomes of earlier runs that have an answer.

    That time ran out on a busy machine must not end every build after that.

    Args:
        store: All outcomes.
    """

    def __init__(self, store: Memory) -> None:
        self._store = store

    def get(self, digest: str) -> Outcome | None:
        """Return the outcome of a task, if there is one with an answer."""
        outcome = self._store.get(digest)
        is_open = outcome is not None and outcome.document.get("verdict") == Verdict.UNKNOWN
        return None if is_open else outcome

    def put(self, digest: str, outcome: Outcome) -> None:
        """Keep an outcome."""
        self._store.put(digest, outcome)


@dataclass(frozen=True, eq=False)
class _Asked:
    """A job whose outcome is judged.

    Attributes:
        job: The job.
        policy: What is done where the answer is not known.
        contents: Contents of files, each once for all jobs.
        inputs: The files that it was about, once it has begun. On the disk there may be others when
            it has ended, so a report is about these.
    """

    job: Job
    policy: Policy
    contents: dict[bytes, bytes]
    inputs: dict[str, bytes] = field(default_factory=dict)

    def make(self, outcomes: Outcomes) -> Task | Outcome:
        """Make the task, and keep its files."""
        task = self.job.make(outcomes)
        if isinstance(task, Task):
            for name in INPUTS:
                content = task.files[name]
                self.inputs[name] = self.contents.setdefault(content, content)
        return task


def run_gate(
    manifest: Manifest, pool: Pool, store: Memory, watcher: Watcher, *, certify: bool
) -> Report:
    """Do what a manifest asks for, and judge it.

    Args:
        manifest: What is asked.
        pool: Does tasks.
        store: Outcomes of earlier runs, and of this one for later ones.
        watcher: Is told how it goes.
        certify: Whether a verdict counts only with a certificate that the checker accepts.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    asked: list[_Asked] = []
    jobs: list[Job] = []
    contents: dict[bytes, bytes] = {}
    for entry in manifest.entries:
        for job in jobs_of_zoo(entry.zoo, certify=certify):
            if job.question is None or job.question.subject.steps not in entry.shipped:
                jobs.append(job)
                continue
            asked.append(_Asked(job, entry.policy, contents))
            jobs.append(replace(job, make=asked[-1].make))
    if certify:
        jobs += [_confirmation(each) for each in asked]
    run = Run(pool, _Answers(store), watcher)
    run.do(jobs)
    checks = tuple(_check(each, run, certify=certify) for each in asked)
    return Report(manifest, checks, started, time.monotonic() - clock, version())


def _confirmation(asked: _Asked) -> Job:
    """Return the job that has the certificate of another job checked."""
    make = partial(_checking, asked)
    return Job(_checked_by(asked.job), (asked.job.name,), make, is_repeated=True)


def _checked_by(job: Job) -> str:
    return f"check the certificate of {job.name}"


def _checking(asked: _Asked, outcomes: Outcomes) -> Task | Outcome:
    certificate = outcomes[asked.job.name].files.get("certificate")
    if certificate is None:
        return failure("there is no certificate")
    return Task("check", {**asked.inputs, "certificate.json.gz": certificate})


def _check(asked: _Asked, run: Run, *, certify: bool) -> Check:
    job = asked.job
    assert job.question is not None  # noqa: S101 - chosen so
    outcome = run.outcomes[job.name]
    result = Result.of(job.question, outcome)
    confirmation = None
    if certify and result.verdict in _CERTIFIED:
        confirmation = _confirmed(job, run.outcomes)
    judgement, reason = judge(result, outcome, asked.policy, confirmation)
    return Check(
        job.question,
        judgement,
        result.verdict,
        reason,
        result.seconds,
        job.name in run.stored,
        asked.inputs,
        outcome.document,
        outcome.files.get("certificate"),
        confirmation,
    )


def _confirmed(job: Job, outcomes: Outcomes) -> Confirmation:
    """Return what the checker said."""
    outcome, checked = outcomes[job.name], outcomes[_checked_by(job)]
    if "certificate" not in outcome.files:
        why = outcome.document["not_written"].get("certificate", "none was made")
        return Confirmation(Certification.MISSING, why)
    if checked.is_crash:
        return Confirmation(Certification.UNCHECKED, checked.error)
    if checked.error:
        return Confirmation(Certification.REJECTED, checked.error)
    told = checked.document
    if not told["accepted"]:
        return Confirmation(Certification.REJECTED, told["reason"], told["run_seconds"])
    if told["verdict"] != outcome.document["verdict"]:
        reason = f"it proves {told['verdict']}, not {outcome.document['verdict']}"
        return Confirmation(Certification.REJECTED, reason, told["run_seconds"])
    return Confirmation(Certification.ACCEPTED, "", told["run_seconds"])
