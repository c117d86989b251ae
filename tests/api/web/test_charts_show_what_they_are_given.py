# SPDX-License-Identifier: Apache-2.0
"""Bars have the right places and lengths, and no value breaks a chart."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.charts import (
    Scale,
    Share,
    common_scale,
    interval_bar,
    picture,
    picture_shape,
    shares_bar,
    signed_bar,
)

floats = st.floats(allow_nan=True, allow_infinity=True)


def rectangles(svg: str) -> list[dict[str, str]]:
    """Return the rectangles of a chart, which has to be well-formed and without style."""
    root = ET.fromstring(svg)  # noqa: S314 - our own
    assert "style" not in {name for node in root.iter() for name in node.attrib}
    return [dict(node.attrib) for node in root]


def named(svg: str, name: str) -> list[tuple[float, float]]:
    """Return left end and width of the rectangles of a class."""
    found = [each for each in rectangles(svg) if each["class"] == name]
    return [(float(each["x"]), float(each["width"])) for each in found]


def test_a_positive_value_goes_right_from_zero_and_a_negative_one_left() -> None:
    scale = common_scale([-1.0, 3.0])

    assert named(signed_bar(3.0, scale, "original"), "original") == [(25.0, 75.0)]
    assert named(signed_bar(-1.0, scale, "original"), "original") == [(0.0, 25.0)]


def test_lengths_can_be_compared_across_bars_of_one_scale() -> None:
    scale = common_scale([2.0, 4.0])

    ((_, short),) = named(signed_bar(2.0, scale, "compressed"), "compressed")
    ((_, long),) = named(signed_bar(4.0, scale, "compressed"), "compressed")
    assert long == 2 * short


def test_a_value_stands_between_its_bounds() -> None:
    assert named(interval_bar(0.25, 0.0, 1.0), "mark") == [(24.0, 2.0)]
    assert named(interval_bar(0.0, 0.0, 1.0), "mark") == [(0.0, 2.0)]
    assert named(interval_bar(1.0, 0.0, 1.0), "mark") == [(98.0, 2.0)]


def test_a_value_whose_bounds_are_equal_stands_in_the_middle() -> None:
    assert named(interval_bar(5.0, 5.0, 5.0), "mark") == [(49.0, 2.0)]


@given(value=floats, lower=floats, upper=floats)
def test_no_value_leaves_the_canvas(value: float, lower: float, upper: float) -> None:
    charts = [interval_bar(value, lower, upper), signed_bar(value, Scale(lower, upper), "original")]

    for chart in charts:
        for each in rectangles(chart):
            left, width = float(each["x"]), float(each["width"])
            assert 0 <= left <= 100
            assert width >= 0
            assert left + width <= 101


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=6))
def test_shares_fill_the_bar_and_each_that_is_there_is_seen(counts: list[int]) -> None:
    shares = [Share(f"part-{number}", count) for number, count in enumerate(counts)]

    drawn = rectangles(shares_bar(shares))

    assert sum(float(each["width"]) for each in drawn) == pytest.approx(100, abs=0.05)
    if sum(counts):
        seen = [each["class"] for each in drawn]
        assert seen == [share.name for share in shares if share.count]
        assert all(float(each["width"]) >= 0.8 for each in drawn)


@pytest.mark.parametrize(
    ("count", "shape"),
    [
        (784, (1, 28, 28)),
        (64, (1, 8, 8)),
        (3072, (3, 32, 32)),
        (5, None),
        (49, None),
        (785, None),
        (64 * 64 * 64, None),
    ],
)
def test_pictures_are_square(count: int, shape: tuple[int, int, int] | None) -> None:
    assert picture_shape(count) == shape


def test_a_picture_is_brighter_where_numbers_are_greater() -> None:
    values = [0.0] * 63 + [1.0]

    drawn = rectangles(picture(values, Scale(0.0, 1.0), "a picture"))

    assert [each["fill"] for each in drawn] == ["#000000"] * 63 + ["#ffffff"]
    assert (drawn[-1]["x"], drawn[-1]["y"]) == ("7", "7")


def test_a_picture_in_colour_takes_channel_by_channel() -> None:
    values = [1.0] * 1024 + [0.0] * 1024 + [0.5] * 1024

    drawn = rectangles(picture(values, Scale(0.0, 1.0), "a picture"))

    assert {each["fill"] for each in drawn} == {"#ff0080"}


def test_a_title_cannot_leave_its_attribute() -> None:
    svg = picture([0.0] * 64, Scale(0.0, 1.0), '"><script>alert(1)</script>')

    assert ET.fromstring(svg).get("aria-label") == '"><script>alert(1)</script>'  # noqa: S314
    assert "<script" not in svg


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="5 numbers"):
        picture([0.0] * 5, Scale(0.0, 1.0), "none")


def test_a_scale_has_room_for_zero_and_leaves_out_what_is_not_finite() -> None:
    assert common_scale([2.0, math.inf, math.nan]) == Scale(0.0, 2.0)
    assert common_scale([]) == Scale(0.0, 0.0)
