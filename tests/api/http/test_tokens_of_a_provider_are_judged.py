# SPDX-License-Identifier: Apache-2.0
"""Tokens of an OpenID Connect provider open what they say, and nothing if anything is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.access.oidc import TokenReader
from api.settings import Settings
from tests.api.http.provider import DISCOVERY, Provider, running_provider
from tests.api.http.world import World, world
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def shop(provider: Provider, tmp_path: Path) -> Iterator[World]:
    settings = Settings(tmp_path, oidc_issuer=provider.issuer)
    with world(tmp_path, tokens=TokenReader(settings)) as made:
        yield made


def whoami(shop: World, token: str) -> Any:
    return shop.ask(token, "GET", "/v1/whoami")


def test_a_right_token_opens_what_it_says(shop: World, provider: Provider) -> None:
    answer = whoami(shop, provider.token())
    jobs = shop.ask(provider.token(), "GET", "/v1/jobs")
    audit = shop.ask(provider.token(), "GET", "/v1/audit")

    assert answer.json() == {
        "tenant": "one",
        "actor": "oidc:somebody",
        "scopes": ["read", "write"],
    }
    assert [job["id"] for job in jobs.json()["items"]] == [shop.one.job_id]
    assert audit.status_code == 403


def test_keys_go_on_working_beside_tokens(shop: World) -> None:
    assert whoami(shop, shop.one.key).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"exp": 1},
        {"exp": None},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"sub": 5},
        {"sub": "some\x00body"},
        {"tenant": None},
        {"tenant": ""},
        {"tenant": ["one"]},
        {"tenant": "One"},
        {"tenant": "../one"},
        {"tenant": "one\n"},
        {"tenant": "x" * 65},
        {"kid": "two"},
        {"kid": None},
    ],
    ids=str,
)
def test_a_token_with_one_thing_wrong_opens_nothing(
    shop: World, provider: Provider, claims: dict[str, Any]
) -> None:
    answer = whoami(shop, provider.token(**claims))

    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_token_of_another_signer_opens_nothing(shop: World, provider: Provider) -> None:
    right = provider.token()
    head, body, signature = right.split(".")
    claims = jwt.decode(right, options={"verify_signature": False})
    public = provider.key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "none", "kid": "one", "typ": "JWT"}
    wrong = {
        "another key": provider.token(key=provider.other_key()),
        "another kind of key": jwt.encode(
            claims, provider.elliptic(), algorithm="ES256", headers={"kid": "one"}
        ),
        "no signature": provider.forged(header, claims),
        "None": provider.forged({**header, "alg": "None"}, claims),
        "a signature that was cut off": f"{head}.{body}.",
        "the public key as a secret": provider.forged({**header, "alg": "HS256"}, claims, pem[:32]),
        "other claims": f"{head}.{provider.forged({}, {**claims, 'tenant': 'two'}).split('.')[1]}"
        f".{signature}",
        "an inner key": provider.forged({**header, "alg": "RS256", "jwk": {}}, claims, b"x"),
        "no JSON": "a.b.c",
        "not ASCII": "ä.ö.ü",
        "empty parts": "..",
    }

    found = {name: whoami(shop, token).status_code for name, token in wrong.items()}

    assert set(found.values()) == {401}, found


def test_a_provider_that_is_away_is_told_as_such(shop: World, provider: Provider) -> None:
    token = provider.token()
    del provider.answers["/keys"]

    answer = whoami(shop, token)

    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    provider.publish()
    assert whoami(shop, token).status_code == 200


def test_strangers_cannot_have_the_provider_asked_again_and_again(
    shop: World, provider: Provider
) -> None:
    assert whoami(shop, provider.token()).status_code == 200

    for number in range(20):
        token = provider.token(kid=f"unknown {number}", key=provider.key)
        assert whoami(shop, token).status_code == 401

    assert provider.asked <= 2


def test_a_token_that_has_just_ended_is_good_for_a_little_while(
    shop: World, provider: Provider
) -> None:
    ended = int(time.time()) - 5

    assert whoami(shop, provider.token(exp=ended)).status_code == 200
    assert whoami(shop, provider.token(exp=ended - 100)).status_code == 401


@pytest.mark.parametrize(
    "document",
    [None, {}, [], {"issuer": "http://other", "jwks_uri": "x"}, {"jwks_uri": "x"}],
    ids=str,
)
def test_a_provider_that_is_none_stops_the_start(
    provider: Provider, tmp_path: Path, document: Any
) -> None:
    provider.answers[DISCOVERY] = document

    with pytest.raises(UsageError, match="openid-configuration"):
        TokenReader(Settings(tmp_path, oidc_issuer=provider.issuer))
