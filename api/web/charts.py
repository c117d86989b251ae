# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG elements, without a word of style: colours come from classes in the style sheet.

Bars stand in cells of tables, which say the numbers; so a bar is hidden from those who are read to.
Each is drawn on a canvas of 100 by 10 that the page stretches to the width of its cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 100.0, 10.0
LEAST_VISIBLE = 0.6
MOST_PIXELS = 64 * 64


@dataclass(frozen=True)
class Share:
    """A part of a whole.

    Attributes:
        name: What it is; also its class in the style sheet.
        count: How much of it there is.
    """

    name: str
    count: int


@dataclass(frozen=True)
class Scale:
    """What part of the number line a chart shows; several charts can share one."""

    lower: float
    upper: float

    def at(self, value: float) -> float:
        """Return where a value is, in hundredths of the width, at the edge if it is beyond."""
        span = self.upper - self.lower
        if not math.isfinite(span) or span <= 0 or not math.isfinite(value):
            return WIDTH / 2
        return min(max((value - self.lower) / span, 0.0), 1.0) * WIDTH


def common_scale(values: Sequence[float]) -> Scale:
    """Return a scale with room for all values and for 0, so that lengths can be compared."""
    finite = [value for value in values if math.isfinite(value)]
    return Scale(min([0.0, *finite]), max([0.0, *finite]))


def interval_bar(value: float, lower: float, upper: float) -> Markup:
    """Draw where a value is between two bounds; a point where the bounds are equal."""
    svg = _canvas("chart-interval")
    _rectangle(svg, "track", 0.0, WIDTH, top=3.5, height=3.0)
    place = Scale(lower, upper).at(value)
    _rectangle(svg, "mark", min(max(place - 1.0, 0.0), WIDTH - 2.0), 2.0)
    return _markup(svg)


def signed_bar(value: float, scale: Scale, name: str) -> Markup:
    """Draw a value as a bar from 0, to the left where it is negative.

    Args:
        value: What to draw.
        scale: What the canvas stands for.
        name: The bar's class.
    """
    svg = _canvas("chart-signed")
    zero, place = scale.at(0.0), scale.at(value)
    left, right = min(zero, place), max(zero, place)
    if math.isfinite(value):
        _rectangle(svg, name, left, max(right - left, LEAST_VISIBLE), top=1.5, height=7.0)
    _rectangle(svg, "axis", min(max(zero - 0.15, 0.0), WIDTH - 0.3), 0.3)
    return _markup(svg)


def shares_bar(shares: Sequence[Share]) -> Markup:
    """Draw what a whole is made of; parts that are there at all are wide enough to be seen."""
    svg = _canvas("chart-shares")
    total = sum(share.count for share in shares)
    if total <= 0:
        _rectangle(svg, "track", 0.0, WIDTH)
        return _markup(svg)
    widths = [max(share.count / total, 0.01) if share.count > 0 else 0.0 for share in shares]
    left = 0.0
    for share, width in zip(shares, widths, strict=True):
        part = width / sum(widths) * WIDTH
        if part:
            _rectangle(svg, share.name, left, part)
        left += part
    return _markup(svg)


def picture_shape(count: int) -> tuple[int, int, int] | None:
    """Return channels, height and width if so many numbers can be a square picture.

    One channel from 8 x 8 on; three, channel by channel, from 16 x 16 on.
    """
    for channels, least in ((1, 8), (3, 16)):
        side = math.isqrt(count // channels)
        if side >= least and channels * side * side == count and side * side <= MOST_PIXELS:
            return channels, side, side
    return None


def picture(values: Sequence[float], scale: Scale, title: str) -> Markup:
    """Draw a picture of numbers, brighter where they are greater.

    Args:
        values: The numbers, channel by channel and row by row.
        scale: What is black, and what is white.
        title: What it shows, for those who cannot see it.

    Raises:
        ValueError: So many numbers are no picture.
    """
    shape = picture_shape(len(values))
    if shape is None:
        msg = f"{len(values)} numbers are not a square picture"
        raise ValueError(msg)
    channels, height, width = shape
    svg = ET.Element(
        "svg",
        {
            "class": "chart-picture",
            "viewBox": f"0 0 {width} {height}",
            "role": "img",
            "aria-label": title,
            "shape-rendering": "crispEdges",
        },
    )
    levels = [round(scale.at(value) / WIDTH * 255) for value in values]
    size = height * width
    for pixel in range(size):
        rgb = [levels[pixel + (channel % channels) * size] for channel in range(3)]
        row, column = divmod(pixel, width)
        place = {"x": str(column), "y": str(row), "width": "1", "height": "1"}
        ET.SubElement(svg, "rect", {**place, "fill": "#" + bytes(rgb).hex()})
    return _markup(svg)


def _canvas(name: str) -> ET.Element:
    return ET.Element(
        "svg",
        {
            "class": name,
            "viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}",
            "preserveAspectRatio": "none",
            "aria-hidden": "true",
            "focusable": "false",
        },
    )


def _rectangle(
    svg: ET.Element,
    name: str,
    left: float,
    width: float,
    *,
    top: float = 0.0,
    height: float = HEIGHT,
) -> None:
    place = {"x": left, "y": top, "width": width, "height": height}
    attributes = {key: f"{value:.2f}".rstrip("0").rstrip(".") for key, value in place.items()}
    ET.SubElement(svg, "rect", {"class": name, **attributes})


def _markup(svg: ET.Element) -> Markup:
    # The tree escapes what is in it.
    return Markup(ET.tostring(svg, encoding="unicode"))  # noqa: S704
