# SPDX-License-Identifier: Apache-2.0
"""Who is asking, once that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.errors import ForbiddenError

if TYPE_CHECKING:
    from api.schemas import Scope


@dataclass(frozen=True)
class Caller:
    """Who is asking.

    Attributes:
        tenant: Whose files and jobs are seen.
        actor: The prefix of the key, or the subject of a token.
        scopes: What may be done.
        address: Where the request came from.
    """

    tenant: str
    actor: str
    scopes: frozenset[Scope]
    address: str = ""

    def check(self, scope: Scope) -> None:
        """Check that a scope was given.

        Raises:
            ForbiddenError: It was not.
        """
        if scope not in self.scopes:
            given = ", ".join(sorted(self.scopes))
            detail = f"this needs the scope {scope!r}; the key has: {given}"
            raise ForbiddenError(detail)
