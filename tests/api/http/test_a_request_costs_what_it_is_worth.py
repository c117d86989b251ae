# SPDX-License-Identifier: Apache-2.0
"""No request keeps the server busy, or its memory full, by being wrong in thousands of places."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.http.world import world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.http.world import World

MANY = 30_000
FIELDS = {f"f{number}": 0 for number in range(MANY)}
HASH = "0" * 64


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.mark.parametrize(
    "request_",
    [
        {"kind": "prove", **FIELDS},
        {"kind": "prove", "model": HASH, "properties": [0] * MANY},
        {"kind": "compress", "model": HASH, "method": "m", "options": FIELDS},
        {"kind": "batch", "networks": [FIELDS], "properties": [HASH]},
        {"kind": "batch", "networks": [{"original": HASH, "variants": [0] * MANY}]},
        {"kind": "batch", "networks": [{"original": HASH, "variants": [0] * 99}] * 300},
        {"kind": "batch", "networks": [{"original": HASH, "compressions": [{}] * 99}] * 300},
        {"kind": "batch", "networks": [{}] * MANY, "properties": [HASH]},
        {"kind": [[]] * MANY},
        [[]] * MANY,
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_is_wrong_in_many_places_is_told_in_a_few(shop: World, request_: Any) -> None:
    answer = shop.ask(shop.one.key, "POST", "/v1/jobs", json=request_)
    assert answer.status_code == 422, answer.text
    # It would say how many errors it does not show.
    assert not answer.json()["detail"].endswith("more"), answer.text
    assert len(answer.content) < 10_000


def test_a_body_of_more_than_any_request_is_refused(shop: World) -> None:
    body = b'{"kind": "prove", "model": "' + b"0" * (1 << 20) + b'"}'
    answer = shop.ask(shop.one.key, "POST", "/v1/jobs", content=body)
    assert answer.status_code == 413


def test_pages_take_no_cursor_that_is_none(shop: World) -> None:
    accept = {"Accept": "text/html"}
    for place in (f"/audit?cursor={10**30}", "/audit?cursor=-1", "/audit?cursor=x"):
        assert shop.ask(shop.one.key, "GET", place, headers=accept).status_code == 422
    assert shop.ask(shop.one.key, "GET", "/jobs?kind=%00", headers=accept).status_code == 200
