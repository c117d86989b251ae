# SPDX-License-Identifier: Apache-2.0
"""A parameter that nobody reads is refused: who misspells a filter would be told of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.http.world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


def test_a_misspelt_filter_is_refused_with_those_that_there_are(shop: World) -> None:
    answer = shop.ask(shop.one.key, "GET", "/v1/jobs?sate=failed")

    assert answer.status_code == 422
    assert "query: 'sate' is no parameter here" in answer.json()["detail"]
    assert "state" in answer.json()["detail"]
    assert shop.ask(shop.one.key, "GET", "/v1/jobs?state=failed").status_code == 200


def test_every_documented_route_of_the_service_refuses_it(shop: World) -> None:
    documented = [
        (method.upper(), path)
        for path, operations in shop.app.openapi()["paths"].items()
        for method in operations
        if path.startswith("/v1/")
    ]

    refused = {}
    for method, path in documented:
        own = shop.one.path(path)
        answer = shop.ask(shop.one.key, method, f"{own}?magic=1", content=b"")
        assert answer.status_code >= 400, (method, path)
        # What is wrong in other ways as well may say that first.
        if shop.ask(shop.one.key, method, own, content=b"").status_code < 400:
            refused[method, path] = answer

    assert len(refused) > 20
    for asked, answer in refused.items():
        assert answer.status_code == 422, asked
        assert "query: 'magic' is no parameter here" in answer.json()["detail"], asked
