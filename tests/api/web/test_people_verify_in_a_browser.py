# SPDX-License-Identifier: Apache-2.0
"""From files to verdicts in a real browser, on a real server, with real networks.

ACAS Xu 2_1 violates property 2 and has property 3; network 3_6 has property 1 after a search that
is long enough to be watched.
"""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.api.server_process import ServerProcess
from tests.api.web.browser import CHROMIUM, PATIENCE_MILLISECONDS, Visitor, browsing, open_context
from tests.lacking import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

LEAST_SHIFT = 0.01
STATES = re.compile("holds|violated|unknown|failed")
expect.set_options(timeout=PATIENCE_MILLISECONDS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Yield a server that runs."""
    if CHROMIUM is None:
        lacking("Chromium is not installed (Debian: apt install chromium)")
    process = ServerProcess(tmp_path_factory.mktemp("server"))
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def browser(server: ServerProcess) -> Iterator[Browser]:
    """Yield a browser."""
    del server
    with browsing() as opened:
        yield opened


@pytest.fixture
def visitor(server: ServerProcess, browser: Browser) -> Iterator[Visitor]:
    """Yield somebody who has signed in, and check that nothing went wrong on their way."""
    context = open_context(browser)
    found = Visitor(context.new_page(), server.address, server.key)
    found.sign_in()
    yield found
    context.close()
    assert found.problems == []


@pytest.fixture(scope="module")
def batch(server: ServerProcess, browser: Browser, data: Path) -> str:
    """Return the page of a batch that was submitted on the pages and has come to its verdicts."""
    context = open_context(browser)
    visitor = Visitor(context.new_page(), server.address, server.key)
    visitor.sign_in()
    place = submit_batch(visitor, data / "acasxu")
    page = visitor.page
    cells = page.locator(".verdict-cell")
    expect(cells).to_have_count(6)
    expect(cells.filter(has_text=STATES)).to_have_count(6)
    # A table grows as its rows become known, and that is all that may move.
    assert visitor.shift < LEAST_SHIFT, visitor.shifted
    assert visitor.problems == []
    context.close()
    return place


def submit_batch(visitor: Visitor, folder: Path) -> str:
    """Submit 2_1 with two compressions and two properties; return where the batch is."""
    page = visitor.page
    page.get_by_role("link", name="New verification").click()
    network = folder / "onnx" / "ACASXU_run2a_2_1_batch_2000.onnx"
    page.locator("#original-file").set_input_files(network)
    expect(page.locator("#original-list")).to_contain_text("5 inputs, 5 outputs, 300 neurons")
    page.locator("#add-method").select_option("integer_quantisation")
    page.get_by_role("button", name="Add the compression").click()
    page.locator("#add-method").select_option("magnitude_pruning")
    page.get_by_role("button", name="Add the compression").click()
    page.locator("[data-method=magnitude_pruning] [data-option=sparsity]").fill("1/20")
    properties = [folder / "vnnlib" / f"prop_{number}.vnnlib" for number in (2, 3)]
    page.locator("#properties-file").set_input_files(properties)
    expect(page.locator("#properties-list [data-state=ready]")).to_have_count(2)
    expect(page.locator("#plan")).to_contain_text("6 verifications")
    page.get_by_role("button", name="Verify").click()
    page.wait_for_url(re.compile("/batches/[0-9a-f]{32}$"))
    return page.url.removeprefix(visitor.address)


def cell(page: Page, network: str, prop: str) -> str:
    """Return where the job of a cell of the matrix is."""
    pattern = re.compile(f"{re.escape(network)}.*, {prop}: ")
    place = page.get_by_role("link", name=pattern).get_attribute("href")
    assert place is not None
    return place


def test_the_matrix_has_the_verdicts(visitor: Visitor, batch: str) -> None:
    visitor.go(batch)

    names = visitor.page.locator(".verdict-cell").evaluate_all(
        "cells => cells.map((cell) => cell.getAttribute('aria-label'))"
    )
    rows = [
        "ACASXU_run2a_2_1_batch_2000",
        "integer quantisation",
        "magnitude pruning (sparsity 1/20)",
    ]
    expected = [f"{row}, {prop}" for row in rows for prop in ("prop_2: violated", "prop_3: holds")]
    assert names == expected


def test_a_counterexample_is_shown_on_both_networks(visitor: Visitor, batch: str) -> None:
    visitor.go(batch)
    visitor.go(cell(visitor.page, "integer quantisation", "prop_2"))
    page = visitor.page

    expect(page.locator(".verdict-word")).to_have_text("violated")
    expect(page.get_by_role("heading", name="Counterexample")).to_be_visible()
    expect(page.locator(".values .met")).to_have_count(8)
    expect(page.locator(".chart-interval")).to_have_count(5)
    expect(page.locator(".bars .chart-signed")).to_have_count(10)


def test_evidence_is_downloaded_and_can_be_checked(
    visitor: Visitor, batch: str, tmp_path: Path
) -> None:
    visitor.go(batch)
    visitor.go(cell(visitor.page, "magnitude pruning", "prop_3"))
    page = visitor.page

    with page.expect_download() as waiting:
        page.get_by_role("link", name="Certificate").click()

    path = tmp_path / "certificate.json.gz"
    waiting.value.save_as(path)
    assert waiting.value.suggested_filename == "certificate.json.gz"
    assert json.loads(gzip.decompress(path.read_bytes()))["verdict"] == "holds"
    command = page.locator(".command code").inner_text()
    assert command.startswith("mucg4 certificate check certificate.json.gz --network")
    expect(page.get_by_text("cores valid as they were")).to_be_visible()


def test_a_comparison_is_made_and_shown(visitor: Visitor, batch: str) -> None:
    visitor.go(batch)
    visitor.page.get_by_role("link", name="Compare", exact=True).nth(1).click()
    page = visitor.page
    page.get_by_label("Bounds for the inputs of").select_option(label="prop_3")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("button", name="Compare now").click()

    expect(page.locator(".layers tbody tr")).to_have_count(7)
    expect(page.get_by_text("Mean width of bounds")).to_be_visible()


def begin_search(visitor: Visitor, data: Path) -> None:
    """Submit a proof that takes a while, and stay on its page."""
    folder = data / "acasxu"
    visitor.go("/new")
    page = visitor.page
    page.locator("#original-file").set_input_files(
        folder / "onnx" / "ACASXU_run2a_3_6_batch_2000.onnx"
    )
    page.locator("#properties-file").set_input_files(folder / "vnnlib" / "prop_1.vnnlib")
    expect(page.locator("[data-state=ready]")).to_have_count(2)
    page.get_by_role("button", name="Verify").click()
    page.wait_for_url(re.compile("/jobs/[0-9a-f]{32}$"))


def watch_search(visitor: Visitor) -> None:
    """See a search get on, then cancel it."""
    page = visitor.page
    expect(page.locator("[data-number=open]")).to_have_text(re.compile(r"\d"))
    expect(page.locator("#chart .line-open")).to_be_attached()
    expect(page.locator("#verdict")).to_have_attribute("data-status", "running")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".verdict-word")).to_have_text("cancelled")
    expect(page.locator("#said")).to_have_text("The job has ended: cancelled")
    expect(page.get_by_role("button", name="Run again")).to_be_visible()


def test_a_search_is_watched_and_cancelled(visitor: Visitor, data: Path) -> None:
    begin_search(visitor, data)

    watch_search(visitor)
    assert visitor.shift < LEAST_SHIFT, visitor.shifted


def test_a_search_is_watched_where_streams_do_not_get_through(visitor: Visitor, data: Path) -> None:
    visitor.page.route("**/events", lambda route: route.fulfill(status=502, body=""))
    begin_search(visitor, data)

    watch_search(visitor)
    refused = [text for text in visitor.problems if "502" in text]
    visitor.problems = [text for text in visitor.problems if text not in refused]
    assert refused


def test_a_search_is_watched_to_its_verdict_without_a_shift(visitor: Visitor, batch: str) -> None:
    visitor.go(batch)
    visitor.go(cell(visitor.page, "ACASXU_run2a_2_1", "prop_3"))
    page = visitor.page
    before = page.url
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: "/jobs/" in url and url != before)

    expect(page.locator(".verdict-word")).to_have_text("holds")
    expect(page.locator("[data-number=open]")).to_have_text("0")
    expect(page.get_by_role("heading", name="Evidence")).to_be_visible()
    assert visitor.shift < LEAST_SHIFT, visitor.shifted


def test_what_is_wrong_with_a_file_is_said_beside_it(visitor: Visitor, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>.onnx"
    (tmp_path / name).write_bytes(b"not a network")
    visitor.go("/new")
    page = visitor.page

    page.locator("#original-file").set_input_files(tmp_path / name)

    expect(page.locator("#original-list [data-state=wrong] .file-note")).not_to_be_empty()
    expect(page.locator("#original-list .file-name")).to_have_text(name)
    page.get_by_role("button", name="Verify").click()
    expect(page.locator("#original-error")).to_have_text("remove the file that is not valid")
    expect(page.locator("#properties-error")).to_have_text("choose at least one property")
    expect(page.locator("#original-file")).to_be_focused()
    expect(page.locator("#original-file")).to_have_attribute("aria-invalid", "true")
    visitor.problems = [text for text in visitor.problems if "422" not in text]


def test_a_key_is_shown_once_and_revoked(visitor: Visitor) -> None:
    visitor.go("/keys")
    page = visitor.page
    page.get_by_label("What is it for?").fill("<b>night</b> run")
    page.get_by_role("button", name="Make key").click()

    expect(page.locator("#made code")).to_have_text(re.compile(r"^mucg4_[0-9a-f]{12}\..{43}$"))
    row = page.locator("#keys tr").filter(has_text="<b>night</b> run")
    expect(row).to_have_count(1)
    page.remove_listener("dialog", visitor._refuse)
    page.on("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button").click()
    expect(row).to_have_class("gone")
    page.reload()
    expect(page.locator("#made code")).to_have_count(0)


def test_everything_is_done_with_the_keyboard_alone(visitor: Visitor, batch: str) -> None:
    del batch  # Its files are there to be chosen.
    page = visitor.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    visitor.go("/")
    tab_to(page, "a[href='/new']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/new")
    tab_to(page, "#original-known")
    page.keyboard.type("ACASXU_run2a_2_1_batch_2000")
    tab_to(page, "#original-use")
    page.keyboard.press("Enter")
    expect(page.locator("#original-list [data-state=ready]")).to_have_count(1)
    tab_to(page, "#properties-known")
    page.keyboard.type("prop_2")
    tab_to(page, "#properties-use")
    page.keyboard.press("Enter")
    expect(page.locator("#properties-list [data-state=ready]")).to_have_count(1)
    tab_to(page, "#submit")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/jobs/[0-9a-f]{32}$"))
    expect(page.locator(".verdict-word")).to_have_text("violated")
    tab_to(page, ".download")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus, which has to be seen wherever it is."""
    for _ in range(60):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "() => { const at = document.activeElement; const zone = at.closest('.dropzone') ?? at;"
            "return at === document.body ? 'none' : getComputedStyle(zone).outlineStyle; }"
        )
        assert outline != "none", page.evaluate("document.activeElement.outerHTML")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(selector)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_every_page_is_legible_in_every_size_and_scheme(
    server: ServerProcess, browser: Browser, batch: str, size: str, scheme: str
) -> None:
    context = open_context(browser, size, scheme)
    visitor = Visitor(context.new_page(), server.address, server.key)
    visitor.go("/sign-in")
    visitor.picture(f"sign-in-{size}-{scheme}")
    visitor.sign_in()
    visitor.go(batch)
    places = {name: cell(visitor.page, *of) for name, of in JOBS.items()} | PLACES
    compare = visitor.page.get_by_role("link", name="Compare", exact=True).last
    places |= {"batch": batch, "compare": str(compare.get_attribute("href"))}
    for name, place in places.items():
        visitor.go(place)
        visitor.page.wait_for_load_state("networkidle")
        if visitor.page.locator("[data-compare]").count():
            visitor.page.locator("[data-compare]").click()
            expect(visitor.page.locator(".layers")).to_be_visible()
        assert visitor.overflow <= 0, f"{name} is too wide"
        assert visitor.faint == [], name
        assert visitor.shift < LEAST_SHIFT, (name, visitor.shifted)
        visitor.picture(f"{name}-{size}-{scheme}")
    assert visitor.problems == []
    context.close()


JOBS = {
    "violated": ("integer quantisation", "prop_2"),
    "holds": ("magnitude pruning", "prop_3"),
    "proof": ("ACASXU_run2a_2_1", "prop_3"),
}
PLACES = {
    "overview": "/",
    "jobs": "/jobs",
    "new": "/new",
    "models": "/models",
    "properties": "/properties",
    "keys": "/keys",
    "audit": "/audit",
}
