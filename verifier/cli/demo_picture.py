# SPDX-License-Identifier: Apache-2.0
"""The picture of ``mucg4 demo``.

Left, a matrix of properties and networks: the verdict, and what became of the original's cores as
a bar; where a property is violated, the image that shows it. Right, for each variant, the seconds
with and without reuse, on one logarithmic axis. Colours differ in lightness as well as in hue, and
words say what they say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.report import ratio_text, seconds_text
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from verifier.cli.demo_runs import Question, Run, Subject

SIDE = 8
INK, MUTED, FAINT = "#1f2933", "#66707d", "#e3e6ea"
FILL = {Verdict.HOLDS: "#e2f1ea", Verdict.VIOLATED: "#fbe3da", Verdict.UNKNOWN: "#eef0f3"}
STRONG = {Verdict.HOLDS: "#0f6b4f", Verdict.VIOLATED: "#b93815", Verdict.UNKNOWN: "#66707d"}
VALID, REPAIRED, SEARCHED, SCRATCH = "#0f6b4f", "#e3a72b", "#b4bac4", "#a3abb6"
DECADES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
LABEL_COLUMN = 1.02
PANEL = 1.3


def draw(
    original: Subject, variants: Sequence[Subject], rejected: Mapping[Path, str], path: Path
) -> None:
    """Draw the outcome into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16.0, 9.0), dpi=140, facecolor="white")
    FigureCanvasAgg(figure)
    columns = LABEL_COLUMN + 1 + len(variants)
    grid = figure.add_gridspec(
        1,
        1 + len(variants),
        width_ratios=(columns, *(PANEL for _ in variants)),
        left=0.02,
        right=0.985,
        top=0.765,
        bottom=0.115,
        wspace=0.09,
    )
    _draw_matrix(figure.add_subplot(grid[0, 0]), [original, *variants])
    times = [s for v in variants for r in v.runs for s in (r.result.seconds, r.scratch.seconds)]
    for number, variant in enumerate(variants):
        panel = figure.add_subplot(grid[0, 1 + number])
        _draw_seconds(panel, variant, (min(times), max(times)))
    _draw_words(figure, [original, *variants], rejected)
    figure.savefig(path, format="png")


def _draw_matrix(axes: Axes, subjects: Sequence[Subject]) -> None:
    rows = len(subjects[0].runs)
    axes.set_axis_off()
    wide = _width_of_square(axes, LABEL_COLUMN + len(subjects), rows)
    for row, run in enumerate(subjects[0].runs):
        _draw_image(axes, centre(run.question), (0.02, row + 0.08), (0.84 * wide, 0.84))
        x = 0.02 + 0.84 * wide + 0.07
        axes.text(x, row + 0.42, f"{run.question.label}", fontsize=15, weight="bold", color=INK)
        axes.text(x, row + 0.72, f"ε = {run.question.epsilon}", fontsize=10, color=MUTED)
    for column, subject in enumerate(subjects):
        left = LABEL_COLUMN + column
        axes.text(
            left + 0.5,
            -0.14,
            _broken(subject.title),
            ha="center",
            va="bottom",
            fontsize=12,
            weight="bold",
            color=INK,
            linespacing=1.25,
        )
        for row, run in enumerate(subject.runs):
            _draw_cell(axes, run, (left, row), wide)
    axes.set_xlim(0, LABEL_COLUMN + len(subjects))
    axes.set_ylim(rows, 0)


def _draw_cell(axes: Axes, run: Run, corner: tuple[float, float], wide: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = corner
    verdict = run.result.verdict
    axes.add_patch(
        FancyBboxPatch(
            (x + 0.05, y + 0.1),
            0.9,
            0.8,
            boxstyle="round,pad=0,rounding_size=0.05",
            mutation_aspect=2.0,
            facecolor=FILL[verdict],
            edgecolor="none",
        )
    )
    style: dict[str, Any] = {"va": "center", "color": STRONG[verdict]}
    axes.text(x + 0.12, y + 0.34, str(verdict), fontsize=12.5, weight="bold", **style)
    axes.text(x + 0.12, y + 0.62, _remark(run), fontsize=9.5, **style)
    if run.result.counterexample is not None:
        pixels = np.array([float(v) for v in run.result.counterexample.input])
        _draw_image(axes, pixels, (x + 0.91 - 0.64 * wide, y + 0.18), (0.64 * wide, 0.64))
    elif verdict is Verdict.HOLDS:
        _draw_bar(axes, run, (x + 0.12, y + 0.75))


def _draw_bar(axes: Axes, run: Run, corner: tuple[float, float]) -> None:
    """Draw which share of the original's cores was valid, repaired, or searched anew."""
    from matplotlib.patches import Rectangle

    x, y = corner
    shares = [(1.0, VALID)]
    reuse = run.result.reuse
    if reuse is not None and reuse.cores:
        valid, repaired = (count / reuse.cores for count in (reuse.valid, reuse.repaired))
        shares = [(valid, VALID), (repaired, REPAIRED), (1.0 - valid - repaired, SEARCHED)]
    elif run.result is not run.scratch:
        shares = [(1.0, SEARCHED)]
    for share, colour in shares:
        width = 0.76 * share
        axes.add_patch(Rectangle((x, y), width, 0.07, facecolor=colour, edgecolor="none"))
        x += width


def _remark(run: Run) -> str:
    if run.result.counterexample is not None:
        scores = run.result.counterexample.output
        return f"read as {scores.index(max(scores))}"
    reuse = run.result.reuse
    if run.result.verdict is Verdict.UNKNOWN:
        return run.result.reason
    if reuse is not None and reuse.cores:
        return f"{reuse.valid} of {reuse.cores} cores valid"
    if reuse is not None:
        return "searched anew"
    return f"{0 if run.result.proof is None else len(run.result.proof.cores)} cores"


def _draw_seconds(axes: Axes, variant: Subject, limits: tuple[float, float]) -> None:
    """Draw the seconds of a variant, on an axis that all variants share."""
    rows = len(variant.runs)
    for row, run in enumerate(variant.runs):
        y, reuse, scratch = row + 0.5, run.result.seconds, run.scratch.seconds
        is_faster = reuse <= scratch
        colour = VALID if is_faster else STRONG[Verdict.VIOLATED]
        axes.plot([reuse, scratch], [y, y], color=FAINT, linewidth=4, solid_capstyle="round")
        axes.plot([scratch], [y], "o", color=SCRATCH, markersize=8)
        axes.plot([reuse], [y], "o", color=colour, markersize=9)
        axes.text(
            max(reuse, scratch) * 1.35,
            y,
            ratio_text(scratch / reuse),
            va="center",
            fontsize=10,
            color=colour,
            weight="bold",
        )
    axes.set_xscale("log")
    # Room for the last ratio on the right.
    axes.set_xlim(limits[0] / 1.8, limits[1] * 5.5)
    axes.set_ylim(rows, 0)
    ticks = [t for t in DECADES if limits[0] / 1.8 <= t <= limits[1] * 1.8]
    axes.set_xticks(ticks, [seconds_text(t).replace(".00", "").replace(".0", "") for t in ticks])
    axes.set_xticks([], minor=True)
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0, labelsize=9.5, labelcolor=MUTED)
    axes.grid(axis="x", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _draw_header(axes, variant)


def _draw_header(axes: Axes, variant: Subject) -> None:
    words = f"{seconds_text(variant.seconds)} instead of {seconds_text(variant.scratch_seconds)}"
    rows: tuple[tuple[float, str, dict[str, Any]], ...] = (
        (1.014, _broken(variant.title), {"fontsize": 12, "weight": "bold", "color": INK}),
        (1.102, words, {"fontsize": 10.5, "color": MUTED}),
        (1.138, ratio_text(variant.speedup), {"fontsize": 27, "weight": "bold", "color": VALID}),
    )
    for y, text, style in rows:
        axes.text(0.42, y, text, ha="center", va="bottom", transform=axes.transAxes, **style)


def _draw_words(figure: Figure, subjects: Sequence[Subject], rejected: Mapping[Path, str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    accepted = sum(not reason for reason in rejected.values())
    title = f"One proof, {len(subjects) - 1} compressed networks"
    figure.text(0.02, 0.945, title, fontsize=24, weight="bold", color=INK, va="center")
    lines = (
        "Each row asks: is every image within ε of this one, pixel by pixel, read as this digit?\n"
        "The cores of the original's proof are carried over to each compressed network and "
        "re-validated there;\nonly what they leave open is searched. "
        f"The independent checker accepted {accepted} of {len(rejected)} certificates."
    )
    figure.text(0.02, 0.922, lines, fontsize=11.5, color=MUTED, va="top", linespacing=1.4)
    handles: list[Any] = [
        Patch(color=VALID, label="core valid as it was"),
        Patch(color=REPAIRED, label="core repaired"),
        Patch(color=SEARCHED, label="region searched anew"),
        Line2D([], [], marker="o", linestyle="", color=VALID, label="by reuse", markersize=9),
        Line2D([], [], marker="o", linestyle="", color=SCRATCH, label="from scratch", markersize=8),
    ]
    speed = "How many times faster reuse is, all properties taken together"
    figure.text(0.985, 0.945, speed, fontsize=12, color=INK, va="center", ha="right")
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.012, 0.02),
        ncols=len(handles),
        frameon=False,
        fontsize=10.5,
        labelcolor=INK,
        handlelength=1.1,
        columnspacing=1.8,
    )
    note = "verification time, logarithmic; one run each, without imports and reading"
    figure.text(0.985, 0.033, note, fontsize=9.5, color=MUTED, ha="right")


def centre(question: Question) -> NDArray[np.float64]:
    """Return the image around which a property's box lies, cut off at 0 and 1."""
    box = question.prop.cases[0].box
    sides = zip(box.lower, box.upper, strict=True)
    epsilon = max(upper - lower for lower, upper in sides) / 2
    return np.array(
        [
            float(upper - epsilon if upper < 1 else lower + epsilon)
            for lower, upper in zip(box.lower, box.upper, strict=True)
        ]
    )


def _draw_image(
    axes: Axes,
    pixels: NDArray[np.float64],
    corner: tuple[float, float],
    size: tuple[float, float],
) -> None:
    """Draw an image; corner and size in columns and rows."""
    from matplotlib.patches import Rectangle

    (x, y), (width, height) = corner, size
    image, extent = pixels.reshape(SIDE, SIDE), (x, x + width, y + height, y)
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=1, extent=extent, aspect="auto", zorder=3)
    frame = Rectangle(corner, width, height, fill=False, edgecolor=SCRATCH, linewidth=0.6, zorder=4)
    axes.add_patch(frame)


def _width_of_square(axes: Axes, columns: float, rows: int) -> float:
    """Return how many columns are as wide on paper as one row is high."""
    left, bottom, right, top = axes.get_window_extent().extents
    return float(((top - bottom) / rows) / ((right - left) / columns))


def _broken(title: str) -> str:
    """Return a title on two lines, broken near its middle."""
    words = title.split()
    parts = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    middle = min(parts, key=lambda part: abs(len(part[0]) - len(part[1])), default=(title,))
    return "\n".join(middle)
