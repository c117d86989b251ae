# SPDX-License-Identifier: Apache-2.0
"""A comparison of verifiers as Markdown, with a cactus plot and a scatter against each peer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import geometric_mean
from typing import TYPE_CHECKING, Any

from benchmarks.drawing import COLOURS, INK, MUTED, canvas, style
from benchmarks.markdown import table
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from benchmarks.processes import Cost
    from benchmarks.suites import Suite

HOW_IT_IS_MEASURED = """
Each program as a whole process, start-up included, one after the other on each instance,
{seconds:.0f} seconds each. Ratios are of processor seconds, over the instances that both programs
decide; below 1, ours takes less.
""".strip()


@dataclass(frozen=True)
class Row:
    """One program on one instance.

    Attributes:
        program: Its name.
        network: The network's file.
        prop: The property's file.
        expected: The verdict that is known from elsewhere, or empty.
        cost: What it said and what that took.
    """

    program: str
    network: str
    prop: str
    expected: str
    cost: Cost

    @property
    def instance(self) -> tuple[str, str]:
        """Network and property."""
        return self.network, self.prop

    @property
    def is_decided(self) -> bool:
        """Whether there is a verdict."""
        return self.cost.verdict != Verdict.UNKNOWN

    @property
    def is_wrong(self) -> bool:
        """Whether the verdict contradicts the one that is known."""
        return {self.expected, str(self.cost.verdict)} == {"holds", "violated"}


def report(suite: Suite, rows: Sequence[Row], programs: Sequence[str], images: Path) -> str:
    """Return the comparison as Markdown, and draw its picture into ``peers.png`` of a folder.

    Args:
        suite: What was run.
        rows: Its results.
        programs: Names of the programs, ours first.
        images: The folder.
    """
    parts = [
        f"## Side by side: {suite.title}",
        HOW_IT_IS_MEASURED.format(seconds=suite.timeout_seconds),
        _sums(rows, programs),
        _instances(rows, programs),
    ]
    if len(programs) > 1:
        images.mkdir(parents=True, exist_ok=True)
        _draw(rows, programs, images / "peers.png")
        parts.insert(
            3, "![Instances decided over time, and seconds against each peer](images/peers.png)"
        )
    return "\n\n".join(parts) + "\n"


def _sums(rows: Sequence[Row], programs: Sequence[str]) -> str:
    ours = {row.instance: row for row in rows if row.program == programs[0]}
    lines = []
    for program in programs:
        own = [row for row in rows if row.program == program]
        decided = [row for row in own if row.is_decided]
        pairs = [(ours[r.instance].cost, r.cost) for r in decided if ours[r.instance].is_decided]
        ratios = [mine.cpu_seconds / other.cpu_seconds for mine, other in pairs]
        lines.append(
            (
                program,
                f"{len(decided)} of {len(own)}",
                sum(row.is_wrong for row in own),
                " : ".join(
                    f"{sum(cost.cpu_seconds for cost in part):.0f}"
                    for part in zip(*pairs, strict=True)
                ),
                f"{geometric_mean(ratios):.2f}" if ratios else "-",
                f"{max(row.cost.peak_mib for row in own):.0f}",
            )
        )
    head = "program | decided | wrong | CPU s, ours : its | ratio, geometric mean | largest MiB"
    return table(head, lines)


def _instances(rows: Sequence[Row], programs: Sequence[str]) -> str:
    by_key = {(row.instance, row.program): row for row in rows}
    instances = dict.fromkeys(row.instance for row in rows)
    lines = []
    for network, prop in instances:
        cells = [by_key.get(((network, prop), program)) for program in programs]
        lines.append(
            (Path(network).stem, Path(prop).stem.removeprefix("prop_"), *map(_cell, cells))
        )
    return table("network | property | " + " | ".join(programs), lines)


def _cell(row: Row | None) -> str:
    if row is None:
        return "-"
    if not row.is_decided:
        return "no verdict"
    return f"{row.cost.verdict}{' (WRONG)' if row.is_wrong else ''}, {row.cost.cpu_seconds:.1f} s"


def _draw(rows: Sequence[Row], programs: Sequence[str], path: Path) -> None:
    figure = canvas(5.2 * len(programs), 5.0)
    axes = figure.subplots(1, len(programs), squeeze=False)[0]
    _cactus(axes[0], rows, programs)
    for place, peer in zip(axes[1:], programs[1:], strict=True):
        _scatter(place, rows, programs[0], peer)
    figure.tight_layout(pad=1.6)
    figure.savefig(path)


def _cactus(axes: Axes, rows: Sequence[Row], programs: Sequence[str]) -> None:
    """Draw how many instances are decided within a time, for each program."""
    for colour, program in zip(COLOURS, programs, strict=False):
        own = (row for row in rows if row.program == program and row.is_decided)
        seconds = sorted(row.cost.cpu_seconds for row in own)
        if seconds:
            counts = range(1, len(seconds) + 1)
            axes.step(seconds, counts, where="post", color=colour, lw=2.2, label=program)
    axes.locator_params(axis="y", integer=True)
    axes.set_ylabel("instances decided", color=INK)
    axes.legend(frameon=False, labelcolor=INK, loc="lower right")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("CPU seconds of the process", color=INK)
    style(axes, "Decided within a time")


def _scatter(axes: Axes, rows: Sequence[Row], ours: str, peer: str) -> None:
    """Draw each instance by both programs' seconds; what has no verdict lies on the edge."""
    cost: dict[str, dict[Any, Row]] = {ours: {}, peer: {}}
    for row in rows:
        if row.program in cost:
            cost[row.program][row.instance] = row
    edge = 2.0 * max(row.cost.cpu_seconds for row in rows)
    least = 0.7 * min(row.cost.cpu_seconds for row in rows)
    for verdict, colour in ((Verdict.HOLDS, COLOURS[0]), (Verdict.VIOLATED, COLOURS[1])):
        points = [
            tuple(r.cost.cpu_seconds if r.is_decided else edge for r in (mine, cost[peer][key]))
            for key, mine in cost[ours].items()
            if key in cost[peer] and verdict in {mine.cost.verdict, cost[peer][key].cost.verdict}
        ]
        if points:
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, s=34, color=colour, alpha=0.75, lw=0, label=str(verdict))
    axes.plot((least, edge), (least, edge), color=MUTED, lw=1.0, ls=(0, (4, 3)))
    axes.set(xlim=(least, 1.2 * edge), ylim=(least, 1.2 * edge), xscale="log", yscale="log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylabel(f"{peer}, CPU seconds", color=INK)
    axes.legend(frameon=False, labelcolor=INK, loc="lower right")
    axes.set_xlabel(f"{ours}, CPU seconds", color=INK)
    style(axes, f"{ours} against {peer}: above the line, ours is faster")
