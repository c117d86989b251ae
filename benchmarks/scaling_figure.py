# SPDX-License-Identifier: Apache-2.0
"""A figure of what proof and reuse cost as one quantity grows: a panel for each study."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.drawing import COLOURS, INK, canvas, style
from benchmarks.scaling_studies import Point

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

PANELS = {
    "width": ("Two layers, ever wider", "neurons"),
    "depth": ("Ever more layers of 64 neurons", "neurons"),
    "cores": ("Ever larger proofs (ACAS Xu)", "cores of the original's proof"),
    "variants": ("Ever more variants (ACAS Xu)", "variants of one original"),
}
Line = tuple[str, Callable[[Point], float], str]
"""What a line is called, its values, and its colour."""
PROOF: Line = ("original's proof", lambda point: point.original, COLOURS[2])
SCRATCH: Line = ("from scratch", lambda point: point.scratch, COLOURS[1])
REUSE: Line = ("by reuse", lambda point: point.reuse, COLOURS[0])
BOTH: Line = ("proof and reuse", lambda point: point.original + point.reuse, COLOURS[0])


MOST_TICKS = 7
LABELS_APART = 0.055
"""Least distance of two labels, as a share of the axis."""


def draw_scaling(points: Sequence[Point], path: Path) -> None:
    """Draw the figure; points are single measurements, lines join medians."""
    figure = canvas(11.0, 8.6)
    for axes, (study, (title, label)) in zip(
        figure.subplots(2, 2).flat, PANELS.items(), strict=True
    ):
        lines = (SCRATCH, BOTH) if study == "variants" else (PROOF, SCRATCH, REUSE)
        _draw(axes, [p for p in points if p.study == study and p.verdicts], lines)
        axes.set_xlabel(label, color=INK, fontsize=12)
        axes.set_ylabel("CPU seconds", color=INK, fontsize=12)
        style(axes, title)
    figure.tight_layout(pad=1.6)
    figure.savefig(path)


def _draw(axes: Axes, points: Sequence[Point], lines: Sequence[Line]) -> None:
    """Draw the points and a line through their medians, with its name at its end."""
    sizes = sorted({point.size for point in points})
    axes.set(xscale="log", yscale="log")
    ends: dict[str, float] = {}
    for name, cost, colour in lines:
        x, y = [point.size for point in points], [cost(point) for point in points]
        axes.scatter(x, y, s=16, color=colour, alpha=0.45, lw=0)
        middle = [median(cost(p) for p in points if p.size == size) for size in sizes]
        axes.plot(sizes, middle, color=colour, lw=2.2)
        ends[name] = middle[-1]
    axes.minorticks_off()
    if len(sizes) <= MOST_TICKS:
        axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.tick_params(labelsize=11)
    low, high = axes.get_ylim()
    apart = (high / low) ** LABELS_APART
    place = 0.0
    for name, _, colour in sorted(lines, key=lambda line: ends[line[0]]):
        place = max(ends[name], place * apart)
        text = axes.annotate(name, (sizes[-1], place), (8, 0), textcoords="offset points")
        text.set(color=colour, va="center", fontsize=11)
