# SPDX-License-Identifier: Apache-2.0
"""``warm-up``: what it compiles is what verification calls, and a copy of it serves as well."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import run

ROOT = Path(__file__).parents[2]
VERIFICATIONS = """
import json
from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, proofs
from verifier.bounds.loading import load_kernels
from verifier.options import EngineOptions
from verifier.pipeline import prove, reverify

options = EngineOptions(compiled=True)
for kind in (ON_INPUTS, ON_PHASES):
    for graph, prop, _ in proofs(2, kind):
        original = prove(graph, prop, options)
        original.certificate()
        reverify(graph, prop, original.proof, options=options, original=graph)
        reverify(graph, prop, original.proof, options=options).certificate()
kernels = load_kernels()
functions = (kernels.bound_regions, kernels.lower_bounds)
print(json.dumps([[len(f.stats.cache_hits), len(f.stats.cache_misses)] for f in functions]))
"""


def output(folder: Path, *words: str) -> Any:
    """Run Python with compiled code kept in a folder, and return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def warm_up(folder: Path) -> Any:
    return output(folder, "-m", "verifier.cli.main", "warm-up", "--format", "json")


def ages(folder: Path) -> dict[str, tuple[int, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


@pytest.mark.slow
def test_a_copy_of_a_warm_cache_spares_all_compiling(tmp_path: Path) -> None:
    cold, copy = tmp_path / "cold", tmp_path / "elsewhere" / "copy"

    first = warm_up(cold)
    shutil.copytree(cold, copy)
    before = ages(copy)
    second = warm_up(copy)
    counts = output(copy, "-c", VERIFICATIONS)

    assert first["compiled"] == ["bound_regions", "lower_bounds"]
    assert Path(first["folder"]).parent == cold
    assert (second["compiled"], second["loaded"]) == ([], first["compiled"])
    assert Path(second["folder"]).parent == copy
    assert second["seconds"] < first["seconds"]
    assert counts == [[1, 0], [1, 0]]
    assert ages(copy) == before != {}


def test_the_text_says_where_it_is_kept() -> None:
    done = run("warm-up", "--progress=json", "--quiet")

    facts = dict(line.split(maxsplit=1) for line in done.printed.splitlines())
    assert done.status == 0
    assert facts.keys() == {"compiled", "kept", "time"}
    assert json.loads(done.errors)["progress"]["title"] == "warm up"
