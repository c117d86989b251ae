# SPDX-License-Identifier: Apache-2.0
"""Imports point down only, and the certificate checker shares no reasoning with the engine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

from tests.architecture.source_tree import PACKAGES, ROOT

CHECKER = "verifier.certificate.checker"
TRUSTED_BY_THE_CHECKER = ("verifier.ir", "verifier.spec", "verifier.errors", "verifier.verdict")
CHECKER_PARTS = {
    f"verifier.certificate.{part}"
    for part in (
        "core_bound",
        "exact_core",
        "document",
        "float_bounds",
        "float_core",
        "float_network",
        "float_regions",
        "holds",
        "integer_matrix",
        "judges",
        "region_bounds",
        "regions",
        "scaled_network",
        "unit_propagation",
        "values",
        "walk",
    )
}


def trusted(name: str) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in TRUSTED_BY_THE_CHECKER)


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Return who imports whom, between all modules of the project."""
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def test_every_import_contract_is_kept() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_checker_reaches_only_the_graph_and_the_property(imports: grimp.ImportGraph) -> None:
    reached = imports.find_upstream_modules(CHECKER)

    # `verifier` itself is the package that holds them; it imports lazily.
    packages = {"verifier", "verifier.certificate"}
    assert {name for name in reached if not trusted(name)} <= packages | CHECKER_PARTS


def test_every_module_stands_in_some_layer(imports: grimp.ImportGraph) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (
        contract["layers"]
        for contract in contracts["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    layered = [part.strip(" ()") for layer in layers for part in re.split(r"[|:]", layer)]

    homeless = {
        name
        for name in imports.modules
        if not any(name == layer or name.startswith(f"{layer}.") for layer in layered)
    }
    assert homeless == {"verifier"}
