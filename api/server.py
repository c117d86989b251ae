# SPDX-License-Identifier: Apache-2.0
"""What requests are answered with: the parts of a running server, put together once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.access.rate import Crowd, RateLimit
from api.blobs import Blobs
from api.caretaker import Caretaker
from api.database.connection import Database
from api.files import Inspector
from api.jobs.announcements import Announcements
from api.jobs.supervisor import Supervisor
from api.measures import Measures
from api.quota import Quota
from api.readiness import Lookout
from api.web.methods import Methods

if TYPE_CHECKING:
    from api.sandbox.level import Level
    from api.settings import Settings

SIGN_INS_PER_MINUTE = 20


@dataclass(frozen=True)
class Server:
    """The parts of a running server.

    Attributes:
        settings: How it runs.
        database: Where jobs, files and keys are.
        blobs: Where the bytes of files are.
        inspector: Looks at uploads.
        rate: Counts requests.
        crowd: Counts requests that are being answered.
        sign_ins: Counts tries to sign in, by address.
        methods: Knows how networks can be compressed.
        quota: Knows what tenants store.
        announcements: Wakes streams of events.
        supervisor: Keeps workers running.
        caretaker: Tidies up.
        measures: What is counted of requests.
        lookout: Sees whether the server can take work.
    """

    settings: Settings
    database: Database
    blobs: Blobs
    inspector: Inspector
    rate: RateLimit
    crowd: Crowd
    sign_ins: RateLimit
    methods: Methods
    quota: Quota
    announcements: Announcements
    supervisor: Supervisor
    caretaker: Caretaker
    measures: Measures
    lookout: Lookout


def make_server(settings: Settings, level: Level) -> Server:
    """Return the parts of a server; nothing is started yet."""
    database = Database(settings.url)
    blobs = Blobs(settings.blob_dir)
    return Server(
        settings,
        database,
        blobs,
        Inspector(settings),
        RateLimit(settings.requests_per_minute),
        Crowd(),
        RateLimit(SIGN_INS_PER_MINUTE),
        Methods(settings),
        Quota(database, settings.tenant_bytes),
        Announcements(database),
        Supervisor(settings),
        Caretaker(settings, database, blobs),
        Measures(),
        Lookout(database, blobs, level),
    )
