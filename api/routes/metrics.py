# SPDX-License-Identifier: Apache-2.0
"""Metrics in the form that Prometheus reads; the key needs the scope ``metrics``."""

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select

from api.database.connection import now
from api.database.tables import files, jobs
from api.jobs.states import State
from api.readiness import count_workers
from api.routes.asking import Monitor, TheServer
from api.server import Server

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(server: TheServer, caller: Monitor) -> Response:
    """Give the metrics of the whole server."""
    del caller
    registry = CollectorRegistry()
    registry.register(_Collector(server))
    own = generate_latest(server.measures.registry)
    return Response(own + generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Collector:
    """Counts what is in the database when it is asked."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def collect(self) -> Iterator[GaugeMetricFamily]:
        read = self._server.database.read
        by_state = GaugeMetricFamily(
            "mucg4_jobs", "Jobs by kind and state", labels=["kind", "state"]
        )
        query = select(jobs.c.kind, jobs.c.state, func.count()).group_by(jobs.c.kind, jobs.c.state)
        for kind, state, number in read(lambda c: c.execute(query).all()):
            by_state.add_metric([kind, state], number)
        yield by_state
        oldest = select(func.min(jobs.c.created_at)).where(jobs.c.state == State.QUEUED)
        since = read(lambda c: c.execute(oldest).scalar())
        waited = 0.0 if since is None else max(0.0, now() - since)
        yield GaugeMetricFamily(
            "mucg4_oldest_queued_seconds", "Age of the oldest queued job", waited
        )
        alive = read(count_workers)
        yield GaugeMetricFamily("mucg4_workers", "Workers that were heard of lately", alive)
        stored = select(func.coalesce(func.sum(files.c.bytes), 0))
        size = float(read(lambda c: c.execute(stored).scalar_one()))
        yield GaugeMetricFamily("mucg4_stored_bytes", "Bytes of registered files", size)
