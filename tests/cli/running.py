# SPDX-License-Identifier: Apache-2.0
"""A small network with its property files, and commands run in this process."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.generators import stack
from verifier.cli.main import main
from verifier.ir.onnx_writer import write_onnx
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from pathlib import Path

INPUTS, OUTPUTS, LAYERS = 3, 2, (8, 8)
# The first output's maximum over the box lies between the two, as a test confirms.
HOLDS_FROM, VIOLATED_UP_TO = 1.375, 1.125


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    printed: str
    errors: str

    @property
    def document(self) -> dict[str, Any]:
        """The one object on standard output."""
        assert self.printed.count("\n") == 1
        document: dict[str, Any] = json.loads(self.printed)
        return document


def run(*words: object) -> Outcome:
    """Run a command in this process."""
    printed, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
        status = main([str(word) for word in words])
    return Outcome(status, printed.getvalue(), errors.getvalue())


def network_bytes(seed: int = 3, inputs: int = INPUTS) -> bytes:
    """Return a random network with two layers of eight ReLUs and two outputs."""
    rng = np.random.default_rng(seed)

    def fill(shape: tuple[int, ...]) -> RationalArray:
        return RationalArray.from_floats(rng.integers(-8, 9, shape).astype(np.float32) / 8)

    return write_onnx(stack(inputs, LAYERS, OUTPUTS, fill), "float32")


def property_text(condition: str, *, inputs: int = INPUTS, outputs: int = OUTPUTS) -> str:
    """Return a property over the box [-1, 1] with a condition on the outputs."""
    names = [f"X_{i}" for i in range(inputs)]
    declared = [*names, *(f"Y_{j}" for j in range(outputs))]
    return "\n".join(
        [
            *(f"(declare-const {name} Real)" for name in declared),
            *(f"(assert (>= {name} -1.0))\n(assert (<= {name} 1.0))" for name in names),
            f"(assert {condition})",
            "",
        ]
    )


@dataclass(frozen=True)
class Files:
    """A folder with a network, one property that holds and one that is violated."""

    folder: Path
    network: Path
    holds: Path
    violated: Path

    @classmethod
    def make(cls, folder: Path) -> Files:
        """Write the files."""
        files = cls(
            folder,
            folder / "network.onnx",
            folder / "holds.vnnlib",
            folder / "violated.vnnlib",
        )
        files.network.write_bytes(network_bytes())
        files.holds.write_text(property_text(f"(>= Y_0 {HOLDS_FROM})"), encoding="utf-8")
        files.violated.write_text(property_text(f"(>= Y_0 {VIOLATED_UP_TO})"), encoding="utf-8")
        return files

    def path(self, name: str, text: str) -> Path:
        """Write a text file and return its path."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path
