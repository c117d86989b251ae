# SPDX-License-Identifier: Apache-2.0
"""An error that nobody expected is told, counted, written down, and gives nothing away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest

from api.database.connection import UnavailableError
from api.web.security import HEADERS
from tests.api.http.world import world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.http.world import World

INTERNAL = "what only the log may say"


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("shop")) as found:

        def fail() -> None:
            raise RuntimeError(INTERNAL)

        def be_away(name: str) -> None:
            msg = f"away: {len(name)}"
            raise UnavailableError(msg)

        for place in ("/v1/defect", "/defect"):
            found.app.add_api_route(place, fail, methods=["GET"])
        for place in ("/v1/away/{name}", "/away/{name}"):
            found.app.add_api_route(place, be_away, methods=["GET"])
        yield found


@pytest.mark.parametrize(
    ("place", "accept", "kind"),
    [
        ("/v1/defect", "*/*", "application/problem+json"),
        ("/defect", "text/html", "text/html; charset=utf-8"),
    ],
)
def test_a_defect_is_told_and_counted(
    shop: World, caplog: pytest.LogCaptureFixture, place: str, accept: str, kind: str
) -> None:
    answer = shop.ask(shop.one.key, "GET", place, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (500, kind)
    assert answer.headers.items() >= {name.lower(): text for name, text in HEADERS.items()}.items()
    assert INTERNAL not in answer.text
    assert INTERNAL in caplog.text
    counted = generate_latest(shop.server.measures.registry).decode()
    assert f'mucg4_requests_total{{method="GET",route="{place}",status="500"}} 1.0' in counted


@pytest.mark.parametrize("place", ["/v1/away", "/away"])
def test_a_line_of_the_log_is_one_line_whatever_was_asked_for(
    shop: World, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    caplog.set_level(logging.ERROR)
    headers = {"Accept": "text/html"}
    asked = f"{place}/x%0a2026-01-01%20api:%20made%20up%1b[2J"
    assert shop.ask(shop.one.key, "GET", asked, headers=headers).status_code == 503
    [message] = [record.getMessage() for record in caplog.records if record.name.startswith("api")]
    assert message.isprintable()
    assert "%1B%5B2J" in message
