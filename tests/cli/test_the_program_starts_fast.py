# SPDX-License-Identifier: Apache-2.0
"""What each command loads: nothing that it does not use."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from verifier.cli.main import main

if TYPE_CHECKING:
    from tests.cli.conftest import Proven
    from tests.cli.running import Files

ROOT = Path(__file__).parents[2]
NEVER = {"torch", "cvc5", "sklearn"}
SOLVERS = {"z3", "pysmt"}
HEAVY = (
    NEVER
    | SOLVERS
    | {"numba", "numpy", "onnx", "onnxruntime", "scipy", "highspy", "rich", "matplotlib"}
)

PROGRAM = """
import json, sys
from verifier.cli.main import main
status = main(sys.argv[1:])
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
sys.exit(status)
"""


def start(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an interpreter of its own, which lists at its end what it has loaded."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def loaded(done: subprocess.CompletedProcess[str]) -> set[str]:
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("words", "status"),
    [(["--version"], 0), (["--help"], 0), (["prove", "--help"], 0), (["prove"], 2)],
    ids=str,
)
def test_words_about_the_program_load_no_library(words: list[str], status: int) -> None:
    done = start(*words)

    assert done.returncode == status
    assert loaded(done) & HEAVY == set()


def test_the_version_is_the_one_of_the_package() -> None:
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = start("--version").stdout.split()[1]

    assert f'version = "{version}"' in settings


@pytest.mark.slow
def test_an_easy_proof_loads_no_smt_solver(files: Files) -> None:
    done = start("prove", files.network, files.holds, "--proof", files.folder / "p")

    assert done.returncode == 0
    assert loaded(done) & (NEVER | SOLVERS | {"matplotlib"}) == set()


@pytest.mark.slow
def test_reverifying_loads_no_smt_solver(proven: Proven) -> None:
    done = start("reverify", proven.variant, proven.files.holds, "--proof", proven.proof)

    assert done.returncode == 0
    assert loaded(done) & (NEVER | SOLVERS | {"matplotlib"}) == set()


@pytest.mark.slow
def test_a_terminal_gets_a_live_line_and_standard_output_stays_clean(files: Files) -> None:
    ours, theirs = pty.openpty()
    words = ("prove", files.network, files.holds, "--proof", files.folder / "p", "--format=json")
    done = subprocess.run(
        [sys.executable, "-m", "verifier.cli.main", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)

    assert json.loads(done.stdout)["verdict"] == "holds"
    assert "prove" in shown


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_bug() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "verifier.cli.main", "compress", "--list"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_linear_algebra_starts_no_threads_unless_told_to(
    given: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"PATH": os.environ["PATH"], **given}
    monkeypatch.setattr(os, "environ", environment)

    assert main(["--version"]) == 0
    assert environment["OPENBLAS_NUM_THREADS"] == expected
