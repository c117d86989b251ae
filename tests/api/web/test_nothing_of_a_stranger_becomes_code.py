# SPDX-License-Identifier: Apache-2.0
"""Names, problems and answers are text wherever they are shown, and no page has code inside."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.jobs.states import State
from api.schemas import FileKind
from api.web import pages
from tests.api.web.answers import counterexample, proved
from tests.api.web.site import read_page

if TYPE_CHECKING:
    from tests.api.web.site import Page, Site

FOLDER = Path(pages.__file__).parent
TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))
SCRIPTS = sorted((FOLDER / "static").glob("*.js"))
EVIL = """"><script>alert(1)</script>'<img src=x onerror=alert(2)>{{ 7*7 }}"""
PLACES = ("/", "/jobs", "/models", "/properties", "/compare", "/keys", "/audit")


def check_harmless(page: Page) -> None:
    """Check that a page has no element or attribute that was not meant."""
    assert not page.all("img")
    assert all(tag.get("src", "").startswith("/static/") for tag in page.all("script"))
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert "49" not in re.sub(r"[0-9a-f]{10,}|\d+ ?(s|min|bytes)", "", page.words)


@pytest.fixture(autouse=True)
def _signed_in(site: Site) -> None:
    site.enter()


def test_names_of_files_are_text_everywhere(site: Site) -> None:
    model, other = site.file(FileKind.MODEL, EVIL), site.file(FileKind.MODEL, f"{EVIL}2")
    prop = site.file(FileKind.PROPERTY, EVIL)
    network = {"original": model, "variants": [other]}
    batch = site.ledger.submit(kind="batch", networks=[network], properties=[prop])
    jobs = [each for each in site.ledger.all_jobs() if each != batch]

    for place in (*PLACES, f"/batches/{batch}", *(f"/jobs/{each}" for each in jobs)):
        check_harmless(site.page(place))
    assert "<script>alert(1)" in site.page(f"/batches/{batch}").words


def test_answers_and_problems_are_text(site: Site) -> None:
    found = counterexample()
    found["violated"]["rows"][0]["row"] = EVIL
    found["replay"][0]["runtime"] = EVIL
    answer = proved("violated", counterexample=found, reason=EVIL, not_written={EVIL: EVIL})
    violated = site.job(State.SUCCEEDED, result=answer, verdict="violated")
    failed = site.job(State.FAILED, problem={"title": EVIL, "detail": EVIL})

    for job_id in (violated, failed):
        page = site.page(f"/jobs/{job_id}")
        check_harmless(page)
        assert "<script>alert(1)" in page.words


def test_the_command_to_check_a_certificate_is_quoted_for_a_shell(site: Site) -> None:
    from sqlalchemy import insert

    from api.database.tables import artifacts

    model = site.file(FileKind.MODEL, "a; rm -rf $HOME.onnx")
    prop = site.file(FileKind.PROPERTY, "p")
    job_id = site.ledger.submit(kind="prove", model=model, properties=[prop])
    row = {"job_id": job_id, "name": "certificate", "sha256": "0" * 64, "bytes": 1}
    row |= {"media_type": "application/gzip", "file_name": "certificate.json.gz"}
    site.ledger.database.write(lambda c: c.execute(insert(artifacts).values(row)))
    site.alter(job_id, state="succeeded", verdict="holds", result=proved())

    assert "--network 'a; rm -rf $HOME.onnx' --property p" in site.page(f"/jobs/{job_id}").words


def test_what_was_asked_for_is_text_in_an_error(site: Site) -> None:
    answer = site.get("/jobs/%3Cscript%3Ealert(1)%3C%2Fscript%3E")

    assert answer.status_code == 404
    check_harmless(read_page(answer.text))


@pytest.mark.parametrize("place", [*PLACES, "/sign-in", "/static/page.js", "/nowhere"])
def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere(
    site: Site, place: str
) -> None:
    policy = site.get(place).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    for word in ("unsafe", "*", "http:", "https:", "data:", "blob:"):
        assert word not in policy


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_code_or_style_inside(template: Path) -> None:
    text = template.read_text(encoding="utf-8")

    assert not re.findall(r"\son[a-z]+\s*=", text)
    assert not re.findall(r"\sstyle\s*=|<style", text)
    assert not re.findall(r"javascript:|\|\s*safe\b|autoescape", text)
    for script in re.findall(r"<script[^>]*>[^<]*</script>", text):
        assert re.fullmatch(r'<script type="module" src="/static/[a-z_]+\.js"></script>', script)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_elements_of_text(script: Path) -> None:
    text = script.read_text(encoding="utf-8")

    assert not re.findall(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(", text)
    for place in re.findall(r'^import .* from "([^"]*)"', text, re.MULTILINE):
        assert (FOLDER / "static" / place.removeprefix("/static/")).is_file()


def test_static_files_are_for_everybody_and_asked_after(site: Site) -> None:
    site.cookies.clear()

    answer = site.get("/static/base.css")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    assert site.get("/static/../render.py").status_code in (303, 404)
    assert site.get("/static/%2e%2e/render.py").status_code in (303, 404)
