# SPDX-License-Identifier: Apache-2.0
"""Jobs of an ``instances.csv`` of VNN-COMP: each row is a query of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from verifier.batch.inputs import file_bytes, network_bytes
from verifier.batch.job import Job
from verifier.batch.question import Question, Subject
from verifier.batch.task import Task, failure
from verifier.errors import UsageError, VerifierError
from verifier.spec.instances import read_instances

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.batch.job import Outcomes
    from verifier.batch.task import Outcome
    from verifier.spec.instances import Instance


def jobs_of_instances(table: Path, timeout_seconds: float | None = None) -> list[Job]:
    """Return a job for each row of a table.

    Args:
        table: The table.
        timeout_seconds: The limit of every row, in place of its own.

    Raises:
        UsageError: The table cannot be read, is malformed, or has a row twice.
    """
    jobs: dict[str, Job] = {}
    for instance in read_instances(table):
        limit = timeout_seconds or instance.timeout_seconds
        networks = ", ".join(_name(table, path) for _, path in instance.networks)
        question = Question(Subject(networks), _name(table, instance.query), limit)
        if str(question) in jobs:
            msg = f"{table}:{instance.line}: this is asked before already: {question}"
            raise UsageError(msg)
        jobs[str(question)] = Job(str(question), (), partial(_task, instance, limit), question)
    if not jobs:
        msg = f"{table}: there is no instance in it"
        raise UsageError(msg)
    return list(jobs.values())


def _name(table: Path, path: Path) -> str:
    return str(path.relative_to(table.parent)).removesuffix(".gz")


def _task(instance: Instance, limit: float, outcomes: Outcomes) -> Task | Outcome:
    del outcomes
    files, names = {}, {}
    try:
        for number, (name, path) in enumerate(instance.networks):
            names[name] = f"network_{number}.onnx"
            files[names[name]] = network_bytes(path)
        files["query.vnnlib"] = file_bytes(instance.query)
    except VerifierError as error:
        return failure(str(error))
    return Task("query", files, {"networks": names, "timeout_seconds": limit})
