# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.bounding``: products of matrices against compiled loops, side by side.

Bounds the regions of a proof in both ways, in turns, and prints the median of milliseconds for a
region, and how long the first use of compiled loops took: loading them, or compiling them where
this machine has not done that yet.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.intersection import bound_regions
from verifier.engine.problem import Problem
from verifier.engine.region_tree import RegionTree
from verifier.engine.threads import single_threaded
from verifier.ir.onnx_reader import read_onnx
from verifier.options import EngineOptions
from verifier.pipeline import prove
from verifier.spec.vnnlib_reader import read_vnnlib

if TYPE_CHECKING:
    from verifier.proof.literals import Literal

ROUNDS = 9
MOST_CORES = 256


def main(arguments: list[str] | None = None) -> int:
    """Measure one network with one property."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bounding", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MUCG4_DATA"))
    parser.add_argument("--network", default="acasxu/onnx/ACASXU_run2a_4_2_batch_2000.onnx")
    parser.add_argument("--property", default="acasxu/vnnlib/prop_3.vnnlib")
    choices = parser.parse_args(arguments)
    if choices.data is None:
        parser.error("name the folder of benchmark networks with --data or MUCG4_DATA")
    folder = Path(choices.data)
    graph, prop = read_onnx(folder / choices.network), read_vnnlib(folder / choices.property)
    proof = prove(graph, prop, EngineOptions(minimize=False)).proof
    if proof is None or not proof.cores:
        parser.error("the property has no proof by cores")
    problem = Problem.of(graph, prop)
    paths = [core.path for core in proof.cores[:MOST_CORES] if problem.group_of(core.case) == 0]
    _measure(problem, paths)
    return 0


@single_threaded()
def _measure(problem: Problem, paths: list[tuple[Literal, ...]]) -> None:
    regions = RegionTree.of(problem, 0, paths)
    nodes = np.arange(1, len(regions.tree.above))
    above, own = regions.bounds.take(regions.tree.above[nodes]), regions.bounds.take(nodes)
    inherited = replace(above, box=own.box, empty=np.zeros_like(own.empty))
    phases = regions.tree.phases[nodes]
    scale = problem.groups[0].scale
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS + 1):
        for compiled, times in seconds.items():
            layers = replace(problem.layers, compiled=compiled)
            start = time.perf_counter()
            bound_regions(layers, inherited, phases, scale)
            times.append(time.perf_counter() - start)
    products, loops = (1000 * median(times[1:]) / len(nodes) for times in seconds.values())
    print(f"{len(nodes)} regions, {own.unstable_count.mean():.0f} unstable neurons on average")
    print(f"products of matrices  {products:.3f} ms a region")
    print(f"compiled loops        {loops:.3f} ms a region, {products / loops:.1f} times faster")
    print(f"first use             {seconds[True][0]:.2f} s")


if __name__ == "__main__":
    raise SystemExit(main())
