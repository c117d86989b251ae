# SPDX-License-Identifier: Apache-2.0
"""A suite of one small network in a folder of its own, and rows that are made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rows import ORIGINAL, Measurement, Row
from benchmarks.suites import suite_of
from tests.proof.small_proofs import ON_INPUTS, proofs
from verifier.ir.onnx_writer import write_onnx
from verifier.spec.vnnlib_writer import write_vnnlib

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.suites import Suite

TEXT = """
title = "Small"
text = "A small network."
folder = "small"
timeout_seconds = 60
rounds = 2
most_cores = 100
ways = ["from scratch", "leaf replay", "reuse without repair", "margin alone"]

[[grid]]
networks = ["net.onnx"]
properties = ["prop_1.vnnlib"]

[[variant]]
name = "half"
method = "magnitude_pruning"
options = ["sparsity=0.5"]

[[series]]
name = "int{}"
axis = "bits of each weight"
method = "integer_quantisation"
options = ["bits={}"]
values = [16, 8, 4]
"""


def small_suite(data: Path) -> Suite:
    """Return the suite, with its network and property written into a folder of data."""
    found = proofs(1, ON_INPUTS)[0]
    folder = data / "small"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(write_onnx(found.graph, "float64"))
    (folder / "prop_1.vnnlib").write_text(write_vnnlib(found.prop), encoding="utf-8")
    return suite_of("small", TEXT, data)


def measurement(verdict: str = "holds", cpu_seconds: float = 1.0) -> Measurement:
    return Measurement(verdict, "", 2.0 * cpu_seconds, cpu_seconds, 0, {}, {}, "", 0.0)


def variant_row(variant: str, measured: Measurement, rate: float, **others: Measurement) -> Row:
    """Return a made-up row; a way's name has underscores for its spaces."""
    reuse = {"cores": 10, "valid": int(10 * rate), "repaired": 0, "residual_subproblems": 0}
    ways = {name.replace("_", " "): way for name, way in others.items()}
    report = reuse | {"proof_reuse_rate": rate}
    return Row("net.onnx", "prop_1.vnnlib", variant, "", measured, report, ways)


def original_row(measured: Measurement) -> Row:
    return Row("net.onnx", "prop_1.vnnlib", ORIGINAL, "holds", measured, {}, {})
