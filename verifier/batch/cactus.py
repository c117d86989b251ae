# SPDX-License-Identifier: Apache-2.0
"""How many questions were answered within which time: the cactus plot of solver competitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from verifier.batch.results import Result

INK, MUTED = "#1f2933", "#66707d"
COLOURS = {"holds": "#0f6b4f", "violated": "#b93815"}
LEAST_SECONDS = 0.01


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw answers over seconds into an SVG or PNG file, by its ending."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 5.4), dpi=140, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.09, 0.12, 0.8, 0.76))
    for verdict, colour in COLOURS.items():
        seconds = sorted(
            max(result.seconds, LEAST_SECONDS) for result in results if result.verdict == verdict
        )
        if not seconds:
            continue
        counts = range(1, len(seconds) + 1)
        axes.step(seconds, counts, where="post", color=colour, lw=2.2)
        axes.annotate(
            f"{verdict}: {len(seconds)}",
            (seconds[-1], len(seconds)),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=12,
            annotation_clip=False,
        )
    _dress(axes, results)
    figure.savefig(path)


def _dress(axes: Axes, results: Sequence[Result]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("seconds for each, reading included", color=MUTED, fontsize=11)
    answered = sum(result.verdict in COLOURS for result in results)
    title = f"{answered} of {len(results)} questions answered"
    axes.set_title(title, loc="left", color=INK, fontsize=15, pad=14)
    axes.set_ylabel("answered within that time", color=MUTED, fontsize=11)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=11, colors=MUTED)
    axes.grid(axis="y", color="#e3e6ea", lw=0.8)
