# SPDX-License-Identifier: Apache-2.0
"""Strangers who ask for readiness, however many, cost a look a second."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from api.blobs import Blobs
from api.database.connection import UnavailableError, now
from api.database.tables import workers
from api.readiness import Lookout
from api.sandbox.plan import UNCONFINED

if TYPE_CHECKING:
    from pathlib import Path

    from api.database.connection import Database
    from api.schemas import Readiness


@dataclass(frozen=True)
class CountedBlobs(Blobs):
    """A folder that counts the looks, and may be broken."""

    looks: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def check(self) -> None:
        self.looks.append("look")
        if self.broken:
            raise UnavailableError(self.broken[0])
        super().check()


async def ask(lookout: Lookout, times: int) -> list[Readiness]:
    """Ask so often at the same time."""
    return await asyncio.gather(*(lookout.readiness() for _ in range(times)))


def test_readiness_is_looked_at_once_a_second(database: Database, tmp_path: Path) -> None:
    row = {"id": "w", "pid": 1, "started_at": now(), "seen_at": now()}
    database.write(lambda c: c.execute(workers.insert().values(row)))
    blobs, seconds = CountedBlobs(tmp_path), [0.0]
    lookout = Lookout(database, blobs, UNCONFINED, lambda: seconds[0])

    async def story() -> None:
        assert [seen.ready for seen in await ask(lookout, 100)] == [True] * 100
        assert len(blobs.looks) == 1
        blobs.broken.append("the folder is on fire")
        seconds[0] = 0.9
        assert [seen.ready for seen in await ask(lookout, 1)] == [True]
        seconds[0] = 1.0
        for seen in await ask(lookout, 100):
            assert (seen.ready, seen.storage) == (False, "the folder is on fire")
        assert len(blobs.looks) == 2
        blobs.broken.clear()
        seconds[0] = 2.0
        assert [seen.ready for seen in await ask(lookout, 1)] == [True]

    asyncio.run(story())
