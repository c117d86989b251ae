# SPDX-License-Identifier: Apache-2.0
"""The command line, confined as a job is, on real networks: all libraries work inside."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from api.sandbox.child import start
from api.sandbox.confinement import Confinement, Limits

if TYPE_CHECKING:
    from pathlib import Path

JOB = Limits(address_space_bytes=4 << 30, cpu_seconds=300, file_bytes=1 << 30)
PATIENCE_SECONDS = 300.0

# What a library does when it is first used: load, start threads, compile.
LIBRARIES = """
import flint, highspy, numba, numpy, onnx, onnxruntime, pysmt.shortcuts, scipy.optimize, z3
from pysat.solvers import Cadical195

variable = z3.Real("x")
solver = z3.Solver()
solver.add(variable * variable == 2)
assert solver.check() == z3.sat
assert Cadical195(bootstrap_with=[[1, 2], [-1]]).solve()
assert numba.njit(lambda x: x + 1)(1) == 2
program = highspy.Highs()
program.setOptionValue("output_flag", False)
program.run()

from onnx import TensorProto, helper
value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [64, 64]) for name in "xy"]
node = helper.make_node("MatMul", ["x", "x"], ["y"])
graph = helper.make_graph([node], "g", value[:1], value[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 4
session = onnxruntime.InferenceSession(model.SerializeToString(), options)
session.run(None, {"x": numpy.ones((64, 64), dtype=numpy.float32)})
"""


def run(folder: Path, inputs: tuple[Path, ...], *words: str) -> dict[str, Any]:
    """Run a command of the command line confined to a folder; return its JSON."""
    command = [sys.executable, "-P", "-m", "verifier.cli.main", *words, "--format", "json"]
    with (folder / "result").open("wb") as result, (folder / "errors").open("wb") as errors:
        child = start(
            command,
            Confinement(folder=folder, readable=inputs, limits=JOB),
            stdout=result,
            stderr=errors,
            environment={"NUMBA_CACHE_DIR": str(folder / "numba")},
        )
        status = child.wait(PATIENCE_SECONDS)
        child.kill()
    assert status == 0, (folder / "errors").read_text(encoding="utf-8")
    # No library was denied anything that it complains about.
    assert "denied" not in (folder / "errors").read_text(encoding="utf-8")
    return dict(json.loads((folder / "result").read_bytes()))


@pytest.mark.slow
def test_every_library_works_inside(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("wb") as errors:
        child = start(
            [sys.executable, "-P", "-c", LIBRARIES],
            Confinement(folder=tmp_path, readable=(), limits=JOB),
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        status = child.wait(PATIENCE_SECONDS)
        child.kill()

    assert (status, (tmp_path / "errors").read_text(encoding="utf-8")) == (0, "")


@pytest.mark.slow
def test_a_proof_is_made_and_reused_on_a_compressed_network(data: Path, tmp_path: Path) -> None:
    network = data / "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx"
    prop = data / "acasxu/vnnlib/prop_3.vnnlib"
    first, second, third = (tmp_path / name for name in ("prove", "compress", "reverify"))
    for folder in (first, second, third):
        folder.mkdir()

    words = ("--proof", "proof", "--certificate", "certificate", "--processes", "1")
    proved = run(first, (network, prop), "prove", str(network), str(prop), *words)
    method = ("--method", "float_rounding", "--out", "out")
    run(second, (network,), "compress", str(network), *method)
    variant, proof = second / "out/model.onnx", first / "proof"
    # The folder, because the neuron map lies beside the variant.
    inputs = (network, prop, variant.parent, proof)
    given = ("--proof", str(proof), "--original", str(network), "--processes", "1")
    reverified = run(third, inputs, "reverify", str(variant), str(prop), *given)

    assert proved["verdict"] == reverified["verdict"] == "holds"
    assert (first / "certificate").stat().st_size > 0
    assert reverified["reuse"]["cores"] > 0


@pytest.mark.slow
def test_compiled_loops_are_compiled_into_the_own_folder(data: Path, tmp_path: Path) -> None:
    network = data / "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx"
    prop = data / "acasxu/vnnlib/prop_2.vnnlib"

    words = ("--proof", "proof", "--processes", "1")
    proved = run(tmp_path, (network, prop), "prove", str(network), str(prop), *words)

    assert proved["verdict"] == "holds"
    assert list((tmp_path / "numba").rglob("*.nbc"))
