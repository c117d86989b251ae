# SPDX-License-Identifier: Apache-2.0
"""What Prometheus reads: requests by route, jobs by state, and no label for what strangers ask."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.server_process import ServerProcess


@pytest.mark.slow
def test_requests_are_counted_by_route(server: ServerProcess) -> None:
    with server.client() as client:
        client.get(f"/v1/jobs/{'0' * 32}")
        client.get(f"/v1/models/{'0' * 64}/content")
        client.get("/v1/no/such/place")
        text = client.get("/metrics").text

    counted = set(re.findall(r'mucg4_requests_total\{method="GET",route="([^"]*)"', text))
    assert {"/v1/jobs/{job_id}", "/v1/models/{sha256}/content", "none"} <= counted
    assert not [route for route in counted if "000" in route or "such" in route]
