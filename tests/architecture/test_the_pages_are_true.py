# SPDX-License-Identifier: Apache-2.0
"""What the pages say about files, commands and versions is so."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.architecture.source_tree import ROOT, fenced_blocks, pages

if TYPE_CHECKING:
    from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
KINDS = {"soundness", "breaking", "added", "changed", "fixed"}
ADR_SECTIONS = ["Context", "Decision", "What we gave up", "How we would notice it was wrong"]
ADR_LINE_LIMIT = 60
GROUPS = ("certificate", "evidence", "keys")  # commands that have commands

# Starts the command line as the console script does, from the source tree.
START = "import sys; from verifier.cli.main import main; sys.exit(main())"


def relative_links() -> list[tuple[Path, str]]:
    return [
        (page, target.split("#")[0])
        for page in pages()
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in target and not target.startswith(("#", "mailto:"))
    ]


def documented_commands() -> list[tuple[str, tuple[str, ...], frozenset[str]]]:
    """Return page, command words and options of every command in a fenced block of a page."""
    found = set()
    for page in pages():
        for language, text, _ in fenced_blocks(page):
            if language in {"sh", "console"}:
                for line in text.replace("\\\n", " ").splitlines():
                    words = line.removeprefix("$ ").split()
                    if words[:1] == ["mucg4"]:
                        depth = 2 if words[1] in GROUPS else 1
                        options = frozenset(w.split("=")[0] for w in words if w.startswith("--"))
                        place = str(page.relative_to(ROOT))
                        found.add((place, tuple(words[1 : 1 + depth]), options))
    return sorted(found, key=str)


def test_every_relative_link_leads_to_a_file() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page, target in relative_links()
        if not (page.parent / target).exists()
    ]

    assert broken == []


def test_the_pages_show_commands() -> None:
    assert documented_commands()


@pytest.mark.slow
def test_every_command_and_option_that_a_page_shows_exists() -> None:
    unknown = []
    for command in sorted({words for _, words, _ in documented_commands()}):
        done = subprocess.run(
            [sys.executable, "-c", START, *command, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        known = set(re.findall(r"--[a-z][a-z-]*", done.stdout)) if done.returncode == 0 else set()
        unknown += [
            f"{page}: mucg4 {' '.join(words)} {option}"
            for page, words, options in documented_commands()
            if words == command
            for option in sorted(options or {"(no such command)"})
            if option not in known and (options or done.returncode != 0)
        ]

    assert unknown == []


def test_the_changelog_and_the_package_state_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    released = re.findall(r"^## \[([^\]]+)\]", changelog, flags=re.MULTILINE)
    assert released[0] == project["version"]


def test_every_changelog_fragment_has_a_known_kind() -> None:
    fragments = [path for path in (ROOT / "changelog.d").glob("*.md") if path.stem != "README"]

    assert [path.name for path in fragments if path.suffixes[0].lstrip(".") not in KINDS] == []


@pytest.mark.parametrize("record", sorted((ROOT / "docs/adr").glob("[0-9]*.md")), ids=str)
def test_a_decision_record_has_its_sections_on_one_page(record: Path) -> None:
    text = record.read_text(encoding="utf-8")

    sections = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert sections == ADR_SECTIONS
    assert re.search(
        r"^Status: (proposed|accepted|replaced by \[ADR-\d{4}\].*)$", text, re.MULTILINE
    )
    assert len(text.splitlines()) <= ADR_LINE_LIMIT
