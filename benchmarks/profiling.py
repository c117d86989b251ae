# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.profiling``: where the time of the most expensive proofs goes.

Each proof is made once under Python's profiler, which makes calls of Python dearer than they are.
The time that a library takes belongs to the part of the engine that called it.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.arguments import add_data, data_folder
from benchmarks.markdown import insert_section, table
from benchmarks.timing import cpu_seconds, warm_up
from verifier.ir.onnx_reader import read_onnx
from verifier.options import EngineOptions
from verifier.pipeline import prove
from verifier.spec.vnnlib_reader import read_vnnlib

if TYPE_CHECKING:
    from collections.abc import Mapping

PROOFS = (("1_1", 6), ("3_3", 2), ("4_2", 2))
"""Network and property of ACAS Xu."""
PARTS = {
    "triangle programs": ("bounds/lp.py",),
    "bounds of regions": ("bounds/", "engine/region.py", "engine/region_tree.py"),
    "evaluation of multipliers": ("bounds/backward.py", "engine/evaluate.py", "engine/refute.py"),
    "attacks and counterexamples": ("engine/attack.py", "engine/candidates.py", "spec/", "ir/"),
    "choice of splits": ("engine/decide.py",),
}
REST = "stack, cover and the rest"
TEXT = """
## Where the time of the most expensive proofs goes

Shares of the time under Python's profiler, and CPU seconds without it; for the verdict alone.
"""

_Function = tuple[str, int, str]
_Statistics = dict[_Function, tuple[Any, ...]]


def main(arguments: list[str] | None = None) -> int:
    """Profile the proofs and print a table, or put it into a page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiling", description=__doc__)
    add_data(parser)
    parser.add_argument("--page", type=Path, help="a Markdown page to put the table into")
    choices = parser.parse_args(arguments)
    folder = data_folder(parser, choices) / "acasxu"
    warm_up()
    text = f"{TEXT.strip()}\n\n{profiles(folder)}\n"
    if choices.page is None:
        print(text)
    else:
        insert_section(choices.page, "profile", text)
    return 0


def profiles(folder: Path) -> str:
    """Return a table of the parts' shares of each proof."""
    options = EngineOptions(minimize=False, compiled=True)
    rows = []
    for network, prop in PROOFS:
        graph = read_onnx(folder / f"onnx/ACASXU_run2a_{network}_batch_2000.onnx")
        query = read_vnnlib(folder / f"vnnlib/prop_{prop}.vnnlib")
        _, seconds = cpu_seconds(partial(prove, graph, query, options))
        profile = cProfile.Profile()
        profile.runcall(prove, graph, query, options)
        shares = part_shares(pstats.Stats(profile).stats)  # type: ignore[attr-defined]
        cells = (f"{100 * shares[part]:.0f} %" for part in (*PARTS, REST))
        rows.append((network, prop, f"{seconds:.1f}", *cells))
    return table(" | ".join(["network", "property", "CPU s", *PARTS, REST]), rows)


def part_shares(statistics: _Statistics) -> Mapping[str, float]:
    """Return the share of each part of the engine in what a profile counted."""
    shares: dict[str, float] = defaultdict(float)
    for function, (_, _, own, _, _) in statistics.items():
        _attribute(function, own, statistics, shares, set())
    total = sum(shares.values())
    return {part: shares[part] / total for part in (*PARTS, REST)}


def _attribute(
    function: _Function,
    seconds: float,
    statistics: _Statistics,
    shares: dict[str, float],
    above: set[_Function],
) -> None:
    """Give a function's seconds to its part, or to the parts of those that called it."""
    _, found, place = function[0].rpartition("/verifier/")
    callers = statistics[function][4]
    if found or not callers or function in above:
        shares[_part(place)] += seconds
        return
    total = sum(calls[3] for calls in callers.values())
    for caller, calls in callers.items():
        share = calls[3] / total if total else 1.0 / len(callers)
        _attribute(caller, seconds * share, statistics, shares, above | {function})


def _part(place: str) -> str:
    """Return the part that a file belongs to: the one that names most of its path."""
    fits = [
        (len(prefix), part)
        for part, prefixes in PARTS.items()
        for prefix in prefixes
        if place.startswith(prefix)
    ]
    return max(fits)[1] if fits else REST


if __name__ == "__main__":
    sys.exit(main())
