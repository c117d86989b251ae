# SPDX-License-Identifier: Apache-2.0
"""The Markdown summary and the table on a terminal say what is wrong, and interpret no name."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt

from tests.gate.reports import CRASH, HOSTILE_REASON, LIMIT, ONE, Setting
from verifier.gate import step_summary
from verifier.gate.step_summary import report_markdown
from verifier.gate.table import report_text
from verifier.gate.words import one_line, plain

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from verifier.gate.check import Report

HARMLESS = {
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "heading",
    "paragraph",
    "inline",
    "text",
    "code_inline",
    "html_inline",
    "fence",
    "softbreak",
}


def tokens(report: Report) -> list[Any]:
    """Return the tokens of a summary, those in lines included."""
    parsed = MarkdownIt("commonmark").enable("table").parse(report_markdown(report))
    return [part for token in parsed for part in (token, *(token.children or ()))]


def rows(report: Report) -> list[list[str]]:
    """Return the cells of the table as they are shown, without the head."""
    parsed = MarkdownIt("commonmark").enable("table").parse(report_markdown(report))
    found: list[list[str]] = []
    for token, inner in itertools.pairwise(parsed):
        if token.type == "tr_open":
            found.append([])
        if token.type in {"td_open", "th_open"}:
            found[-1].append("".join(part.content for part in inner.children or ()))
    return found


def code(report: Report) -> list[str]:
    return [token.content for token in tokens(report) if token.type in {"code_inline", "fence"}]


def test_the_first_line_is_the_verdict(all_kinds: Report, tmp_path: Path) -> None:
    proved = Setting.make(tmp_path, ONE.replace(', "violated.vnnlib"', "")).run()

    assert report_markdown(all_kinds).startswith("## 💥 mucg4: 11 checks: 2 passed, 1 allowed, ")
    assert report_markdown(proved).startswith("## ✅ mucg4: 1 check: 1 passed\n")


def test_the_table_has_networks_and_properties(all_kinds: Report) -> None:
    head, *body = rows(all_kinds)

    assert head[0] == "network"
    cells = {
        (row[0], prop): cell.split("<br>")[0]
        for row in body
        for prop, cell in zip(head[1:], row[1:], strict=True)
        if cell
    }
    assert len(cells) == 11
    assert cells["network.onnx", "holds.vnnlib"] == "✅ passed"
    assert cells["network.onnx", "violated.vnnlib"] == "❌ failed"
    assert cells["network.onnx", "crashes.vnnlib"] == "💥 crashed"
    assert cells["allowed.onnx", "late.vnnlib"] == "⚪ allowed"
    assert cells["asked.onnx", "late.vnnlib"] == "❔ inconclusive"
    assert "of cores kept" in report_markdown(all_kinds)


def test_a_table_that_would_be_too_wide_has_a_row_for_each_check(
    all_kinds: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_summary, "MOST_COLUMNS", 3)

    head, *body = rows(all_kinds)

    assert head == ["", "network", "property", "time", "cores kept"]
    assert len(body) == 11
    assert [row[0] for row in body[-2:]] == ["✅ passed", "✅ passed"]


def test_long_reports_are_cut_and_what_has_passed_is_cut_first(
    all_kinds: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_summary, "MOST_ROWS", 4)
    monkeypatch.setattr(step_summary, "MOST_DETAILS", 2)

    _, *body = rows(all_kinds)
    text = report_markdown(all_kinds)

    assert len(body) == 4
    assert not any("passed" in row[0] for row in body)
    assert "... and 7 more." in text
    assert "... and 7 more that have not passed." in text
    assert text.count("\n### ") == 2


def test_what_is_wrong_is_told_with_reason_place_and_counterexample(all_kinds: Report) -> None:
    told = code(all_kinds)

    assert "violated.vnnlib:12" in told
    assert "(assert (>= Y_0 1.125))" in told
    assert any(part.startswith(CRASH) for part in told)
    assert sum(part.startswith(LIMIT) for part in told) == 3
    violations = [part for part in told if part.startswith("there is a counterexample\n\n")]
    assert len(violations) == 2
    for part in violations:
        assert "counterexample input" in part
        assert "exact output" in part


def test_markdown_interprets_nothing_that_comes_from_files(hostile: Report) -> None:
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens(hostile)}
    html = {token.content for token in tokens(hostile) if token.type == "html_inline"}

    assert kinds <= HARMLESS
    assert html <= {"<br>"}
    network = hostile.checks[0].question.subject.network
    assert [row[0] for row in rows(hostile)[1:]] == [one_line(network), "network.onnx"]
    assert plain(HOSTILE_REASON) + "\n" in code(hostile)


def test_what_was_done_before_is_told(tmp_path: Path) -> None:
    setting = Setting.make(tmp_path, ONE)
    setting.run()

    assert "2 done in an earlier run" in report_markdown(setting.run())


def test_the_terminal_has_a_block_for_each_network(all_kinds: Report) -> None:
    lines = report_text(all_kinds).splitlines()

    assert lines[0].split() == ["judgement", "verdict", "time", "cores", "kept", "property"]
    start = lines.index("network.onnx")
    names = [line.split()[-1] for line in lines[start + 1 : start + 5]]
    assert names == ["broken.vnnlib", "crashes.vnnlib", "holds.vnnlib", "violated.vnnlib"]
    assert lines[start + 5] == "network.onnx (integer_quantisation bits=16)"
    assert "  violated.vnnlib:12: (assert (>= Y_0 1.125))" in lines
    assert "  broken.vnnlib:1" in lines
    assert lines[-2].endswith("11 checks: 2 passed, 1 allowed, 3 inconclusive, 3 failed, 2 crashed")


def test_no_name_steers_the_terminal(hostile: Report) -> None:
    text = report_text(hostile)

    assert all(character.isprintable() or character == "\n" for character in text)
    assert text.encode()
