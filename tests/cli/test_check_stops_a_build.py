# SPDX-License-Identifier: Apache-2.0
"""``check``: its exit status stops a build, and what it writes says why, whatever happened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from tests.batch.at_once import AtOnce
from tests.cli.running import run
from tests.gate.reports import ONE, Setting, as_named
from verifier.batch import pool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.running import Outcome

FORMATS = ("json", "junit", "sarif", "gitlab", "markdown")
HOLDS = ONE.replace(', "violated.vnnlib"', "")


def manifest(prop: str, before: str = "", seconds: float = 60) -> str:
    text = HOLDS.replace("holds.vnnlib", prop).replace("60", str(seconds))
    return before + text


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have tasks done at once, so that each kind of outcome can be had."""

    def started(size: int) -> AtOnce:
        return AtOnce(size=size, do=as_named)

    monkeypatch.setattr(pool, "LocalPool", started)


def words(setting: Setting) -> list[object]:
    """Return the words of a command that writes all there is."""
    out = setting.folder / "out"
    out.mkdir(exist_ok=True)
    options = [word for name in FORMATS for word in (f"--{name}", out / name)]
    return ["check", setting.manifest, "--quiet", *options]


def written(setting: Setting, name: str) -> str:
    return (setting.folder / "out" / name).read_text(encoding="utf-8")


def case_result(setting: Setting) -> list[type]:
    (suite,) = JUnitXml.fromstring(written(setting, "junit").encode())
    (case,) = suite
    return [type(result) for result in case.result]


def sarif(setting: Setting) -> tuple[int, list[tuple[str, str]]]:
    """Return the exit code that is told, and rules with levels."""
    (told,) = json.loads(written(setting, "sarif"))["runs"]
    results = [(result["ruleId"], result["level"]) for result in told["results"]]
    return told["invocations"][0]["exitCode"], results


@dataclass(frozen=True)
class Case:
    """A check, and what each format says of it."""

    text: str
    status: int
    judgement: str
    shown: list[type]
    rules: list[tuple[str, str]]
    severities: list[str]
    symbol: str


CASES = {
    "proved": Case(manifest("holds.vnnlib"), 0, "passed", [], [], [], "✅"),
    "violated": Case(
        manifest("violated.vnnlib"),
        1,
        "failed",
        [Failure],
        [("mucg4/violated", "error")],
        ["critical"],
        "❌",
    ),
    "out of time": Case(
        manifest("holds.vnnlib", seconds=0.001),
        3,
        "inconclusive",
        [Error],
        [("mucg4/inconclusive", "warning")],
        ["major"],
        "❔",
    ),
    "refused": Case(
        manifest("broken.vnnlib"),
        3,
        "inconclusive",
        [Error],
        [("mucg4/refused", "warning")],
        ["major"],
        "❔",
    ),
    "unknown that fails": Case(
        manifest("late.vnnlib", before='unknown = "fail"\n'),
        1,
        "failed",
        [Failure],
        [("mucg4/inconclusive", "error")],
        ["critical"],
        "❌",
    ),
    "unknown that is allowed": Case(
        manifest("late.vnnlib", before='unknown = "allow"\n'),
        0,
        "allowed",
        [Skipped],
        [("mucg4/inconclusive", "note")],
        ["info"],
        "✅",
    ),
    "crashed": Case(
        manifest("crashes.vnnlib", before='unknown = "allow"\n'),
        4,
        "crashed",
        [Error],
        [("mucg4/crashed", "error")],
        ["critical"],
        "💥",
    ),
}


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("name", CASES)
def test_all_formats_say_what_the_exit_status_says(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    setting = Setting.make(tmp_path, case.text)

    done = run(*words(setting))

    document = json.loads(written(setting, "json"))
    issues: list[dict[str, Any]] = json.loads(written(setting, "gitlab"))
    assert done.status == case.status
    assert document["exit_status"] == case.status
    assert [check["judgement"] for check in document["checks"]] == [case.judgement]
    assert case_result(setting) == case.shown
    assert sarif(setting) == (case.status, case.rules)
    assert [issue["severity"] for issue in issues] == case.severities
    assert written(setting, "markdown").startswith(f"## {case.symbol} mucg4: 1 check: 1 ")
    assert f"1 check: 1 {case.judgement}" in done.printed
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FORMATS)


@pytest.mark.slow
def test_checks_are_done_in_processes_of_their_own(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, ONE)

    done = run(*words(setting), "--processes", "2")

    assert done.status == 1
    assert "2 checks: 1 passed, 1 failed" in done.printed
    assert sarif(setting) == (1, [("mucg4/violated", "error")])


@pytest.mark.usefixtures("in_this_process")
def test_the_file_has_what_the_format_prints(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, ONE)

    done = run(*words(setting), "--format", "json")

    assert done.document == json.loads(written(setting, "json"))


def refused(done: Outcome, message: str) -> bool:
    return done.status == 2 and message in done.errors and done.printed == ""


@pytest.mark.parametrize("name", FORMATS)
def test_a_place_that_cannot_be_written_is_told_before_the_work_starts(
    name: str, tmp_path: Path
) -> None:
    setting = Setting.make(tmp_path, ONE)

    done = run("check", setting.manifest, f"--{name}", tmp_path / "none" / "file")

    assert refused(done, "cannot be written: cannot write to folder")
    assert not (tmp_path / ".mucg4-cache").exists()


@pytest.mark.parametrize("name", ["mucg4.toml", "network.onnx", "violated.vnnlib"])
def test_nothing_that_is_read_is_overwritten(name: str, tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, ONE)
    before = (tmp_path / name).read_bytes()

    done = run("check", setting.manifest, "--junit", tmp_path / name)

    assert refused(done, "is read by this command")
    assert (tmp_path / name).read_bytes() == before


def test_no_file_is_written_twice(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, ONE)
    both = ("--junit", tmp_path / "x", "--sarif", tmp_path / "x")

    assert refused(run("check", setting.manifest, *both), "is written twice")


def test_a_manifest_that_is_wrong_is_wrong_usage_and_names_the_place(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, ONE.replace("original", "orignal"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "junit").write_text("before", encoding="utf-8")

    done = run(*words(setting))

    assert refused(done, f"{setting.manifest}: network 1: 'orignal' is not known")
    assert written(setting, "junit") == "before"


def test_a_manifest_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert refused(run("check", tmp_path / "mucg4.toml"), "there is no such file")


@pytest.mark.usefixtures("in_this_process")
def test_a_second_run_does_nothing_again(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, ONE)
    assert run(*words(setting)).status == 1

    assert run(*words(setting)).status == 1

    checks = json.loads(written(setting, "json"))["checks"]
    assert [check["is_cached"] for check in checks] == [True, True]


@pytest.mark.usefixtures("in_this_process")
def test_outcomes_are_kept_where_one_says(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, ONE)

    assert run("check", setting.manifest, "--cache", tmp_path / "kept").status == 1

    assert (tmp_path / "kept" / "outcomes.sqlite").exists()
    assert not (tmp_path / ".mucg4-cache").exists()
