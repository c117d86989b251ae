# SPDX-License-Identifier: Apache-2.0
"""``verifier.__all__`` is what users may rely on, and importing it loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import verifier
from tests.architecture.source_tree import ROOT

HEAVY = {
    "cvc5",
    "flint",
    "highspy",
    "matplotlib",
    "numpy",
    "onnx",
    "onnxruntime",
    "pysat",
    "pysmt",
    "scipy",
    "sklearn",
    "torch",
    "z3",
}


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after a statement."""
    report = "import json, sys; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; {report}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_the_public_names_are_sorted_and_distinct() -> None:
    assert verifier.__all__ == sorted(set(verifier.__all__))


@pytest.mark.parametrize("name", verifier.__all__)
def test_each_public_name_can_be_imported(name: str) -> None:
    value = getattr(verifier, name)

    assert value.__name__ == name
    assert value.__doc__


def test_public_names_are_listed_before_they_are_loaded() -> None:
    assert set(verifier.__all__) <= set(dir(verifier))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        verifier.no_such_name  # noqa: B018 - the access itself is the act


def test_import_verifier_loads_no_library() -> None:
    assert not loaded_by("import verifier") & HEAVY


def test_the_pipeline_loads_neither_torch_nor_an_smt_solver() -> None:
    loaded = loaded_by("from verifier import prove, reverify")

    assert not loaded & {"torch", "z3", "pysmt", "cvc5", "matplotlib", "sklearn"}
