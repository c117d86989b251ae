# SPDX-License-Identifier: Apache-2.0
"""Each third-party library is imported in its own folders, and is declared as a dependency.

Ruff's banned-api says the same while one types, but can only be lifted for all libraries of a
folder at once; this is the exact rule.
"""

from __future__ import annotations

import re
import sys
import tomllib

import pytest

from tests.architecture.source_tree import PACKAGES, ROOT, modules

HOMES = {
    "cryptography": ("verifier/gate",),
    "cvc5": ("encoders",),
    "fastapi": ("api",),
    "flint": ("verifier/ir", "verifier/certificate"),
    "google": ("verifier/ir",),
    "highspy": ("verifier/bounds",),
    "httpx": ("api", "benchmarks"),
    "matplotlib": ("verifier/batch", "verifier/cli", "verifier/gate", "benchmarks"),
    "onnx": ("verifier/ir",),
    "onnxruntime": ("verifier/ir", "verifier/spec"),
    "pysat": ("verifier/engine", "verifier/proof"),
    "pysmt": ("encoders",),
    "ray": ("api/cluster", "verifier/batch", "verifier/ray_session.py"),
    "reportlab": ("verifier/gate",),
    "rich": ("verifier/cli", "benchmarks"),
    "sqlalchemy": ("api",),
    "torch": ("compression", "verifier/bounds"),
    "z3": ("encoders",),
}

# The name to import, where it is not the name to install.
DISTRIBUTIONS = {
    "flint": "python-flint",
    "google": "protobuf",
    "jwt": "pyjwt",
    "prometheus_client": "prometheus-client",
    "pysat": "python-sat",
    "sklearn": "scikit-learn",
    "z3": "z3-solver",
}


def third_party_imports() -> list[tuple[str, str]]:
    own = {*PACKAGES, "tests"}
    return sorted(
        (module.place, top)
        for module in modules(*PACKAGES)
        for top in {name.split(".")[0] for name in module.imported_names}
        if top not in own and top not in sys.stdlib_module_names
    )


def is_within(place: str, home: str) -> bool:
    return place == home or place.startswith(f"{home}/")


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_in_its_folders_only(library: str) -> None:
    strays = [
        place
        for place, imported in third_party_imports()
        if imported == library and not any(is_within(place, home) for home in HOMES[library])
    ]

    assert strays == []


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(r for extra in extras.values() for r in extra)]
    declared = {re.split(r"[<>=!~\[; ]", requirement)[0] for requirement in requirements}

    undeclared = {
        (place, library)
        for place, library in third_party_imports()
        if DISTRIBUTIONS.get(library, library) not in declared
    }
    assert undeclared == set()


def test_torch_is_never_required() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]

    everywhere = {
        "required": project["dependencies"],
        **{name: extra for name, extra in extras.items() if name != "train"},
    }
    assert not [n for n, rs in everywhere.items() if any(r.startswith("torch") for r in rs)]
