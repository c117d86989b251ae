# SPDX-License-Identifier: Apache-2.0
"""Rooms on a Ray cluster.

Each is an actor, on whichever node has a processor and the memory for it, and is never restarted: a
room that is lost is an attempt that has crashed, and the queue decides about the next one. Ray ends
an actor with the process that made it, so a worker that is gone leaves nothing running.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from api.cluster.cell import Cell
from api.jobs.room import Facts, Look, RoomLostError, Said
from verifier.version import version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from api.settings import Settings

POLL_SECONDS = 0.25
ANSWER_SECONDS = 10.0
"""A room that does not answer for so long is lost; less than a lease."""

END_SECONDS = 1.5
MOST_REASON_CHARACTERS = 500


class RayRoom:
    """A room on some node.

    Args:
        actor: The handle of its ``Cell``.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._first = actor.facts.remote()

    def facts(self) -> Facts | None:
        """Return what the room is like; None as long as no node has a place for it.

        Raises:
            RoomLostError: The node cannot run what the server means.
        """
        ready, _ = ray.wait([self._first], timeout=POLL_SECONDS)
        if not ready:
            return None
        facts: Facts = _answer(self._first, ANSWER_SECONDS)
        if facts.version != version():
            msg = f"a node has mucg4 {facts.version}, the server {version()}"
            raise RoomLostError(msg)
        return facts

    def append(self, file_name: str, part: bytes) -> None:
        """Add to a file."""
        _answer(self._actor.append.remote(file_name, part))

    def start(self, words: Sequence[str], seconds: float) -> None:
        """Start a command, and allow it so much processor time."""
        _answer(self._actor.start.remote(tuple(words), seconds))

    def look(self) -> Look:
        """Wait a little for the end of the command."""
        look: Look = _answer(self._actor.look.remote())
        return look

    def end(self) -> None:
        """End the command and all that it started; they are gone when this returns."""
        try:
            _answer(self._actor.end.remote(), END_SECONDS)
        except RoomLostError:
            ray.kill(self._actor)

    def said(self) -> Said:
        """Return what the command said."""
        said: Said = _answer(self._actor.said.remote())
        return said

    def part(self, file_name: str, offset: int) -> bytes | None:
        """Return some of a file, nothing at its end; None if there is no such plain file."""
        part: bytes | None = _answer(self._actor.part.remote(file_name, offset))
        return part

    def close(self) -> None:
        """End the room, or give up its place in the queue for one."""
        ready, _ = ray.wait([self._first], timeout=0)
        if ready:
            with suppress(RoomLostError):
                _answer(self._actor.close.remote(), END_SECONDS)
        ray.kill(self._actor)


class RayRooms:
    """Makes rooms on the cluster that this process is connected to.

    Args:
        settings: How much a job may use.
    """

    def __init__(self, settings: Settings) -> None:
        memory = settings.job_memory_bytes
        self._memory_bytes = memory
        self._cells = ray.remote(num_cpus=1, memory=memory, max_restarts=0)(Cell)

    @contextmanager
    def open(self, name: str) -> Iterator[RayRoom]:
        """Return a room that is gone, and its command with it, when the context ends."""
        room = RayRoom(self._cells.options(name=name).remote(self._memory_bytes))
        try:
            yield room
        finally:
            room.close()


def _answer(reference: Any, seconds: float = ANSWER_SECONDS) -> Any:
    """Return what a node answers.

    Raises:
        RoomLostError: It does not, or cannot do what it was asked for.
    """
    try:
        return ray.get(reference, timeout=seconds)
    except GetTimeoutError as error:
        msg = f"the room on the cluster has not answered for {seconds:g} s"
        raise RoomLostError(msg) from error
    except RayError as error:
        cause = getattr(error, "cause", None) or error
        reason = " ".join(str(cause).split())[:MOST_REASON_CHARACTERS]
        msg = f"the room on the cluster is lost: {type(cause).__name__}: {reason}"
        raise RoomLostError(msg) from error
