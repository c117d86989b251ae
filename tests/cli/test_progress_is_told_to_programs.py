# SPDX-License-Identifier: Apache-2.0
"""``--progress json``: lines that a program can read, few enough to read them all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.running import Files, run
from verifier.cli.progress_lines import SECONDS_BETWEEN, ProgressLines
from verifier.engine.limits import Progress

if TYPE_CHECKING:
    from tests.cli.conftest import Proven

KEYS = ["title", "step", "done", "open", "bound", "valid", "repaired", "dropped", "seconds"]


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Heard:
    """What a program reads, and the clock of whoever writes it."""

    def __init__(self) -> None:
        self.clock, self.texts = Clock(), list[str]()
        self.lines = ProgressLines("prove", self.texts.append, self.clock)

    @property
    def reports(self) -> list[dict[str, Any]]:
        return reports("".join(self.texts))


def reports(errors: str) -> list[dict[str, Any]]:
    return [json.loads(line)["progress"] for line in errors.splitlines() if line.startswith("{")]


def test_each_line_has_all_fields_and_the_seconds_since_the_start() -> None:
    heard = Heard()
    heard.clock.now += 1.5

    heard.lines.tell(Progress("search", 3, 17, look=lambda: -0.125))

    first, last = heard.reports
    assert list(first) == list(last) == KEYS
    assert (first["step"], first["done"], first["seconds"]) == ("start", None, 0.0)
    assert last == dict.fromkeys(KEYS) | {
        "title": "prove",
        "step": "search",
        "done": 3,
        "open": 17,
        "bound": -0.125,
        "seconds": 1.5,
    }


def test_reports_that_follow_each_other_closely_are_left_out_but_for_the_last() -> None:
    heard = Heard()
    for done in range(1000):
        heard.clock.now += SECONDS_BETWEEN / 100
        heard.lines.tell(Progress("search", done, 1000 - done))
    heard.lines.close()

    told = [report["done"] for report in heard.reports]
    assert told[:2] == [None, 0]
    assert told[-1] == 999
    assert 10 <= len(told) <= 13


def test_what_is_left_out_is_not_computed() -> None:
    heard, looks = Heard(), list[int]()

    def look() -> float:
        looks.append(1)
        return 0.0

    for _ in range(100):
        heard.lines.tell(Progress("search", 0, 1, look=look))

    assert len(looks) == 1


def test_a_new_step_is_told_at_once() -> None:
    heard = Heard()

    for step in ("search", "search", "minimize", "cover"):
        heard.lines.tell(Progress(step, 0, 1))

    assert [report["step"] for report in heard.reports] == ["start", "search", "minimize", "cover"]


@pytest.mark.parametrize("bound", [None, float("-inf"), float("nan")])
def test_a_bound_that_is_unknown_or_endless_is_null(bound: float | None) -> None:
    heard = Heard()

    heard.lines.tell(Progress("search", 0, 1, look=lambda: bound))

    assert heard.reports[-1]["bound"] is None


def test_prove_tells_how_far_from_refuted_its_worst_region_is(files: Files) -> None:
    done = run(
        *("prove", files.network, files.holds, "--proof", files.folder / "p"),
        *("--progress", "json", "--quiet", "--format", "json"),
    )

    told = reports(done.errors)
    assert done.document["verdict"] == "holds"
    assert len(told) == len(done.errors.splitlines())
    assert {report["title"] for report in told} == {"prove"}
    assert told[0]["step"] == "start"
    searching = [report for report in told if report["step"] == "search"]
    assert searching[0]["bound"] < 0
    assert searching[0]["open"] == 1
    assert all(report["valid"] is None for report in told)


def test_reverify_tells_what_becomes_of_the_cores(proven: Proven) -> None:
    done = run(
        *("reverify", proven.variant, proven.files.holds, "--proof", proven.proof),
        *("--progress=json", "--format=json"),
    )

    told, reuse = reports(done.errors), done.document["reuse"]
    steps = [report["step"] for report in told]
    assert steps[:2] == ["start", "re-validate"]
    assert "repair" in steps
    assert told[-1]["step"] == "search"
    assert [told[-1][name] for name in ("valid", "repaired", "dropped")] == [
        reuse[name] for name in ("valid", "repaired", "dropped")
    ]
    assert told[-1]["open"] == 0


def test_the_checker_counts_its_steps(proven: Proven) -> None:
    files = proven.files

    done = run(
        *("certificate", "check", proven.certificate, "--progress", "json"),
        *("--network", files.network, "--property", files.holds),
    )

    told = reports(done.errors)
    assert [report["step"] for report in told[:2]] == ["start", "check"]
    assert (told[-1]["done"] > 0, told[-1]["open"]) == (True, 0)


def test_a_command_that_fails_has_still_told_how_far_it_came(files: Files) -> None:
    files.network.write_bytes(b"no network")

    done = run("inspect", files.network, "--kind", "model", "--progress", "json")

    assert done.status == 3
    assert [report["step"] for report in reports(done.errors)] == ["start"]


def test_nothing_is_told_unless_it_was_asked_for(files: Files) -> None:
    assert run("prove", files.network, files.holds).errors == ""
