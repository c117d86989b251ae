# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.covering``: three ways to see that a search's leaves cover everything.

A look at the tree, its proof for a certificate, and the SAT solver's proof; both proofs are checked
as they are made. Prints the steps of each proof, and the median of seconds with that check.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.arguments import proved
from verifier.engine.clauses import Clauses, Refutation
from verifier.engine.cover import cover

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from verifier.engine.cover import Cover
    from verifier.proof.muc import Core

ROUNDS = 5


def main(arguments: list[str] | None = None) -> int:
    """Measure one network with one property."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.covering", description=__doc__)
    network, prop = "acasxu/onnx/ACASXU_run2a_3_5_batch_2000.onnx", "acasxu/vnnlib/prop_1.vnnlib"
    found = proved(parser, arguments, network, prop)
    _measure(found.cores, len(found.prop.cases))
    return 0


def _measure(cores: Sequence[Core], cases: int) -> None:
    leaves = [(core.case, core.path) for core in cores]

    def clauses() -> Clauses:
        found = Clauses(cases)
        for core in cores:
            found.add(core)
        return found

    ways: dict[str, Callable[[], Cover | Refutation | None]] = {
        "tree": lambda: cover(cores, cases),
        "tree's proof": lambda: clauses().refute_by_cases(leaves),
        "SAT solver's proof": lambda: clauses().refute(),
    }
    print(f"{len(cores)} leaves")
    for name, way in ways.items():
        times: list[float] = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            found = way()
            times.append(time.perf_counter() - start)
        if found is None:
            message = "the leaves of a finished search do not cover everything"
            raise RuntimeError(message)
        steps = f", {len(found.steps)} steps" if isinstance(found, Refutation) else ""
        print(f"{name:18}  {median(times):.3f} s{steps}")


if __name__ == "__main__":
    raise SystemExit(main())
