# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.ascending``: the ascent on a processor and on an accelerator.

Splits a wide network's box on random neurons, climbs over all regions in one batch, and prints the
median of microseconds for a region, by numpy and by torch on each device that there is.
"""

from __future__ import annotations

import argparse
import os
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.accelerator import PROCESSOR, find_device, torch_device
from verifier.bounds.ascent import Forms, Regions, Start, ascend
from verifier.bounds.region_bounds import RegionBounds
from verifier.engine.climb import STEPS
from verifier.engine.problem import Problem
from verifier.engine.region import phases_of, root, split
from verifier.engine.threads import single_threaded
from verifier.ir.graph import Neuron
from verifier.ir.onnx_reader import read_onnx
from verifier.proof.literals import Phase
from verifier.spec.vnnlib_reader import read_vnnlib

if TYPE_CHECKING:
    from verifier.bounds.accelerator import Device
    from verifier.engine.region import Region

ROUNDS = 5
DEPTH = 6


def main(arguments: list[str] | None = None) -> int:
    """Measure one network with one property."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ascending", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MUCG4_DATA"))
    parser.add_argument("--network", default="mnist_fc/onnx/mnist-net_256x4.onnx")
    parser.add_argument("--property", default="mnist_fc/vnnlib/prop_0_0.05.vnnlib")
    parser.add_argument("--regions", type=int, nargs="+", default=[64, 512, 4096])
    choices = parser.parse_args(arguments)
    if choices.data is None:
        parser.error("name the folder of benchmark networks with --data or MUCG4_DATA")
    folder = Path(choices.data)
    graph, prop = read_onnx(folder / choices.network), read_vnnlib(folder / choices.property)
    problem = Problem.of(graph, prop)
    devices = {"numpy": PROCESSOR}
    if find_spec("torch") is not None:
        devices["torch"] = torch_device("cpu")
    found = find_device()
    if found is not PROCESSOR:
        devices[f"torch, {found.place}"] = found
    for count in choices.regions:
        regions = _regions(problem, count)
        for name, device in devices.items():
            print(
                f"{count:6} regions  {name:12}  {_measure(problem, regions, device):9.1f} us each"
            )
    return 0


def _regions(problem: Problem, count: int) -> list[Region]:
    """Return regions of a few random phases each."""
    rng = np.random.default_rng(0)
    slices = problem.layers.slices
    unstable = np.flatnonzero(problem.groups[0].bounds.unstable[0])
    regions = [root(problem, 0)] * count
    for chosen in rng.choice(unstable, size=(DEPTH, count)):
        parts = []
        for region, number in zip(regions, chosen.tolist(), strict=True):
            layer = next(k for k, place in enumerate(slices) if number < place.stop)
            neuron = Neuron(layer, number - slices[layer].start)
            is_known = any(x.neuron == neuron for x in region.path if isinstance(x, Phase))
            path = () if is_known else (Phase(neuron, active=bool(rng.random() < 0.5)),)
            parts.append((region, path))
        regions = [
            split(problem, [(region, path[0])])[0] if path else region for region, path in parts
        ]
    return regions


@single_threaded()
def _measure(problem: Problem, regions: list[Region], device: Device) -> float:
    """Return the median of microseconds for a region."""
    rows = next(iter(problem.groups[0].objectives.values()))
    bounds = RegionBounds.stack([region.bounds for region in regions])
    phases = phases_of(problem, [region.path for region in regions])
    lines = bounds.relaxation
    weights = np.full((len(regions), rows.count), 1.0 / rows.count)
    start = Start(weights, lines.alpha, np.zeros_like(lines.alpha))
    box = bounds.box.take(np.zeros(1, dtype=np.intp))
    forms = Forms(rows.coefficients, rows.constant)
    times = []
    for _ in range(ROUNDS + 1):
        begun = time.perf_counter()
        ascend(problem.layers, forms, Regions(lines, box, phases), start, STEPS, device)
        times.append(time.perf_counter() - begun)
    return 1e6 * median(times[1:]) / len(regions)


if __name__ == "__main__":
    raise SystemExit(main())
