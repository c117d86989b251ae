# SPDX-License-Identifier: Apache-2.0
"""The states of a job, and how it gets from one to the other.

::

                   ┌───────────── a lost worker, a crash ─────────────┐
                   ▼                                                  │
    submit ──► queued ──── claim ──► running ──┬── the command answers ──► succeeded
                   │                           ├── it refuses, or crashes too often ──► failed
                   │                           ├── it runs too long ──► timed_out
                   └── cancel, or what it ─────┴── cancel ──► cancelled
                       needs came to nothing

A job is claimed when all jobs that it needs have succeeded. When one of them ends otherwise, the
job ends too, without having run: failed, or cancelled if that is what happened to the other. A
batch has no command: it is running from the first claim of one of its jobs until all have ended.

Each claim gives a new *token*. What a worker writes counts only under the token of the present
claim, so one that was thought lost and comes back changes nothing (a fencing token).
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # waits for a worker, or for jobs that it needs
    RUNNING = "running"  # a worker has claimed it
    SUCCEEDED = "succeeded"  # there is an answer, which may be "unknown"
    FAILED = "failed"  # there is none, and `problem` says why
    CANCELLED = "cancelled"  # somebody asked for its end
    TIMED_OUT = "timed_out"  # it ran longer than a job may


UNFINISHED = (State.QUEUED, State.RUNNING)
FINISHED = (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.TIMED_OUT)


class Outcome(StrEnum):
    """How one attempt at a job stands or ended."""

    RUNNING = "running"
    ANSWERED = "answered"  # the command gave an answer
    REFUSED = "refused"  # the command said that there can be none
    CRASHED = "crashed"  # the command ended without either
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    RELEASED = "released"  # the worker was told to stop, and gave the job back
    PREVENTED = "prevented"  # no room on the disk, or no database: not the job's fault
    LOST = "lost"  # the worker was not heard of any more
