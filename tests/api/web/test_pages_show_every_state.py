# SPDX-License-Identifier: Apache-2.0
"""Each page renders for each state that a job can be in, and says what it has to say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api.jobs.states import State
from api.schemas import FOLDERS, FileKind, Scope
from api.web.methods import Methods
from tests.api.web.answers import classified, counterexample, proved, reuse
from tests.api.web.site import EVERYTHING, read_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.api.web.site import Page, Site

LISTED = {
    "methods": [
        {
            "name": "magnitude_pruning",
            "summary": "set the smallest weights to zero",
            "options": [
                {"name": "sparsity", "summary": "share", "expects": "a number", "default": "1/10"},
                {
                    "name": "scope",
                    "summary": "s",
                    "expects": "one of layer, global",
                    "default": "layer",
                },
            ],
        }
    ]
}


@pytest.fixture(autouse=True)
def _signed_in(site: Site) -> None:
    site.enter()


def done(site: Site, answer: Mapping[str, Any], **columns: Any) -> Page:
    """Return the page of a proof that has an answer."""
    job_id = site.job(State.SUCCEEDED, result=dict(answer), verdict=answer["verdict"], **columns)
    return site.page(f"/jobs/{job_id}")


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_page(site: Site, state: State) -> None:
    page = site.page(f"/jobs/{site.job(state)}")

    (panel,) = page.all("section", id="verdict")
    assert panel["data-status"] == state
    assert panel["aria-live"] == "polite"
    assert bool(page.all("button", data_cancel=site.ledger.prove())) is False
    unfinished = state in (State.QUEUED, State.RUNNING)
    assert ("Cancel" in page.words) is unfinished
    assert ("Run again" in page.words) is not unfinished


@pytest.mark.parametrize(
    ("verdict", "meaning"),
    [
        ("holds", "No input in the set that the property names has an unsafe output."),
        ("violated", "There is an input in the set that the property names with an unsafe output."),
        ("unknown", "Neither was shown"),
    ],
)
def test_a_verdict_says_what_it_means_and_in_which_arithmetic(
    site: Site, verdict: str, meaning: str
) -> None:
    page = done(site, proved(verdict, reason="the time is up" if verdict == "unknown" else ""))

    assert page.all("section", data_status=verdict)
    assert meaning in page.words
    assert "In real arithmetic on the weights as stored." in page.words
    assert ("the time is up" in page.words) is (verdict == "unknown")


def test_a_problem_says_what_happened(site: Site) -> None:
    problem = {"title": "Refused", "detail": "operator 'Softmax' is not supported"}

    page = site.page(f"/jobs/{site.job(State.FAILED, problem=problem)}")

    assert "operator 'Softmax' is not supported" in page.words


def test_a_counterexample_is_shown_on_both_networks(site: Site) -> None:
    page = done(site, proved("violated", counterexample=counterexample()))

    assert "Y_0 - Y_1 <= 0" in page.words
    assert "not met" in page.words
    assert "onnxruntime 1, float32" in page.words
    assert len(page.all("svg", **{"class": "chart-interval"})) == 2
    assert len(page.all("svg", **{"class": "chart-signed"})) == 4


def test_a_counterexample_without_an_original_has_one_bar_for_each_output(site: Site) -> None:
    page = done(site, proved("violated", counterexample=counterexample(original=False)))

    assert len(page.all("svg", **{"class": "chart-signed"})) == 2
    assert "not met" not in page.words


def test_a_picture_is_shown_as_one(site: Site) -> None:
    page = done(site, proved("violated", counterexample=counterexample(784)))

    pictures = page.all("svg", **{"class": "chart-picture"})
    assert [each["role"] for each in pictures] == ["img"] * 3
    assert "28 by 28" in page.words


def test_reuse_is_shown_as_a_bar_with_its_numbers(site: Site) -> None:
    page = done(site, proved("holds", reuse=reuse()))

    assert "50 % of 10 cores valid as they were" in page.words
    for text in ("5 valid", "3 repaired", "2 dropped", "Residual subproblems"):
        assert text in page.words


def test_an_answer_that_is_something_else_is_not_shown(site: Site) -> None:
    page = done(site, {"verdict": "holds", "seconds": "soon"})

    assert "There is an answer, which this page cannot show" in page.words


def test_running_again_asks_for_the_same(site: Site) -> None:
    page = site.page(f"/jobs/{site.job(State.SUCCEEDED)}")

    (button,) = [each for each in page.all("button") if "data-again" in each]
    again = json.loads(button["data-again"])
    fresh = site.ledger.job(site.ledger.submit(**again))
    assert (again["kind"], fresh.kind) == ("prove", "prove")


def test_a_batch_is_a_matrix_in_the_order_of_its_request(site: Site) -> None:
    model = site.file(FileKind.MODEL, "m")
    variants = [site.file(FileKind.MODEL, name) for name in ("v2", "v1")]
    properties = [site.file(FileKind.PROPERTY, name) for name in ("q", "p")]
    compression = {"method": "magnitude_pruning", "options": {"sparsity": "1/3"}}
    network = {"original": model, "variants": variants, "compressions": [compression]}
    batch = site.ledger.submit(kind="batch", networks=[network], properties=properties)

    page = site.page(f"/batches/{batch}")

    words = page.words[page.words.index("Network") :]
    rows = ["m original", "v2", "v1", "magnitude pruning (sparsity 1/3)"]
    assert [words.index(row) for row in rows] == sorted(words.index(row) for row in rows)
    assert [each["title"] for each in page.all("span", **{"class": "column-name"})] == ["q", "p"]
    assert len(page.all("a", **{"class": "verdict-cell is-queued"})) == 8
    assert "8 queued" in page.words


def test_a_cell_has_a_word_and_a_symbol_not_a_colour_alone(site: Site) -> None:
    model, prop = site.file(FileKind.MODEL, "m"), site.file(FileKind.PROPERTY, "p")
    network = {"original": model, "compressions": []}
    batch = site.ledger.submit(kind="batch", networks=[network], properties=[prop])
    (job_id,) = [each for each, state in site.ledger.all_jobs().items() if each != batch]
    site.alter(job_id, state="succeeded", verdict="violated", result=proved("violated"))

    page = site.page(f"/batches/{batch}")

    (cell,) = page.all("a", href=f"/jobs/{job_id}")
    assert cell["aria-label"] == "m, p: violated"
    assert "✗violated1.25 s" in page.words.replace(" ", "").replace("1.25s", "1.25 s")


def test_each_cell_is_that_of_its_network_and_property(site: Site) -> None:
    names = {site.file(FileKind.MODEL, name): name for name in "mv"}
    names |= {site.file(FileKind.PROPERTY, name): name for name in "qp"}
    model, variant, *properties = names
    network = {"original": model, "variants": [variant]}
    batch = site.ledger.submit(kind="batch", networks=[network], properties=properties)
    found = [site.ledger.job(each) for each in site.ledger.all_jobs() if each != batch]
    true = {"mq": "holds", "mp": "violated", "vq": "violated", "vp": "holds"}
    expected = {}
    for job in found:
        pair = names[job.request["model"]] + names[job.request["property"]]
        site.alter(job.id, state="succeeded", verdict=true[pair], result=proved(true[pair]))
        expected[job.id] = f"{pair[0]}, {pair[1]}: {true[pair]}"

    cells = site.page(f"/batches/{batch}").all("a", **{"class": "verdict-cell is-holds"})
    cells += site.page(f"/batches/{batch}").all("a", **{"class": "verdict-cell is-violated"})

    told = {cell["href"].removeprefix("/jobs/"): cell["aria-label"] for cell in cells}
    assert told == expected


def test_a_job_of_a_batch_leads_back_and_a_batch_is_found_as_a_job(site: Site) -> None:
    model, prop = site.file(FileKind.MODEL, "m"), site.file(FileKind.PROPERTY, "p")
    batch = site.ledger.submit(kind="batch", networks=[{"original": model}], properties=[prop])
    (job_id,) = [each for each in site.ledger.all_jobs() if each != batch]

    assert site.page(f"/jobs/{job_id}").all("a", href=f"/batches/{batch}")
    assert site.get(f"/jobs/{batch}").headers["location"] == f"/batches/{batch}"
    assert site.get(f"/batches/{job_id}").status_code == 404


def test_a_newcomer_is_told_where_to_start(site: Site) -> None:
    page = site.page("/")

    assert "Start here" in page.words
    assert page.all("a", href="/new")


def test_the_overview_counts_what_is_going_on(site: Site) -> None:
    site.job(State.RUNNING)
    site.ledger.prove("n")

    page = site.page("/")

    assert "1 running, 1 waiting" in page.words
    assert "Start here" not in page.words


def test_jobs_are_listed_as_they_are_asked_for(site: Site) -> None:
    site.job(State.FAILED)

    assert "failed" in site.page("/jobs?state=failed").words
    assert "No job is like this" in site.page("/jobs?state=running").words
    assert "No job is like this" in site.page("/jobs?kind=compress").words
    assert "Proof" in site.page("/jobs?kind=prove&state=").words


def test_a_long_list_goes_on_on_another_page(site: Site) -> None:
    for _ in range(51):
        site.job()

    first = site.page("/jobs")
    (older,) = [each["href"] for each in first.all("a") if "cursor=" in each["href"]]
    assert len(first.all("a", **{"class": "button primary"})) == 1
    assert len([a for a in site.page(older).all("a") if a["href"].startswith("/jobs/")]) == 1


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_kind_of_file_has_its_list(site: Site, folder: str) -> None:
    assert "There are no" in site.page(f"/{folder}").words

    site.file(FOLDERS[folder], "seen.file", network="n", property="p", verdict="holds")

    assert "There are no" not in site.page(f"/{folder}").words


def test_a_new_verification_offers_the_methods_that_there_are(site: Site) -> None:
    site.file(FileKind.MODEL, "here.onnx")
    server = site.app.state.server
    object.__setattr__(server, "methods", Methods(server.settings, lambda *_: LISTED))

    page = site.page("/new")

    assert page.all("template", data_method="magnitude_pruning")
    assert page.all("input", data_option="sparsity", data_default="1/10")
    assert page.all("select", data_option="scope")
    assert "here" in page.words


def test_two_networks_are_compared_by_a_job(site: Site) -> None:
    original, model = site.file(FileKind.MODEL, "m"), site.file(FileKind.MODEL, "n")
    place = f"/compare?original={original}&model={model}&property="
    before = site.page(place)
    (button,) = [each for each in before.all("button") if "data-compare" in each]

    job_id = site.ledger.submit(**json.loads(button["data-compare"]))

    assert "Comparing…" in site.page(place).words
    site.alter(job_id, state="succeeded", result=classified())
    shown = site.page(place)
    assert "relu_1/in" in shown.words
    assert "2.5 → 2.75" in shown.words


def test_keys_are_listed_without_their_secrets(site: Site) -> None:
    key = site.key(Scope.READ)

    page = site.page("/keys")

    assert key.split(".")[0].removeprefix("mucg4_") in page.words
    assert key.split(".")[1] not in page.source


def test_what_belongs_to_others_is_not_there(site: Site) -> None:
    job_id = site.job(State.SUCCEEDED)
    site.enter(*EVERYTHING, tenant="two")

    assert site.get(f"/jobs/{job_id}").status_code == 404
    assert site.get(f"/batches/{job_id}").status_code == 404
    assert "Start here" in site.page("/").words
    assert "There are no" in site.page("/models").words


@pytest.mark.parametrize("place", ["/nowhere", f"/jobs/{'0' * 32}", "/jobs/nothing"])
def test_errors_are_pages_for_people_and_documents_for_programs(site: Site, place: str) -> None:
    answer = site.get(place)

    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert "To the overview" in read_page(answer.text).words
    document = site.ask("GET", place, accept="application/json")
    assert document.headers["content-type"] == "application/problem+json"
