# SPDX-License-Identifier: Apache-2.0
"""Every route of the application, asked by everybody who may not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from api.access.gate import PUBLIC, Gate, is_public
from api.database.connection import now
from api.schemas import FileKind, Scope
from tests.api.http.world import NOBODY, Owned, World, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from starlette.types import Message, Receive, Send
    from starlette.types import Scope as Connection

ADMIN_ROUTES = ("/v1/keys", "/v1/audit")
ANYBODY_ROUTES = ("/v1/whoami", "/v1/openapi.json")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield an application on SQLite; what tests leave there must not matter to others."""
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


def ask(shop: World, key: str | None, method: str, path: str, **more: Any) -> httpx.Response:
    return shop.ask(key, method, path, **{"content": b"", **more})


def closed_routes(shop: World) -> list[tuple[str, str]]:
    return [(method, path) for method, path in shop.routes() if not is_public(path)]


def test_the_routes_are_all_there(shop: World) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in shop.app.openapi()["paths"].items()
        for method in operations
    }

    assert documented <= set(shop.routes())
    assert len(documented) >= 35
    assert {path for _, path in documented if is_public(path)} == set(PUBLIC) - {"/sign-in"}


def test_without_a_valid_key_every_route_is_closed(shop: World) -> None:
    expired = shop.new_key(expires_at=now() - 1.0).key
    revoked = shop.new_key(is_revoked=True).key
    prefix, _, secret = shop.one.key.partition(".")
    keys = {
        "none": None,
        "empty": "",
        "malformed": "mucg4_",
        "of another form": "x" * 5000,
        "of the form of a token": "a.b.c",
        "wrong secret": f"{prefix}.{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}",
        "other's secret": f"{prefix}.{shop.two.key.partition('.')[2]}",
        "unknown": f"mucg4_{'0' * 12}.{secret}",
        "no secret": f"{prefix}.",
        "expired": expired,
        "revoked": revoked,
    }

    wrong = [
        (name, method, path, answer.status_code)
        for method, path in closed_routes(shop)
        for name, key in keys.items()
        if (answer := ask(shop, key, method, shop.one.path(path))).status_code != 401
        or answer.headers["content-type"] != "application/problem+json"
        or answer.headers["www-authenticate"] != "Bearer"
    ]

    assert wrong == []


def test_what_is_not_there_is_closed_too(shop: World) -> None:
    for path in ("/", "/v1/", "/v1/nothing", "/static", "/healthz/", "/readyz/x", "/sign-in/../v1"):
        answer = ask(shop, None, "POST", path)

        assert answer.status_code == 401, path


@pytest.mark.parametrize("kind", ["Basic", "bearer-", "Token"])
def test_a_key_under_another_scheme_is_no_key(shop: World, kind: str) -> None:
    headers = {"Authorization": f"{kind} {shop.one.key}"}

    assert ask(shop, None, "GET", "/v1/whoami", headers=headers).status_code == 401


def test_a_key_in_the_address_or_the_cookie_is_no_key(shop: World) -> None:
    cookie = {"Cookie": f"mucg4_session={shop.one.key}"}

    assert ask(shop, None, "GET", f"/v1/whoami?key={shop.one.key}").status_code == 401
    assert ask(shop, None, "GET", "/v1/whoami", headers=cookie).status_code == 401


def needed_scope(method: str, path: str) -> Scope | None:
    if path in ANYBODY_ROUTES:
        return None
    if path.startswith(ADMIN_ROUTES):
        return Scope.ADMIN
    if path == "/metrics":
        return Scope.METRICS
    return Scope.READ if method in ("GET", "HEAD") else Scope.WRITE


def test_a_route_needs_its_scope_and_no_other(shop: World) -> None:
    others = {
        scope: shop.new_key(scopes=[s for s in Scope if s != scope] or [scope]).key
        for scope in Scope
    }
    alone = {scope: shop.new_key("two", scopes=[scope]).key for scope in Scope}

    for method, path in closed_routes(shop):
        scope = needed_scope(method, path)
        if scope is None or not path.startswith(("/v1/", "/metrics")):
            continue
        # Asked for what is not there, so that nothing is removed on the way.
        target = NOBODY.path(path)
        without = ask(shop, others[scope], method, target)
        with_it = ask(shop, alone[scope], method, target)

        assert without.status_code == 403, (method, path, without.text)
        assert str(scope) in without.json()["detail"]
        assert with_it.status_code not in (401, 403), (method, path, with_it.text)
        assert with_it.status_code < 500, (method, path, with_it.text)


def parametrised(shop: World) -> list[tuple[str, str]]:
    return [(method, path) for method, path in closed_routes(shop) if "{" in path]


def test_what_is_anothers_answers_as_what_is_not_there(shop: World) -> None:
    for method, path in parametrised(shop):
        theirs, nobodys = shop.two.path(path), NOBODY.path(path)
        found = ask(shop, shop.one.key, method, theirs)
        missing = ask(shop, shop.one.key, method, nobodys)

        assert found.status_code == missing.status_code, (method, path)
        assert found.status_code == (422 if method == "PUT" else 404), (method, path, found.text)
        assert _without(found.text, shop.two) == _without(missing.text, NOBODY), (method, path)
        assert dict(found.headers).keys() == dict(missing.headers).keys()


def test_what_is_ones_own_is_there(shop: World) -> None:
    for method, path in parametrised(shop):
        # The job is no batch, so it has no page as one.
        if method == "GET" and not path.startswith("/batches/"):
            answer = ask(shop, shop.two.key, method, shop.two.path(path))

            assert answer.status_code == 200, (path, answer.text)


def _without(text: str, owned: Owned) -> str:
    for name in (*owned.files.values(), owned.job_id, owned.prefix):
        text = text.replace(name, "*")
    return text


def test_a_job_cannot_name_what_is_anothers(shop: World) -> None:
    def bodies(of: Owned) -> list[dict[str, Any]]:
        own, model, prop = shop.one.files, of.files[FileKind.MODEL], of.files[FileKind.PROPERTY]
        mine, question = own[FileKind.MODEL], own[FileKind.PROPERTY]
        check = {"kind": "check", "model": mine, "property": question}
        reverify = {"kind": "reverify", "original": mine, "properties": [question]}
        network = {"original": mine, "variants": [model]}
        return [
            {"kind": "compress", "model": model, "method": "magnitude_pruning"},
            {"kind": "prove", "model": model, "properties": [question]},
            {"kind": "prove", "model": mine, "properties": [prop]},
            {"kind": "prove", "model": mine, "properties": [question, prop]},
            {**reverify, "model": model},
            {**reverify, "original": model, "model": mine},
            {**reverify, "model_of": of.job_id},
            {**reverify, "model": mine, "neuron_map": of.files[FileKind.NEURON_MAP]},
            {"kind": "classify", "original": mine, "model": model},
            {**check, "certificate": of.files[FileKind.CERTIFICATE]},
            {"kind": "batch", "networks": [network], "properties": [question]},
        ]

    for theirs, nobodys in zip(bodies(shop.two), bodies(NOBODY), strict=True):
        found = shop.ask(shop.one.key, "POST", "/v1/jobs", json=theirs)
        missing = shop.ask(shop.one.key, "POST", "/v1/jobs", json=nobodys)

        assert found.status_code == missing.status_code == 422, (theirs, found.text)
        assert _without(found.text, shop.two) == _without(missing.text, NOBODY)


def test_lists_show_nothing_that_is_anothers(shop: World) -> None:
    names = [*shop.two.files.values(), shop.two.job_id, shop.two.prefix, "two"]
    lists = ["/v1/jobs", f"/v1/jobs?model={shop.two.files[FileKind.MODEL]}", "/v1/keys"]
    lists += ["/v1/audit", f"/v1/jobs?parent={shop.two.job_id}", "/v1/whoami"]
    lists += [f"/v1/{folder}" for folder in ("models", "properties", "proofs", "neuron-maps")]

    for place in lists:
        answer = ask(shop, shop.one.key, "GET", place)
        found = [name for name in names if f'"{name}"' in answer.text]

        assert answer.status_code == 200
        assert found == [], place


def test_a_route_that_was_added_without_a_thought_is_closed(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        made.app.add_api_route("/v1/forgotten", lambda: "secret", methods=["GET"])
        made.app.add_api_route("/forgotten", lambda: "secret", methods=["GET"])

        for path in ("/v1/forgotten", "/forgotten"):
            assert ask(made, None, "GET", path).status_code == 401
            assert ask(made, made.one.key, "GET", path).text == '"secret"'


def test_nothing_but_requests_gets_past(shop: World) -> None:
    answers: list[Message] = []

    async def inner(scope: Connection, receive: Receive, send: Send) -> None:
        del scope, receive, send
        pytest.fail("a connection of another kind got past")

    async def send(message: Message) -> None:
        answers.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    gate = Gate(inner, shop.server, None)
    scope = {"type": "websocket", "path": "/v1/jobs", "headers": []}
    asyncio.run(gate(scope, receive, send))

    assert answers == [{"type": "websocket.close", "code": 1008}]
