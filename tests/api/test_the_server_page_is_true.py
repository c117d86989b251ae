# SPDX-License-Identifier: Apache-2.0
"""Every command of docs/server.md works as printed, and its tables name what there is.

The block below ``<!-- starts the server -->`` is started beside the others, which are one script:
functions and variables of one block are used in the next. What stands below
``<!-- prints: WORD -->`` must print that word.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, get_args

import httpx
import pytest

from api.jobs import commands
from api.jobs.states import State
from api.problems import STATUSES
from api.sandbox.plan import UNCONFINED
from api.schemas import JobRequest, Scope
from tests.architecture.source_tree import ROOT, fenced_blocks
from tests.architecture.test_the_tutorial_runs import make_command
from tests.lacking import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = ROOT / "docs/server.md"
STARTS = "<!-- starts the server -->"
PRINTS = re.compile(r"<!-- prints: (\w+) -->")
NETWORK = "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx"
PROPERTY = "acasxu/vnnlib/prop_4.vnnlib"
MARK = "-- end of block"
PATIENCE_SECONDS = 60.0


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table that has a column of this name, without backquotes."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    found = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
    return found


@pytest.fixture(scope="module")
def environment(
    data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield a folder with what the page uploads, and what its second terminal knows."""
    if shutil.which("curl") is None:
        lacking("curl is not installed")
    top = tmp_path_factory.mktemp("page")
    make_command(top / "commands")
    folder = top / "folder"
    folder.mkdir()
    shutil.copyfile(data / NETWORK, folder / "acasxu.onnx")
    shutil.copyfile(data / PROPERTY, folder / "prop_4.vnnlib")
    path = os.pathsep.join([str(top / "commands"), os.environ.get("PATH", "")])
    known = {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": str(top / "data"),
    }
    (start,) = [text for _, text, above in fenced_blocks(PAGE) if above == STARTS]
    with (top / "said").open("wb") as said, (top / "log").open("wb") as log:
        server = subprocess.Popen(
            [*start.split(), "--port", "0"], stdout=said, stderr=log, env=known, cwd=folder
        )
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while (top / "said").read_text().count("\n") < 2:
            assert server.poll() is None, (top / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.02)
        first, second = (top / "said").read_text().splitlines()
        yield folder, {**known, "SERVER": first.split()[-1], "KEY": second.split()[-1]}
    finally:
        server.terminate()
        server.wait(PATIENCE_SECONDS)


def shape(text: str) -> str:
    """Return a text without what differs from run to run: addresses and keys."""
    return re.sub(r"mucg4_[\w.-]+", "KEY", re.sub(r":\d+\b", ":PORT", text))


@pytest.mark.slow
def test_every_command_of_the_page_works_as_printed(
    environment: tuple[Path, dict[str, str]],
) -> None:
    folder, known = environment
    blocks = [
        (text, above)
        for language, text, above in fenced_blocks(PAGE)
        if language == "sh" and above != STARTS
    ]

    script = "".join(f"{text}\necho '{MARK}'\n" for text, _ in blocks)
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script],
        cwd=folder,
        env=known,
        capture_output=True,
        text=True,
        check=False,
    )

    printed = done.stdout.split(f"{MARK}\n")
    assert done.returncode == 0, f"{blocks[len(printed) - 1][0]}\n{printed[-1]}\n{done.stderr}"
    for (text, above), output in zip(blocks, printed, strict=False):
        if expected := PRINTS.fullmatch(above):
            assert re.search(rf"\b{expected[1]}\b", output), f"{text}\n{output}"


@pytest.mark.slow
def test_the_python_of_the_page_finds_a_verdict(
    environment: tuple[Path, dict[str, str]],
) -> None:
    folder, known = environment
    (program,) = [text for language, text, _ in fenced_blocks(PAGE) if language == "python"]

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=known,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "holds"
    assert (folder / "int8.certificate").stat().st_size > 0


@pytest.mark.slow
def test_the_server_says_what_the_page_says(environment: tuple[Path, dict[str, str]]) -> None:
    folder, _ = environment
    (shown,) = [t for lang, t, _ in fenced_blocks(PAGE) if lang == "text" and "first key" in t]

    assert shape(shown) == shape((folder.parent / "said").read_text())


@pytest.mark.slow
def test_every_path_of_the_page_is_a_route(environment: tuple[Path, dict[str, str]]) -> None:
    _, known = environment
    headers = {"Authorization": f"Bearer {known['KEY']}"}
    document = httpx.get(f"{known['SERVER']}/v1/openapi.json", headers=headers).json()
    routes = [re.sub(r"\{\w+\}", "{}", path) for path in document["paths"]]

    named = set(re.findall(r"/v1/[\w/{}$-]*[\w}]", PAGE.read_text(encoding="utf-8")))
    shapes = {re.sub(r"\{\w+\}|\$\w+|(?<=artifacts/)\w+|00$", "{}", path) for path in named}
    unknown = shapes - {*routes, "/v1/openapi"}
    assert len(shapes) > 10
    assert unknown == set()


def test_the_tables_name_all_kinds_of_jobs_with_their_fields_and_artifacts() -> None:
    union, _ = get_args(JobRequest)
    kinds = {
        get_args(request.model_fields["kind"].annotation)[0]: set(request.model_fields) - {"kind"}
        for request in get_args(union)
    }

    assert {row[0]: set(re.findall(r"\w+", row[2])) - {"or"} for row in rows("kind")} == kinds
    made = {name for row in rows("kind")[:-1] for name in re.findall(r"\w+", row[3])}
    assert made == {
        output.name for output in vars(commands).values() if isinstance(output, commands.Output)
    }


def test_the_tables_name_all_states_scopes_statuses_and_protections() -> None:
    states = {cell for row in rows("from") for cell in row[:2] if cell}
    protections = {row[0] for row in rows("part of `isolation`")}

    assert states == set(State)
    assert {row[0] for row in rows("scope")} == set(Scope)
    assert {int(row[0]) for row in rows("status")} == set(STATUSES)
    told = set(UNCONFINED.json()) - {"summary", "user_namespace", "adopts_orphans"}
    assert protections == told


def test_the_problem_that_the_page_shows_is_one() -> None:
    (shown,) = [text for language, text, _ in fenced_blocks(PAGE) if language == "json"]

    assert set(json.loads(shown)) == {"type", "title", "status", "detail", "instance"}
