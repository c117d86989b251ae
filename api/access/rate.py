# SPDX-License-Identifier: Apache-2.0
"""How many requests a key may make: a bucket that fills steadily and holds a minute's worth.

The buckets are this process's, in memory: they are a protection of this server, not an account.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from api.errors import TooManyError

MOST_BUCKETS = 10_000


class RateLimit:
    """Buckets by actor.

    Args:
        per_minute: How many requests each may make in a minute.
    """

    def __init__(self, per_minute: int) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60.0
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, actor: str) -> None:
        """Count a request.

        Raises:
            TooManyError: There were too many.
        """
        present = time.monotonic()
        level, then = self._buckets.pop(actor, (self._capacity, present))
        level = min(self._capacity, level + (present - then) * self._per_second)
        allowed = level >= 1.0
        self._buckets[actor] = (level - 1.0 if allowed else level, present)
        while len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        if not allowed:
            detail = f"more than {self._capacity:g} requests a minute"
            raise TooManyError(detail, (1.0 - level) / self._per_second)
