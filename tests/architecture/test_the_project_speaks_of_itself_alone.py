# SPDX-License-Identifier: Apache-2.0
"""No path of somebody's machine, no forgotten task, no file without a licence line."""

from __future__ import annotations

import re
from pathlib import Path

from tests.architecture.source_tree import PACKAGES, ROOT, modules, pages

# Written so that this file does not find itself.
MACHINE_FOLDERS = ("home", "root", "work", "Users")
MACHINE_PATHS = re.compile(rf"(?<![\w.])/({'|'.join(MACHINE_FOLDERS)})/")
UNFINISHED = re.compile("T[O]DO|F[I]XME|X{3}")


def texts() -> dict[str, str]:
    programs = [module.path for module in modules(*PACKAGES, "tests", "examples", "docs")]
    settings = [ROOT / name for name in ("pyproject.toml", "Makefile", ".ci/run", ".gitignore")]
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in [*programs, *settings, *pages()]
    }


def places_matching(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{place}:{number}: {line.strip()}"
        for place, text in texts().items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_text_names_a_place_on_some_machine() -> None:
    assert places_matching(MACHINE_PATHS) == []


def test_no_text_promises_work_for_later() -> None:
    assert places_matching(UNFINISHED) == []


def test_every_python_file_states_its_licence_first() -> None:
    line = "# SPDX-License-Identifier: Apache-2.0"

    without = [
        module.place
        for module in modules(*PACKAGES, "tests", "examples", "docs")
        if module.text and module.text.splitlines()[0] != line
    ]
    assert without == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

    found = [m.place for m in modules(*PACKAGES, "tests") if vague & set(Path(m.place).parts)]
    stems = [m.place for m in modules(*PACKAGES, "tests") if m.path.stem in vague]
    assert found + stems == []
