# SPDX-License-Identifier: Apache-2.0
"""Resources: how long a run may take, and who is told how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """A look at a running search.

    Attributes:
        step: What the engine is doing, for people.
        done: Regions closed, or cores checked, so far.
        open: Regions still open, or cores still to check.
    """

    step: str
    done: int
    open: int


ProgressFn = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Tell nobody."""
    del progress


@dataclass(frozen=True)
class Budget:
    """A wall-clock limit that starts when the budget is made.

    Attributes:
        timeout_seconds: The limit, or None for no limit.
    """

    timeout_seconds: float | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def spent_seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds left, at least 0, or None for no limit."""
        if self.timeout_seconds is None:
            return None
        return max(self.timeout_seconds - self.spent_seconds, 0.0)

    @property
    def is_spent(self) -> bool:
        """Whether the limit is reached."""
        return self.timeout_seconds is not None and self.spent_seconds >= self.timeout_seconds
