# SPDX-License-Identifier: Apache-2.0
"""What a run did: theory calls by kind and seconds by step."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(eq=False)
class Statistics:
    """Counters of one run; the engine adds to them, reports read them.

    Attributes:
        calls: Kind of theory call to number of calls.
        seconds: Step to wall-clock seconds spent in it.
    """

    calls: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timing(self, step: str) -> Iterator[None]:
        """Add the time of a block to a step."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[step] = self.seconds.get(step, 0.0) + spent

    def to_json(self) -> dict[str, Any]:
        """Return the counters as plain values."""
        return {
            "calls": dict(sorted(self.calls.items())),
            "seconds": {step: round(value, 6) for step, value in self.seconds.items()},
        }
