# SPDX-License-Identifier: Apache-2.0
"""Keys are made, listed and revoked; their secrets are told once and kept nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from api.access import keys
from api.access.keys import begin_session
from api.database.tables import audit, metadata, sessions
from api.schemas import FileKind, Scope
from tests.api.http.world import World, world
from tests.api.server_process import ROOT, ServerProcess
from tests.api.tiny import tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[World]:
    with world(tmp_path / "data", database_url) as made:
        yield made


def make(shop: World, key: str, **request: Any) -> dict[str, Any]:
    answer = shop.ask(key, "POST", "/v1/keys", json={"name": "n", "scopes": ["read"], **request})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_key_works_until_it_is_revoked_and_not_once_more(shop: World) -> None:
    made = make(shop, shop.one.key)
    listed = shop.ask(shop.one.key, "GET", "/v1/keys")

    assert shop.ask(made["key"], "GET", "/v1/whoami").json() == {
        "tenant": "one",
        "actor": made["prefix"],
        "scopes": ["read"],
    }
    assert made["prefix"] in {key["prefix"] for key in listed.json()}
    revoked = shop.ask(shop.one.key, "DELETE", f"/v1/keys/{made['prefix']}")
    assert revoked.status_code == 204
    assert shop.ask(made["key"], "GET", "/v1/whoami").status_code == 401


def test_a_session_ends_with_its_key(shop: World) -> None:
    made = make(shop, shop.one.key)
    caller = shop.caller(made["key"])
    token = shop.server.database.write(lambda c: begin_session(c, caller))
    cookie = {"Cookie": f"mucg4_session={token}"}

    assert shop.ask(None, "GET", "/v1/whoami", headers=cookie).status_code == 200
    shop.ask(shop.one.key, "DELETE", f"/v1/keys/{made['prefix']}")
    assert shop.ask(None, "GET", "/v1/whoami", headers=cookie).status_code == 401
    rows = shop.server.database.read(lambda c: c.execute(select(sessions)).all())
    assert rows == []


def test_a_session_changes_things_from_pages_of_this_server_only(shop: World) -> None:
    caller = shop.caller(shop.one.key)
    token = shop.server.database.write(lambda c: begin_session(c, caller))
    for site, status in ((None, 403), ("cross-site", 403), ("same-site", 403), ("none", 403)):
        headers = {"Cookie": f"mucg4_session={token}"}
        headers |= {} if site is None else {"Sec-Fetch-Site": site}
        answer = shop.ask(None, "DELETE", f"/v1/jobs/{shop.one.job_id}", headers=headers)
        assert answer.status_code == status, site
    headers = {"Cookie": f"mucg4_session={token}", "Sec-Fetch-Site": "same-origin"}
    answer = shop.ask(None, "DELETE", f"/v1/jobs/{shop.one.job_id}", headers=headers)
    assert answer.status_code == 202


@pytest.mark.parametrize("has", [[Scope.ADMIN], [Scope.ADMIN, Scope.READ]])
def test_a_key_cannot_make_one_that_may_do_more(shop: World, has: list[Scope]) -> None:
    admin = shop.new_key(scopes=has).key
    for scope in Scope:
        body = {"name": "more", "scopes": ["admin", scope]}
        answer = shop.ask(admin, "POST", "/v1/keys", json=body)

        assert answer.status_code == (201 if scope in has else 403)


def test_a_key_is_of_its_makers_tenant(shop: World) -> None:
    made = make(shop, shop.two.key, scopes=["read", "admin"])
    refused = {"name": "x", "scopes": ["read"], "tenant": "one"}

    assert shop.ask(made["key"], "GET", "/v1/whoami").json()["tenant"] == "two"
    assert shop.ask(made["key"], "DELETE", f"/v1/keys/{shop.one.prefix}").status_code == 404
    assert shop.ask(shop.two.key, "POST", "/v1/keys", json=refused).status_code == 422


@pytest.mark.parametrize(
    "until",
    ["2020-01-01T00:00:00Z", "2100-01-01T00:00:00", "9999-12-31T23:59:59-23:59", 1e300, "NaN", "x"],
)
def test_an_end_that_makes_no_sense_is_refused(shop: World, until: Any) -> None:
    body = {"name": "x", "scopes": ["read"], "expires_at": until}

    assert shop.ask(shop.one.key, "POST", "/v1/keys", json=body).status_code == 422


def test_a_key_ends_when_it_says(shop: World) -> None:
    until = datetime.now(UTC) + timedelta(days=2)
    made = make(shop, shop.one.key, expires_at=until.isoformat())

    assert datetime.fromisoformat(made["expires_at"]) == until
    assert shop.ask(made["key"], "GET", "/v1/whoami").status_code == 200


def test_too_many_requests_wait_and_other_keys_do_not(tmp_path: Path) -> None:
    with world(tmp_path, requests_per_minute=5) as shop:
        answers = [shop.ask(shop.one.key, "GET", "/v1/whoami") for _ in range(8)]
        other = shop.ask(shop.two.key, "GET", "/v1/whoami")

    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 12
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert other.status_code == 200


def test_a_full_store_takes_no_more_and_counts_what_is_on_its_way(tmp_path: Path) -> None:
    content = tiny_model()
    with world(tmp_path, tenant_bytes=1000) as shop:
        whole = shop.ask(shop.one.key, "POST", "/v1/models", content=bytes(999))
        with shop.server.quota.reserved("one", 900):
            second = shop.ask(shop.one.key, "POST", "/v1/models", content=content)
            other = shop.ask(shop.two.key, "PUT", f"/v1/models/{'0' * 64}", content=content)

    assert whole.status_code == second.status_code == 429
    assert "1000" in second.json()["detail"]
    assert int(second.headers["retry-after"]) > 0
    assert other.status_code == 422


def test_a_full_queue_takes_no_more(tmp_path: Path) -> None:
    with world(tmp_path, tenant_jobs=2, queued_jobs=3) as shop:
        statuses = []
        for owned in (shop.one, shop.two):
            body = {
                "kind": "prove",
                "model": owned.files[FileKind.MODEL],
                "properties": [owned.files[FileKind.PROPERTY]],
            }
            answers = [shop.ask(owned.key, "POST", "/v1/jobs", json=body) for _ in range(3)]
            assert all(a.status_code == 202 or "retry-after" in a.headers for a in answers)
            statuses.append([answer.status_code for answer in answers])

    assert statuses == [[202, 202, 429], [202, 503, 503]]


def test_who_did_what_is_written_down(shop: World) -> None:
    made = make(shop, shop.one.key)
    shop.ask(shop.one.key, "DELETE", f"/v1/keys/{made['prefix']}")
    model, prop = shop.one.files[FileKind.MODEL], shop.one.files[FileKind.PROPERTY]
    body = {"kind": "prove", "model": model, "properties": [prop]}
    job_id = shop.ask(shop.one.key, "POST", "/v1/jobs", json=body).json()["id"]
    shop.ask(shop.one.key, "DELETE", f"/v1/jobs/{job_id}")
    shop.ask(shop.one.key, "DELETE", f"/v1/models/{model}")

    log = shop.ask(shop.one.key, "GET", "/v1/audit").json()["items"]

    wanted = [
        ("remove", f"model/{model}"),
        ("cancel", f"job/{job_id}"),
        ("submit", f"job/{job_id}"),
        ("revoke key", f"key/{made['prefix']}"),
        ("create key", f"key/{made['prefix']}"),
    ]
    assert [(entry["action"], entry["target"]) for entry in log[:5]] == wanted
    assert {entry["actor"] for entry in log[:5]} == {shop.one.key[6:18]}
    assert {entry["address"] for entry in log[:5]} == {"127.0.0.1"}


def test_the_log_comes_in_pages_that_leave_out_nothing(shop: World) -> None:
    for _ in range(7):
        make(shop, shop.one.key)
    whole = shop.ask(shop.one.key, "GET", "/v1/audit?limit=100").json()["items"]
    pages: list[Any] = []
    place: str | None = "/v1/audit?limit=2"
    while place is not None:
        page = shop.ask(shop.one.key, "GET", place).json()
        pages += page["items"]
        following = page["next_cursor"]
        place = None if following is None else f"/v1/audit?limit=2&cursor={following}"

    assert pages == whole


def test_nothing_keeps_a_secret(shop: World) -> None:
    made = make(shop, shop.one.key)
    secret = made["key"].partition(".")[2]
    shop.ask(made["key"], "GET", "/v1/whoami")
    told = [shop.ask(shop.one.key, "GET", path).text for path in ("/v1/keys", "/v1/audit")]

    def rows(table: Any) -> str:
        return str(shop.server.database.read(lambda c: c.execute(select(table)).all()))

    kept = [rows(table) for table in metadata.tables.values()]

    assert not any(secret in content for content in [*told, *kept])
    assert made["prefix"] in rows(audit)


@pytest.mark.slow
def test_keys_of_the_command_line_work_on_a_running_server(server: ServerProcess) -> None:
    data = ["--data-dir", str(server.folder / "data"), "--format", "json"]

    def keys(*words: str) -> Any:
        command = [sys.executable, "-m", "verifier.cli.main", "keys", *words, *data]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return done.returncode, json.loads(done.stdout)

    _, made = keys("create", "from afar", "--tenant", "three", "--scope", "read", "--days", "1")
    with server.client(made["key"]) as client:
        assert client.get("/v1/whoami").json()["tenant"] == "three"
        assert client.get("/v1/audit").status_code == 403
        _, listed = keys("list")
        assert made["prefix"] in [key["prefix"] for key in listed["keys"]]
        assert made["key"].partition(".")[2] not in json.dumps(listed)
        assert keys("revoke", made["prefix"])[0] == 0
        assert client.get("/v1/whoami").status_code == 401
    assert keys("revoke", "0" * 12)[0] != 0
    assert keys("create", "x", "--tenant", "../x")[0] == 2
    log = server.log.read_text() + (server.folder / "answer.json").read_text()
    assert made["key"].partition(".")[2] not in log


@pytest.mark.slow
def test_the_log_and_the_files_of_a_server_hold_no_secret(server: ServerProcess) -> None:
    secret = server.key.partition(".")[2].encode()
    with server.client() as client:
        client.get("/v1/jobs", params={"cursor": "x"})
        client.post("/v1/models", content=b"x")

    files = [path for path in (server.folder / "data").rglob("*") if path.is_file()]

    assert files
    assert [path for path in (*files, server.log) if secret in path.read_bytes()] == []


def test_a_database_knows_no_more_than_hashes(shop: World) -> None:
    query = text("SELECT secret_sha256 FROM api_keys")
    kept = shop.server.database.read(lambda c: c.execute(query).scalars().all())

    assert kept
    assert all(len(digest) == 64 for digest in kept)


def test_a_tenant_has_so_many_keys_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MOST_KEYS", 4)
    request = {"name": "one more", "scopes": ["read"]}
    with world(tmp_path) as shop:
        shop.new_key(expires_at=1.0)
        made = [shop.ask(shop.one.key, "POST", "/v1/keys", json=request) for _ in range(3)]
        assert [answer.status_code for answer in made] == [201, 201, 429]
        assert shop.ask(shop.two.key, "POST", "/v1/keys", json=request).status_code == 201
        prefix = made[0].json()["prefix"]
        assert shop.ask(shop.one.key, "DELETE", f"/v1/keys/{prefix}").status_code == 204
        assert shop.ask(shop.one.key, "POST", "/v1/keys", json=request).status_code == 201
