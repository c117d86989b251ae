# SPDX-License-Identifier: Apache-2.0
"""The audit log: who did what, from where. Written in the transaction that did it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert

from api.database.connection import now
from api.database.tables import audit

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from api.access.caller import Caller


def note(
    connection: Connection, caller: Caller, action: str, target: str, **detail: object
) -> None:
    """Write down an action."""
    row = {
        "at": now(),
        "tenant": caller.tenant,
        "actor": caller.actor,
        "action": action,
        "target": target,
        "address": caller.address,
        "detail": detail,
    }
    connection.execute(insert(audit).values(row))
