# SPDX-License-Identifier: Apache-2.0
"""What the search of the strongest compression tried: sizes and verdicts, a row for a network."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from verifier.batch.frontier import strongest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from verifier.batch.frontier import Tried

INK, MUTED, FAINT = "#1f2933", "#66707d", "#e3e6ea"
COLOURS = {"holds": "#0f6b4f", "violated": "#b93815", "open": "#b8860b"}
MARKERS = {"holds": "o", "violated": "X", "open": "D"}
LANES = {"holds": -0.16, "open": 0.0, "violated": 0.16}
"""Where in its row each kind lies, so that close sizes with different verdicts stay apart."""

WORDS = {
    "holds": "all properties hold",
    "violated": "one is violated",
    "open": "not decided in time",
}


def draw(frontiers: Mapping[str, Sequence[Tried]], path: Path) -> None:
    """Draw into an SVG or PNG file, by its ending."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = len(frontiers)
    height = 1.9 + 0.8 * rows
    figure = Figure(figsize=(11.0, height), dpi=140, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.2, 0.85 / height, 0.76, 0.8 * rows / height))
    for row, tried in enumerate(frontiers.values()):
        _draw_row(axes, row, tried)
    axes.set_yticks(range(rows), [PurePath(name).stem for name in frontiers], color=INK)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_xlim(0, 1.04)
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
    label = "bits of the numbers that are not zero, relative to the original in float32"
    axes.set_xlabel(label, color=MUTED, fontsize=11)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=11, colors=MUTED, left=False)
    axes.grid(axis="x", color=FAINT, lw=0.8)
    axes.set_axisbelow(True)
    _legend(axes)
    figure.text(0.02, 1 - 0.38 / height, "How far compression may go", color=INK, fontsize=15)
    figure.savefig(path, bbox_inches="tight", pad_inches=0.25)


def kind_of(tried: Tried) -> str:
    """Return what became of all properties together: holds, violated or open."""
    if tried.holds:
        return "holds"
    is_violated = any(result.verdict == "violated" for result in tried.results)
    return "violated" if is_violated else "open"


def _draw_row(axes: Axes, row: int, tried: Sequence[Tried]) -> None:
    axes.axhline(row, color=FAINT, lw=1.2, zorder=0)
    for each in tried:
        kind = kind_of(each)
        axes.scatter(
            each.size,
            row + LANES[kind],
            s=78,
            color=COLOURS[kind],
            marker=MARKERS[kind],
            edgecolors="white",
            linewidths=0.8,
            zorder=2,
        )
    best = strongest(tried)
    text = "none satisfies all properties" if best is None else best.subject.change or "original"
    place = 0.5 if best is None else best.size
    axes.annotate(
        text,
        (place, row + LANES["holds"]),
        xytext=(0, 9),
        textcoords="offset points",
        ha="left" if place < 0.5 else "right",
        color=MUTED if best is None else COLOURS["holds"],
        fontsize=9.5,
    )


def _legend(axes: Axes) -> None:
    for kind, word in WORDS.items():
        axes.scatter([], [], s=62, color=COLOURS[kind], marker=MARKERS[kind], label=word)
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=3,
        frameon=False,
        fontsize=10.5,
        labelcolor=MUTED,
        handletextpad=0.2,
        columnspacing=1.2,
    )
