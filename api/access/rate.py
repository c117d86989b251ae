# SPDX-License-Identifier: Apache-2.0
"""How many requests a key may make: a bucket that fills steadily and holds a minute's worth.

And how many of a tenant's are answered at once: a stream or an upload may last for hours, and each
takes a connection. The numbers are this process's, in memory: they are a protection of this server,
not an account.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict

from api.errors import TooManyError

MOST_BUCKETS = 10_000
MOST_AT_ONCE = 500
RETRY_SECONDS = 5.0


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


class Crowd:
    """Counts the requests of each tenant that are being answered."""

    def __init__(self) -> None:
        self._inside: Counter[str] = Counter()

    def enter(self, tenant: str) -> None:
        """Count a request that begins.

        Raises:
            TooManyError: There are too many.
        """
        if self._inside[tenant] >= MOST_AT_ONCE:
            detail = f"{MOST_AT_ONCE} requests, streams and uploads are under way"
            raise TooManyError(detail, RETRY_SECONDS)
        self._inside[tenant] += 1

    def leave(self, tenant: str) -> None:
        """Count one that has ended."""
        self._inside[tenant] -= 1
        if not self._inside[tenant]:
            del self._inside[tenant]
