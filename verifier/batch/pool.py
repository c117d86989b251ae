# SPDX-License-Identifier: Apache-2.0
"""Processes of this machine that do tasks, one each at a time.

A process that ends over a task, for want of memory or by a defect below Python, takes only that
task with it: the task's outcome is an error that says how, and another process takes its place. One
that is still busy long after the task's own limit is ended.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import TYPE_CHECKING, Protocol, cast

from verifier.batch.task import Outcome, Task, crash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

LATE_SECONDS = 60.0
"""How much longer than its limit a task may take: reading, minimising and writing need some."""

START_SECONDS = 300.0
"""How much longer the first task of a process may take, which compiles loops on a new machine."""


class Pool(Protocol):
    """What does tasks."""

    @property
    def room(self) -> int:
        """How many more tasks can be begun now."""

    def begin(self, task: Task) -> None:
        """Begin a task; there must be room."""

    def ended(self, seconds: float) -> Sequence[tuple[Task, Outcome]]:
        """Wait so long at most for tasks to end, and return those that have."""

    def close(self) -> None:
        """End everything at once."""


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    deadline: float = float("inf")
    is_new: bool = True


class LocalPool:
    """Processes of this machine.

    Args:
        size: How many.
    """

    def __init__(self, size: int) -> None:
        self._context = get_context("spawn")
        self._size = size
        self._workers: list[_Worker] = []

    @property
    def room(self) -> int:
        """How many more tasks can be begun now."""
        return self._size - sum(worker.task is not None for worker in self._workers)

    def begin(self, task: Task) -> None:
        """Begin a task; there must be room."""
        worker = next((w for w in self._workers if w.task is None), None) or self._started()
        worker.task = task
        limit = task.options.get("timeout_seconds")
        late = LATE_SECONDS + (START_SECONDS if worker.is_new else 0.0)
        worker.deadline = float("inf") if limit is None else time.monotonic() + limit + late
        worker.is_new = False
        # That a process has just died shows when its outcome is waited for.
        with suppress(OSError):
            worker.pipe.send(task)

    def ended(self, seconds: float) -> list[tuple[Task, Outcome]]:
        """Wait so long at most for tasks to end, and return those that have."""
        busy = {worker.pipe: worker for worker in self._workers if worker.task is not None}
        soonest = min((w.deadline for w in busy.values()), default=float("inf"))
        until = min(seconds, max(soonest - time.monotonic(), 0.0))
        done = [busy[pipe] for pipe in wait(list(busy), until)]  # type: ignore[index]
        late = [w for w in busy.values() if w not in done and w.deadline <= time.monotonic()]
        found = [(worker, self._received(worker)) for worker in done]
        found += [(worker, self._stopped(worker)) for worker in late]
        return [(_freed(worker), outcome) for worker, outcome in found]

    def close(self) -> None:
        """End everything at once."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def _started(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _received(self, worker: _Worker) -> Outcome:
        try:
            outcome = worker.pipe.recv()
        except (EOFError, OSError):
            return crash(f"the process that worked on it {self._end_of(worker)}")
        return outcome if isinstance(outcome, Outcome) else crash("no outcome was returned")

    def _stopped(self, worker: _Worker) -> Outcome:
        worker.process.kill()
        self._end_of(worker)
        return crash("still busy long after its time limit, and was ended")

    def _end_of(self, worker: _Worker) -> str:
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        status = worker.process.exitcode or 0
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with status {status}"


def _freed(worker: _Worker) -> Task:
    task, worker.task = worker.task, None
    return cast("Task", task)


def _serve(pipe: Connection) -> None:
    """Do tasks until the pipe closes."""
    from verifier.batch.work import execute

    # Keys that stop the program are for the process that has started this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            pipe.send(execute(pipe.recv()))


def _end_with_parent() -> None:
    """End this process as soon as the one that has started it is gone, whatever ended that."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
