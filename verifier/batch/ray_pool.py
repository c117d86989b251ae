# SPDX-License-Identifier: Apache-2.0
"""A Ray cluster that does tasks: one processor for each, on whatever machine it has one.

Tasks carry their files, so the machines need no folder in common, only this program in the same
version. Ray repeats nothing by itself: that a task was lost is an outcome like others.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier import ray_session
from verifier.batch.pool import LATE_SECONDS, START_SECONDS
from verifier.batch.task import Outcome, Task, crash
from verifier.batch.work import execute
from verifier.errors import UsageError
from verifier.version import version

if TYPE_CHECKING:
    from collections.abc import Mapping


class RayPool:
    """A Ray cluster.

    Args:
        address: Of its head, HOST:PORT; empty for one of this machine that ends with the pool.
        size: How many tasks at a time; None for as many as it has processors.

    Raises:
        UsageError: Ray is not installed, or the cluster cannot be reached.
    """

    def __init__(self, address: str = "", size: int | None = None) -> None:
        if find_spec("ray") is None:
            msg = "executor 'ray' is not installed: pip install 'mucg4[ray]'"
            raise UsageError(msg)
        self._held = ExitStack()
        self._busy: dict[Any, tuple[Task, float]] = {}
        with ExitStack() as starting:
            starting.callback(self._held.close)
            self._connect(address)
            starting.pop_all()
        import ray

        self._ray = ray
        self._size = size or int(ray.cluster_resources().get("CPU", 1))
        self._execute = ray.remote(num_cpus=1, max_retries=0)(_execute)

    def _connect(self, address: str) -> None:
        if not address:
            folder = tempfile.TemporaryDirectory(prefix="mucg4-ray-", ignore_cleanup_errors=True)
            place = self._held.enter_context(folder)
            ray_session.start(Path(place), secrets.token_hex(32))
            return
        try:
            ray_session.connect(address)
        except (ConnectionError, RuntimeError, ValueError) as error:
            msg = f"the Ray cluster at {address} cannot be used: {error}"
            raise UsageError(msg) from error

    @property
    def room(self) -> int:
        """How many more tasks can be begun now."""
        return self._size - len(self._busy)

    def begin(self, task: Task) -> None:
        """Begin a task; there must be room."""
        limit = task.options.get("timeout_seconds")
        # Nobody knows whether it is the first task of its process.
        late = LATE_SECONDS + START_SECONDS
        deadline = float("inf") if limit is None else time.monotonic() + limit + late
        self._busy[self._execute.remote(task, version())] = (task, deadline)

    def ended(self, seconds: float) -> list[tuple[Task, Outcome]]:
        """Wait so long at most for tasks to end, and return those that have."""
        soonest = min((deadline for _, deadline in self._busy.values()), default=float("inf"))
        until = min(seconds, max(soonest - time.monotonic(), 0.0))
        refs = list(self._busy)
        self._ray.wait(refs, timeout=until)
        done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        found = [(self._busy.pop(ref)[0], self._received(ref)) for ref in done]
        now = time.monotonic()
        for ref, (task, deadline) in list(self._busy.items()):
            if deadline <= now:
                self._ray.cancel(ref, force=True)
                del self._busy[ref]
                reason = "still busy long after its time limit, and was ended"
                found.append((task, crash(reason)))
        return found

    def _received(self, ref: Any) -> Outcome:
        try:
            return _outcome(self._ray.get(ref))
        except self._ray.exceptions.RayError as error:
            words = str(error).strip().splitlines() or [type(error).__name__]
            return crash(f"the process that worked on it is gone: {words[0]}")

    def close(self) -> None:
        """End everything at once; a cluster that was there before goes on."""
        for ref in self._busy:
            self._ray.cancel(ref, force=True)
        self._busy.clear()
        self._ray.shutdown()
        self._held.close()


def _execute(task: Task, expected: str) -> Mapping[str, Any]:
    """Do a task on a node."""
    if version() != expected:
        return {"document": crash(f"the node has version {version()}, not {expected}").document}
    outcome = execute(task)
    return {"document": dict(outcome.document), "files": dict(outcome.files)}


def _outcome(values: Mapping[str, Any]) -> Outcome:
    return Outcome(values["document"], values.get("files", {}))
