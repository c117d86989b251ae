# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.checking``: what checking a certificate costs, beside its proof.

Proves properties that hold, without making their cores smaller, and has each certificate checked as
it would be read from a file: with floats first, as usual, and by integers alone. Prints the
processor's seconds of each. The process is warm: it has proved and checked small networks before.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from benchmarks.arguments import add_data, data_folder
from benchmarks.markdown import table
from benchmarks.timing import cpu_seconds, warm_up
from verifier.certificate.checker import check_certificate, check_with
from verifier.certificate.integer_matrix import fastest_arithmetic
from verifier.ir.onnx_reader import read_onnx
from verifier.options import EngineOptions
from verifier.pipeline import prove
from verifier.spec.vnnlib_reader import read_vnnlib

if TYPE_CHECKING:
    from pathlib import Path

_ACAS = "acasxu/onnx/ACASXU_run2a_{}_batch_2000.onnx:acasxu/vnnlib/prop_{}.vnnlib"
_DIGITS = "mnist_fc/onnx/mnist-net_{}.onnx:mnist_fc/vnnlib/prop_{}.vnnlib"
INSTANCES = (
    *(_ACAS.format(*name.split()) for name in ("1_1 2", "1_1 3", "4_6 1", "1_1 5", "3_3 9")),
    *(_DIGITS.format(*name.split()) for name in ("256x2 10_0.05", "256x4 8_0.03")),
)
HEAD = "network | property | cores | regions | proof, CPU s | to write, CPU s | to check, CPU s"


def main(arguments: list[str] | None = None) -> int:
    """Measure each instance; 1 if a certificate is not accepted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checking", description=__doc__)
    parser.add_argument(
        "instances",
        nargs="*",
        default=INSTANCES,
        metavar="NETWORK:PROPERTY",
        help="files in the folder of data",
    )
    parser.add_argument("--integers", action="store_true", help="check by integers alone, too")
    add_data(parser)
    choices = parser.parse_args(arguments)
    folder = data_folder(parser, choices)
    warm_up()
    rows = [_measured(folder, name, integers=choices.integers) for name in choices.instances]
    print(table(HEAD + " | by integers alone, CPU s" * choices.integers, rows))
    return 0


def _measured(folder: Path, name: str, *, integers: bool) -> list[str]:
    """Return the row of one instance.

    Raises:
        RuntimeError: A certificate is rejected.
    """
    network, query = (folder / part for part in name.split(":"))
    graph, prop = read_onnx(network), read_vnnlib(query)
    options = EngineOptions(compiled=True, minimize=False)
    result, proof_seconds = cpu_seconds(lambda: prove(graph, prop, options))
    content, seconds = cpu_seconds(result.certificate)
    document = json.loads(json.dumps(content))
    # The proof's graph remembers what it was asked before.
    graph = read_onnx(network)
    report, check_seconds = cpu_seconds(lambda: check_certificate(document, graph, prop))
    times = [proof_seconds, seconds, check_seconds]
    if integers:
        arithmetic = fastest_arithmetic()
        again, seconds = cpu_seconds(lambda: check_with(arithmetic, document, graph, prop))
        times.append(seconds)
        if again != report:
            msg = f"{name}: floats first: {report}; integers alone: {again}"
            raise RuntimeError(msg)
    if not report.accepted:
        msg = f"{name}: {report.reason}"
        raise RuntimeError(msg)
    counts = [network.stem, query.stem, str(report.cores), str(report.regions)]
    return counts + [f"{value:.2f}" for value in times]


if __name__ == "__main__":
    raise SystemExit(main())
