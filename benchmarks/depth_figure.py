# SPDX-License-Identifier: Apache-2.0
"""A figure of reuse against depth of compression: what share is reused, and what that saves.

One column for each series of variants, compressed more strongly to the right. Each point is a
variant of one network with one property that it satisfies; the line joins medians, and half of the
points lie in the band. Where leaves were replayed, too, a second line has the medians of what that
saves.
"""

from __future__ import annotations

from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks.drawing import COLOURS, INK, MUTED, canvas, style
from benchmarks.way_tables import ratios
from benchmarks.ways import PRODUCT, REPLAY
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.rows import Row
    from benchmarks.suites import Series

Points = dict[str, list[float]]


def draw_depth(series: Sequence[Series], rows: Sequence[Row], path: Path) -> None:
    """Draw the figure.

    Args:
        series: Its columns.
        rows: Results of variants.
        path: The file, whose ending says its format.
    """
    holding = [
        row for row in rows if row.reuse.get("cores") and row.measured.verdict == Verdict.HOLDS
    ]
    figure = canvas(4.4 * len(series), 7.8)
    columns = figure.subplots(2, len(series), squeeze=False, sharey="row").T
    for (above, below), one in zip(columns, series, strict=True):
        _draw(above, one, _points(one, holding, reuse_rates))
        _draw(below, one, _points(one, holding, speed_ups))
        if all(REPLAY in row.others for row in holding):
            _line(below, one, _points(one, holding, speed_ups_of_replay), REPLAY)
        below.set_xlabel(one.axis, color=INK, fontsize=12)
        style(above, "")
        style(below, "")
        _count(above, one, holding, rows)
    first, second = columns[0]
    first.set_ylim(-4.0, 104.0)
    first.set_ylabel("cores valid without repair, %", color=INK, fontsize=12)
    _label_speeds(second)
    figure.tight_layout(pad=1.4)
    figure.savefig(path)


def _label_speeds(axes: Axes) -> None:
    """Name the axis of speed-ups, which is logarithmic, and give it ticks that can be read."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    ticks = [tick for tick in (0.5, 1, 2, 5, 10, 20, 50, 100) if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}\N{MULTIPLICATION SIGN}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylabel("faster than from scratch, CPU time", color=INK, fontsize=12)
    axes.legend(frameon=False, labelcolor="linecolor", loc="lower left", fontsize=11)


def reuse_rates(rows: Sequence[Row]) -> list[float]:
    """Return what share of the cores, in per cent, is valid by its stored multipliers."""
    return [100.0 * row.reuse["proof_reuse_rate"] for row in rows]


def speed_ups_of_replay(rows: Sequence[Row]) -> list[float]:
    """Return how many times faster it is to replay leaves, where that means something."""
    return [1.0 / ratio for ratio in ratios(rows, REPLAY)]


def speed_ups(rows: Sequence[Row]) -> list[float]:
    """Return how many times faster reuse is, where that means something."""
    return [1.0 / ratio for ratio in ratios(rows, PRODUCT)]


def _points(
    series: Series, rows: Sequence[Row], values: Callable[[Sequence[Row]], list[float]]
) -> Points:
    """Return the values of each variant of a series."""
    return {name: values([row for row in rows if row.variant == name]) for name in series.values}


def _draw(axes: Axes, series: Series, points: Points) -> None:
    """Draw points, the line of medians and the band of the middle half, at even distances."""
    places = {name: place for place, name in enumerate(series.values) if points[name]}
    for name, place in places.items():
        axes.scatter([place] * len(points[name]), points[name], s=18, color=MUTED, alpha=0.5, lw=0)
    quartiles = [_quartiles(points[name]) for name in places]
    low, high = ([values[i] for values in quartiles] for i in (0, 2))
    axes.fill_between(list(places.values()), low, high, color=COLOURS[0], alpha=0.15, lw=0)
    _line(axes, series, points, PRODUCT)
    labels = [f"{value:g}" for value in series.values.values()]
    axes.set_xticks(range(len(labels)), labels, fontsize=11)


def _line(axes: Axes, series: Series, points: Points, way: str) -> None:
    """Draw the line of a way's medians."""
    middle = {
        place: median(points[name]) for place, name in enumerate(series.values) if points[name]
    }
    colour = COLOURS[0] if way == PRODUCT else COLOURS[2]
    x, y = list(middle), list(middle.values())
    axes.plot(x, y, color=colour, lw=2.2, marker="o", ms=5, label=way)


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high


def _count(axes: Axes, series: Series, holding: Sequence[Row], rows: Sequence[Row]) -> None:
    """Write above each place how many of the variants satisfy their property."""
    counts = [sum(row.variant == name for row in holding) for name in series.values]
    for place, count in enumerate(counts):
        axes.text(place, 106.0, f"{count}", ha="center", color=MUTED, fontsize=10)
    total = max(sum(row.variant == name for row in rows) for name in series.values)
    axes.set_title(
        f"of {total}, so many satisfy their property:",
        color=MUTED,
        fontsize=10,
        loc="left",
        pad=20.0,
    )
