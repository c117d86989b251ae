# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.bounding``: products of matrices against compiled loops, side by side.

Bounds the regions of a proof in both ways, in turns, and prints the median of milliseconds for a
region, and how long the first use of compiled loops took: loading them, or compiling them where
this machine has not done that yet.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.arguments import proved
from verifier.bounds.intersection import bound_regions
from verifier.engine.problem import Problem
from verifier.engine.region_tree import ALONG, RegionTree
from verifier.engine.threads import single_threaded

if TYPE_CHECKING:
    from verifier.proof.literals import Literal

ROUNDS = 9
MOST_CORES = 256


def main(arguments: list[str] | None = None) -> int:
    """Measure one network with one property."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bounding", description=__doc__)
    network, prop = "acasxu/onnx/ACASXU_run2a_4_2_batch_2000.onnx", "acasxu/vnnlib/prop_3.vnnlib"
    found = proved(parser, arguments, network, prop)
    problem = Problem.of(found.graph, found.prop)
    cores = found.cores[:MOST_CORES]
    _measure(problem, [core.path for core in cores if problem.group_of(core.case) == 0])
    return 0


@single_threaded()
def _measure(problem: Problem, paths: list[tuple[Literal, ...]]) -> None:
    regions = RegionTree.of(problem, 0, paths, ALONG)
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
