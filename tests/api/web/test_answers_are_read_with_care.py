# SPDX-License-Identifier: Apache-2.0
"""An answer may have any shape; what is not as expected is not shown, and nothing takes long."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.comparison import show_comparison
from api.web.counterexample_view import show_counterexample
from api.web.results import Verification, read_answer, rounded
from tests.api.web.answers import classified, counterexample, proved, reuse

if TYPE_CHECKING:
    from collections.abc import Callable

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(numerator=st.integers(-(10**60), 10**60), denominator=st.integers(1, 10**60))
def test_a_rational_is_rounded_well(numerator: int, denominator: int) -> None:
    value = rounded(f"{numerator}/{denominator}")

    assert value == pytest.approx(float(Fraction(numerator, denominator)), rel=1e-14, abs=1e-300)


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3.0), ("-1/4", -0.25), (0.5, 0.5), (f"1{'0' * 99999}/2{'0' * 99999}", 0.5)],
)
def test_exact_numbers_of_any_length_are_read(text: object, value: float) -> None:
    assert rounded(text) == value


@pytest.mark.parametrize("text", ["1e999999999", "1/0", "", "NaN", "1/2/3", None, True, "0x10"])
def test_what_is_no_rational_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"rational|denominator"):
        rounded(text)


def test_numbers_beyond_floats_are_infinite_or_zero() -> None:
    assert rounded("9" * 5000) == float("inf")
    assert rounded(f"1/{'9' * 5000}") == 0.0


@given(
    st.sampled_from(["verdict", "counterexample", "reuse", "seconds", "semantics", "not_written"]),
    json_values,
)
def test_any_field_may_be_anything(field: str, value: Any) -> None:
    answer = proved("violated", counterexample=counterexample(), reuse=reuse()) | {field: value}

    read = read_answer(Verification, answer)

    assert read is None or isinstance(read, Verification)


def damaged(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    found = counterexample()
    change(found)
    return proved("violated", counterexample=found)


def test_a_counterexample_with_too_few_bounds_shows_what_it_has() -> None:
    answer = damaged(lambda found: found["violated"].update(lower=[0.0], upper=[]))

    read = read_answer(Verification, answer)

    assert read is not None
    assert read.counterexample is not None
    assert show_counterexample(read.counterexample).inputs == []


def test_an_original_output_of_another_width_is_not_shown() -> None:
    answer = damaged(lambda found: found.update(original_output=["1"]))

    read = read_answer(Verification, answer)

    assert read is not None
    assert read.counterexample is not None
    assert [row.original for row in show_counterexample(read.counterexample).outputs] == [None] * 2


def test_square_inputs_are_shown_as_pictures() -> None:
    read = read_answer(Verification, proved("violated", counterexample=counterexample(784)))

    assert read is not None
    assert read.counterexample is not None
    shown = show_counterexample(read.counterexample)
    assert shown.pictures is not None
    assert shown.pictures.side == 28
    assert shown.pictures.lower is not None
    assert not shown.inputs


def test_a_comparison_has_bars_for_each_layer() -> None:
    shown = show_comparison(classified())

    assert shown is not None
    assert shown.has_bounds
    assert [layer.told.name for layer in shown.layers] == ["relu_1/in"]
    assert [kind for kind, _ in shown.kinds] == ["unchanged", "perturbed"]


def test_a_comparison_that_is_none_is_not_shown() -> None:
    assert show_comparison({"layers": "many"}) is None
    assert show_comparison(None) is None
