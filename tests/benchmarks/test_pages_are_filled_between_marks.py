# SPDX-License-Identifier: Apache-2.0
"""Tables are Markdown, and go where the page has their marks and nowhere else."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from benchmarks.markdown import insert_section, listed, table
from benchmarks.suites import suite_names
from tests.architecture.source_tree import ROOT
from verifier.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_table_has_as_many_columns_as_its_head() -> None:
    assert table("a | b", [(1, "x"), (2, "y")]) == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 | y |"


def test_counts_are_listed_in_one_order() -> None:
    assert listed(Counter({"violated": 1, "holds": 2})) == "2 holds, 1 violated"
    assert listed(Counter()) == "none"


def test_only_what_is_between_the_marks_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x -->\nold\n<!-- end of x -->\nb\n", encoding="utf-8")

    insert_section(page, "x", "new")

    expected = "a\n<!-- x -->\n\nnew\n<!-- end of x -->\nb\n"
    assert page.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    "text", ["", "<!-- x -->\n", "<!-- x -->\n<!-- x -->\n<!-- end of x -->\n"]
)
def test_a_page_without_the_marks_is_an_error(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match="lacks the lines"):
        insert_section(page, "x", "new")


@pytest.mark.parametrize("name", [*suite_names(), "peers", "profile", "scaling", "service"])
def test_the_page_of_results_has_a_place_for_each_table(name: str) -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")

    assert page.count(f"<!-- {name} -->\n") == 1
    assert page.count(f"<!-- end of {name} -->\n") == 1
