# SPDX-License-Identifier: Apache-2.0
"""A key becomes a session, and the session ends; nobody is led elsewhere or may guess on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from api.access.gate import COOKIE
from api.schemas import Scope
from api.server import SIGN_INS_PER_MINUTE
from tests.api.web.site import read_page

if TYPE_CHECKING:
    import httpx

    from tests.api.web.site import Site

JOB = "0" * 32


def sign_in(site: Site, key: str, then: str = "/", place: str = "same-origin") -> httpx.Response:
    """Send the form."""
    form = urlencode({"key": key, "then": then})
    return site.ask("POST", "/sign-in", form, sec_fetch_site=place)


def test_a_key_opens_the_pages(site: Site) -> None:
    answer = sign_in(site, site.key())

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert site.get("/").status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    cookie = sign_in(site, site.key()).headers["set-cookie"]

    assert cookie.startswith(f"{COOKIE}=")
    for word in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age="):
        assert word in cookie
    assert "Secure" not in cookie


def test_the_cookie_is_secure_where_the_connection_is(site: Site) -> None:
    form = urlencode({"key": site.key()})

    answer = site.ask("POST", "https://127.0.0.1/sign-in", form, sec_fetch_site="same-origin")

    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_key_is_said_to_be_wrong(site: Site) -> None:
    answer = sign_in(site, f"mucg4_{'0' * 12}.{'x' * 43}")

    page = read_page(answer.text)
    assert answer.status_code == 401
    assert "the API key is not valid" in page.words
    assert "set-cookie" not in answer.headers
    assert page.all("input", id="key")[0]["aria-invalid"] == "true"


def test_what_was_entered_is_not_shown_again(site: Site) -> None:
    assert "mucg4_secret" not in sign_in(site, "mucg4_secret").text


@pytest.mark.parametrize("place", ["cross-site", "same-site", "none", ""])
def test_other_sites_cannot_sign_somebody_in(site: Site, place: str) -> None:
    answer = sign_in(site, site.key(), place=place)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_guessing_ends_after_some_tries(site: Site) -> None:
    statuses = [sign_in(site, "wrong").status_code for _ in range(SIGN_INS_PER_MINUTE + 1)]

    assert statuses == [401] * SIGN_INS_PER_MINUTE + [429]
    assert sign_in(site, site.key()).status_code == 429


def test_a_form_that_is_too_long_is_refused(site: Site) -> None:
    assert sign_in(site, "x" * 5000).status_code == 413


def test_who_asks_for_a_page_gets_there_after_signing_in(site: Site) -> None:
    asked = site.get(f"/jobs/{JOB}")

    assert asked.headers["location"] == f"/sign-in?then=/jobs/{JOB}"
    form = read_page(site.get(asked.headers["location"]).text)
    assert form.all("input", name="then")[0]["value"] == f"/jobs/{JOB}"
    assert sign_in(site, site.key(), f"/jobs/{JOB}").headers["location"] == f"/jobs/{JOB}"


@pytest.mark.parametrize(
    "then",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/%2fevil.example",
        "javascript:alert(1)",
        "/jobs/../../evil",
        "/jobs?next=//evil",
        "/sign-in\r\nset-cookie: a=b",
        '"><script>alert(1)</script>',
    ],
)
def test_nobody_is_led_elsewhere(site: Site, then: str) -> None:
    assert sign_in(site, site.key(), then).headers["location"] == "/"
    page = read_page(site.get(f"/sign-in?then={quote(then)}").text)
    assert page.all("input", name="then")[0]["value"] == "/"


def test_signing_out_ends_the_session_itself(site: Site) -> None:
    sign_in(site, site.key())
    kept = site.cookies[COOKIE]

    answer = site.ask("POST", "/sign-out", sec_fetch_site="same-origin")

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    site.cookies.set(COOKIE, kept)
    assert site.get("/").status_code == 303


def test_other_sites_cannot_sign_somebody_out(site: Site) -> None:
    sign_in(site, site.key())

    assert site.ask("POST", "/sign-out", sec_fetch_site="cross-site").status_code == 403
    assert site.get("/").status_code == 200


def test_signing_in_is_in_the_audit_log(site: Site) -> None:
    sign_in(site, site.key())

    assert "sign in" in site.page("/audit").words


def test_a_key_shows_what_it_may(site: Site) -> None:
    site.enter(Scope.READ)

    home = site.page("/")
    assert not home.all("a", href="/new")
    assert not home.all("a", href="/keys")
    assert site.get("/new").status_code == 403
    assert site.get("/keys").status_code == 403
    assert site.get("/audit").status_code == 403
