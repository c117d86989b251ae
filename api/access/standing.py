# SPDX-License-Identifier: Apache-2.0
"""Whether who was let in would still be: an answer or an upload may last longer than a key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from api.database.connection import UnavailableError
from api.errors import UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS_BETWEEN_LOOKS = 3.0


class Standing:
    """Who was let in a moment ago.

    Args:
        identify: Finds out again who asks.
    """

    def __init__(self, identify: Callable[[], object]) -> None:
        self._identify = identify
        self._looked = time.monotonic()

    def is_good(self) -> bool:
        """Say whether the key, session or token is still valid, as of some seconds ago at most."""
        if time.monotonic() - self._looked < SECONDS_BETWEEN_LOOKS:
            return True
        try:
            self._identify()
        except UnauthenticatedError:
            return False
        except UnavailableError:
            return True  # Nobody can say now; what is answered comes from the same database.
        self._looked = time.monotonic()
        return True
