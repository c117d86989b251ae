# SPDX-License-Identifier: Apache-2.0
"""The figure of a report: how long checks took, and what became of the originals' proofs."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.batch.results import VERDICTS
from verifier.gate.evidence.blocks import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from verifier.gate.check import Check
    from verifier.gate.evidence.layout import Layout

INK, MUTED, FAINT = "#1b2430", "#5c6672", "#dde2e8"
TONES = {
    "holds": "#0b6647",
    "violated": "#b3261e",
    "unknown": "#7a5200",
    "timeout": "#7a5201",
    "error": "#5c6673",
}
SHARES = {"kept": "#0b6648", "repaired": "#b8860b", "dropped": "#6b7fa3", "not tried": "#aab2bd"}
"""Each colour is written once: in the page it is replaced by the variable of that name."""
MOST_VARIANTS = 24
LEAST_SECONDS = 0.001
_WIDTH, _ABOVE, _BELOW, _LEGEND = 9.0, 0.42, 0.36, 0.34
_SIGN = 0.088  # The width of a letter of a label, in inches as all of these.


@dataclass(frozen=True)
class Share:
    """What became of the cores of originals' proofs for one variant, over all properties."""

    name: str
    counts: dict[str, int]


def cores_by_fate(check: Check) -> dict[str, int]:
    """Return what became of the cores that the variant could have; empty without reuse."""
    reuse = check.reuse
    if reuse is None:
        return {}
    counts = {word: int(reuse[key]) for word, key in _KEYS.items()}
    rest = reuse["cores"] - reuse["vacuous"] - sum(counts.values())
    return {**counts, "not tried": max(rest, 0)}


_KEYS = {"kept": "valid", "repaired": "repaired", "dropped": "dropped"}


def shares_of(layout: Layout) -> list[Share]:
    """Return the shares of variants, in the order of the report."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SHARES, 0))
    names: dict[str, str] = {}
    for place in layout.places:
        counts = cores_by_fate(place.check)
        if not counts or place.network is None:
            continue
        names[place.network.id] = place.check.question.subject.change
        for word, count in counts.items():
            sums[place.network.id][word] += count
    return [Share(f"{id_}  {_short(names[id_])}", counts) for id_, counts in sums.items()]


def draw(layout: Layout) -> Figure:
    """Draw the figure."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    times: dict[str, list[float]] = {word: [] for word in VERDICTS}
    for place in layout.places:
        times[place.check.verdict].append(max(place.check.seconds, LEAST_SECONDS))
    rows = {word: seconds for word, seconds in times.items() if seconds}
    labels = [f"{word} ({len(seconds)})" for word, seconds in rows.items()]
    shares = shares_of(layout)
    shown = shares[:MOST_VARIANTS]
    panels = [0.42 * len(rows) + 0.2, *([0.34 * len(shown) + 0.25] if shown else [])]
    height = sum(panels) + len(panels) * (_ABOVE + _BELOW) + (_LEGEND if shown else 0)
    with rc_context({"svg.hashsalt": "mucg4", "svg.fonttype": "path"}):
        canvas = Canvas(figsize=(_WIDTH, height))
        FigureCanvasAgg(canvas)
        longest = max(len(label) for label in (*labels, *(share.name for share in shown)))
        frame = _Frame(canvas, height, 0.15 + _SIGN * longest)
        _draw_times(frame.axes(height - _ABOVE - panels[0], panels[0]), rows, labels)
        if shown:
            _draw_shares(frame.axes(_BELOW + _LEGEND, panels[1]), shown, len(shares))
        png, svg = io.BytesIO(), io.StringIO()
        canvas.savefig(png, format="png", dpi=220, facecolor="white", metadata={"Software": None})
        canvas.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
    text = _described(rows, shares)
    return Figure(_for_page(svg.getvalue()), png.getvalue(), _WIDTH / height, text)


@dataclass(frozen=True)
class _Frame:
    """Where panels stand: all lengths in inches."""

    canvas: Canvas
    height: float
    left: float

    def axes(self, bottom: float, height: float) -> Axes:
        left, width = self.left / _WIDTH, (_WIDTH - self.left - 0.25) / _WIDTH
        axes = self.canvas.add_axes((left, bottom / self.height, width, height / self.height))
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(FAINT)
        axes.tick_params(labelsize=10.5, colors=MUTED, left=False, bottom=False)
        axes.grid(axis="x", color=FAINT, lw=0.8)
        axes.set_axisbelow(True)
        return axes


def _draw_times(axes: Axes, rows: dict[str, list[float]], labels: Sequence[str]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_title("Time of each check, by verdict", loc="left", color=INK, fontsize=12.5, pad=9)
    for row, (word, seconds) in enumerate(rows.items()):
        # Three heights, so that points of the same time can be told apart.
        places = [row + 0.14 * (number % 3 - 1) for number in range(len(seconds))]
        axes.scatter(sorted(seconds), places, s=34, color=TONES[word], alpha=0.75, lw=0)
    axes.set_yticks(range(len(rows)), labels, color=INK)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xscale("log")
    every = [second for seconds in rows.values() for second in seconds]
    axes.set_xlim(min(every) / 2, max(every) * 2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g} s")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", bottom=False)


def _draw_shares(axes: Axes, shares: Sequence[Share], count: int) -> None:
    title = "What became of the cores of the original's proof"
    title += f" (the first {len(shares)} of {count} variants)" if count > len(shares) else ""
    axes.set_title(title, loc="left", color=INK, fontsize=12.5, pad=9)
    lefts = [0.0] * len(shares)
    for word, colour in SHARES.items():
        widths = [share.counts[word] / max(sum(share.counts.values()), 1) for share in shares]
        if any(widths):
            axes.barh(range(len(shares)), widths, left=lefts, color=colour, height=0.6, label=word)
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    axes.set_yticks(range(len(shares)), [share.name for share in shares], color=INK)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0.0, -0.4 / (0.34 * len(shares) + 0.25)),
        bbox_transform=axes.transAxes,
        ncols=len(SHARES),
        frameon=False,
        fontsize=10,
        labelcolor=MUTED,
        handlelength=1.0,
        handleheight=1.0,
        borderaxespad=0,
        borderpad=0,
    )


def _short(text: str) -> str:
    return text if len(text) <= 32 else f"{text[:31]}…"


def _described(rows: dict[str, list[float]], shares: Sequence[Share]) -> str:
    parts = [
        f"{len(seconds)} {word} in {min(seconds):.3g} to {max(seconds):.3g} s"
        for word, seconds in rows.items()
    ]
    text = f"Time of each check, by verdict: {'; '.join(parts)}."
    if shares:
        told = [
            f"{share.name}: {', '.join(f'{n} {word}' for word, n in share.counts.items() if n)}"
            for share in shares[:MOST_VARIANTS]
        ]
        text += f" Cores of the original's proof: {'; '.join(told)}."
    return text


def _for_page(svg: str) -> str:
    """Return an SVG file as an element of a page, in the colours of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 width="100%"', svg, count=1)
    names = {INK: "ink", MUTED: "muted", FAINT: "line"}
    names |= {colour: word for word, colour in TONES.items()}
    names |= {colour: word.replace(" ", "-") for word, colour in SHARES.items()}
    for colour, name in names.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg
