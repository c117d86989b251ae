# SPDX-License-Identifier: Apache-2.0
"""How figures look: colours, a canvas that needs no display, and axes without clutter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, FAINT = "#1f2933", "#66707d", "#e3e6ea"
COLOURS = ("#0f6b4f", "#b93815", "#2f5f9e", "#e3a72b", "#7a4ea3")


def canvas(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def style(axes: Axes, title: str) -> None:
    """Give axes a title, and take away what says nothing."""
    axes.set_title(title, color=INK, fontsize=11, loc="left")
    axes.grid(color=FAINT, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
