# SPDX-License-Identifier: Apache-2.0
"""Random calls on the queue, held against a model that is a few dictionaries."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)
from sqlalchemy import update

from api.database import migrate
from api.database.connection import Database
from api.database.tables import jobs
from api.jobs.cancelling import cancel
from api.jobs.queue import Ending, Lease, LeaseLostError
from api.jobs.states import Outcome
from api.schemas import FileKind
from tests.api.jobs.ledger import Ledger

FINAL = {
    Outcome.ANSWERED: "succeeded",
    Outcome.REFUSED: "failed",
    Outcome.TIMED_OUT: "timed_out",
    Outcome.CANCELLED: "cancelled",
}


@dataclass
class ModelJob:
    """A job as the model knows it."""

    state: str = "queued"
    token: int = 0
    tries: int = 0
    needs: list[str] = field(default_factory=list)
    is_cancelled: bool = False


class QueueMachine(RuleBasedStateMachine):
    """The queue, and what it should be."""

    claimed: Bundle[Lease] = Bundle("claimed")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="mucg4-queue-"))
        self.database = Database(f"sqlite:///{self.folder / 'queue.sqlite'}")
        migrate.upgrade(self.database)
        self.ledger = Ledger(self.database)
        self.model: dict[str, ModelJob] = {}
        self.proved: set[str] = set()
        self.proving: dict[str, str] = {}
        self.props: dict[str, str] = {}

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    def _proof_job(self, prop: str) -> list[str]:
        """Return the unfinished proof that a variant waits for, oldest first."""
        return [
            job
            for job, name in self.proving.items()
            if name == prop
            and self.model[job].state in ("queued", "running")
            and not self.model[job].is_cancelled
        ]

    @rule(prop=st.sampled_from("pq"))
    def prove(self, prop: str) -> None:
        job = self.ledger.prove("m", prop)
        self.model[job] = ModelJob()
        self.proving[job] = prop

    @rule(prop=st.sampled_from("pq"))
    def reverify(self, prop: str) -> None:
        waiting = self._proof_job(prop)
        original = self.ledger.file(FileKind.MODEL, "m")
        job = self.ledger.submit(
            kind="reverify",
            original=original,
            model=self.ledger.file(FileKind.MODEL, "v"),
            properties=[self.ledger.file(FileKind.PROPERTY, prop)],
        )
        needed = self.ledger.job(job).needs
        if waiting:
            assert len(needed) == 1
            assert needed[0] in waiting
        elif prop in self.proved:
            assert needed == []
        else:
            assert len(needed) == 1
            self.model[needed[0]] = ModelJob()
            self.proving[needed[0]] = prop
        self.model[job] = ModelJob(needs=needed)

    @rule(target=claimed)
    def claim(self) -> Any:
        self._no_waiting()
        ready = [
            job
            for job, known in sorted(self.model.items())
            if known.state == "queued"
            and all(self.model[needed].state == "succeeded" for needed in known.needs)
        ]
        lease = self.ledger.queue.claim("w")
        if not ready:
            assert lease is None
            return multiple()
        assert lease is not None
        assert lease.job_id == ready[0]
        known = self.model[lease.job_id]
        known.state, known.token, known.tries = "running", known.token + 1, known.tries + 1
        assert (lease.token, lease.attempt) == (known.token, known.tries)
        return lease

    @rule(lease=consumes(claimed), outcome=st.sampled_from(list(Outcome)[1:8]))
    def finish(self, lease: Lease, outcome: Outcome) -> None:
        known = self.model[lease.job_id]
        problem = {"title": "t", "detail": "d"}
        ending = Ending(outcome, "d", problem=problem)
        if known.state != "running" or known.token != lease.token:
            with pytest.raises(LeaseLostError):
                self.ledger.queue.finish(lease, ending)
            return
        if outcome == Outcome.ANSWERED:
            self.ledger.finish(lease)
            if lease.kind == "prove":
                self.proved.add(self.proving[lease.job_id])
        else:
            self.ledger.queue.finish(lease, ending)
        if outcome in FINAL:
            self._end(lease.job_id, FINAL[outcome])
        elif known.is_cancelled:
            self._end(lease.job_id, "cancelled")
        elif outcome in (Outcome.RELEASED, Outcome.PREVENTED):
            known.state, known.tries = "queued", known.tries - 1
        else:
            self._try_again(lease.job_id)

    @rule(lease=claimed)
    def lose(self, lease: Lease) -> None:
        known = self.model[lease.job_id]
        is_held = known.state == "running" and known.token == lease.token
        query = update(jobs).where(jobs.c.id == lease.job_id, jobs.c.token == lease.token)
        if is_held:
            self.database.write(lambda c: c.execute(query.values(lease_until=1.0)))
        assert self.ledger.queue.expire() == int(is_held)
        if is_held and known.is_cancelled:
            self._end(lease.job_id, "cancelled")
        elif is_held:
            self._try_again(lease.job_id)

    @rule(lease=claimed)
    def heartbeat(self, lease: Lease) -> None:
        known = self.model[lease.job_id]
        if known.state == "running" and known.token == lease.token:
            assert self.ledger.queue.heartbeat(lease) == known.is_cancelled
        else:
            with pytest.raises(LeaseLostError):
                self.ledger.queue.heartbeat(lease)

    @rule(which=st.integers(0, 99))
    def cancel(self, which: int) -> None:
        if not self.model:
            return
        job = sorted(self.model)[which % len(self.model)]
        known = self.model[job]
        is_unfinished = known.state in ("queued", "running")
        assert self.database.write(lambda c: cancel(c, "one", job)) == is_unfinished
        if known.state == "queued":
            self._end(job, "cancelled")
        elif known.state == "running":
            known.is_cancelled = True

    def _try_again(self, job: str) -> None:
        if self.model[job].tries < self.ledger.settings.max_attempts:
            self.model[job].state = "queued"
        else:
            self._end(job, "failed")

    def _end(self, job: str, state: str) -> None:
        self.model[job].state = state
        if state == "succeeded":
            return
        for other, known in self.model.items():
            if job in known.needs and known.state == "queued":
                self._end(other, "cancelled" if state == "cancelled" else "failed")

    def _no_waiting(self) -> None:
        self.database.write(lambda c: c.execute(update(jobs).values(not_before=0.0)))

    @invariant()
    def states_agree(self) -> None:
        assert self.ledger.all_jobs() == {job: known.state for job, known in self.model.items()}


TestQueue = pytest.mark.slow(QueueMachine.TestCase)
TestQueue.settings = settings(max_examples=25, stateful_step_count=25)
