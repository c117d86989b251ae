# SPDX-License-Identifier: Apache-2.0
"""Files that the command line tests share; none of them is changed by a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.cli.running import Files, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Return a folder of its own with a network and two properties."""
    return Files.make(tmp_path)


@dataclass(frozen=True)
class Proven:
    """A network whose properties were proved, with a variant of it."""

    files: Files
    proof: Path
    violated_proof: Path
    certificate: Path
    variant: Path


@pytest.fixture(scope="session")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Proven:
    """Return proofs that the command line made, and a variant with a neuron map beside it."""
    folder = tmp_path_factory.mktemp("proven")
    files = Files.make(folder)
    made = Proven(
        files,
        folder / "holds.proof",
        folder / "violated.proof",
        folder / "holds.certificate",
        folder / "variant" / "model.onnx",
    )
    prove = ("prove", files.network)
    compress = ("compress", files.network, "--method", "neuron_pruning")
    for words in (
        (*prove, files.holds, "--proof", made.proof, "--certificate", made.certificate),
        (*prove, files.violated, "--proof", made.violated_proof),
        (
            *compress,
            "--option",
            "count=2",
            "--option",
            "score=incoming",
            "--out",
            folder / "variant",
        ),
    ):
        assert run(*words).status == 0
    return made
