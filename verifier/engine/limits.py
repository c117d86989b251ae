# SPDX-License-Identifier: Apache-2.0
"""Resources: how long a run may take, and who is told how it goes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

TIME_LIMIT = "time limit reached"
"""How the reason of a verdict that the time limit prevented starts."""


def _unknown() -> None:
    """Return what is known of bounds where nothing is."""


@dataclass(frozen=True)
class Progress:
    """A look at a running search.

    Reports are many and most are shown to nobody, so what takes a walk over all open regions is
    only computed when it is asked for, and is then about that moment.

    Attributes:
        step: What the engine is doing, for people.
        done: Regions closed, or cores checked, so far.
        open: Regions still open, or cores still to check.
        valid: Cores of the original that were found valid as they are; None without reuse.
        repaired: Those that were repaired, likewise.
        dropped: Those that were given up, likewise.
        look: Returns the lowest of the bounds over open regions, None where there is none.
    """

    step: str
    done: int
    open: int
    valid: int | None = None
    repaired: int | None = None
    dropped: int | None = None
    look: Callable[[], float | None] = field(default=_unknown, repr=False, compare=False)

    @property
    def bound(self) -> float | None:
        """The worst bound over open regions: each is refuted once its own is above 0."""
        bound = self.look()
        return bound if bound is not None and math.isfinite(bound) else None

    def part_of(self, step: str) -> Progress:
        """Return this look as one at a larger step, on whose behalf cores are tried."""
        return replace(self, step=step, valid=None, repaired=None, dropped=None)


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
