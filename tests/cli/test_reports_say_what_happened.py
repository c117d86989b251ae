# SPDX-License-Identifier: Apache-2.0
"""``verifier.report``: numbers in words."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.report import (
    break_even_variants,
    counterexample_text,
    lines,
    ratio_text,
    replay_text,
    seconds_text,
)
from verifier.spec.counterexample import Counterexample, Replay

TIMES = st.fractions(min_value=Fraction(1, 1000), max_value=1000)


def replay(*, is_violated: bool, inside_box: bool = True, problem: str = "") -> Replay:
    return Replay(
        runtime="onnxruntime 1.0",
        is_optimised=False,
        float_type="float32",
        input=(0.5,),
        output=(1.0,),
        inside_box=inside_box,
        is_violated=is_violated,
        deviation=0.0,
        problem=problem,
    )


@given(original=TIMES, reuse=TIMES, scratch=TIMES)
def test_break_even_is_the_first_number_of_variants_that_pays(
    original: Fraction, reuse: Fraction, scratch: Fraction
) -> None:
    # Exact numbers, so that the comparison below is exact too.
    number = break_even_variants(original, reuse, scratch)  # type: ignore[arg-type]

    if number is None:
        assert reuse >= scratch
    else:
        assert original + number * reuse <= number * scratch
        assert number == 1 or original + (number - 1) * reuse > (number - 1) * scratch


def test_a_counterexample_that_floats_do_not_confirm_is_called_a_disagreement() -> None:
    point = (Fraction(1, 3),)
    confirmed = Counterexample(point, point, (replay(is_violated=True),))
    disputed = Counterexample(point, point, (replay(is_violated=False),))

    assert "disagreement" not in counterexample_text(confirmed)
    assert "disagreement" in counterexample_text(disputed)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (replay(is_violated=True), "violated (onnxruntime 1.0, float32, graph as stored)"),
        (replay(is_violated=False, inside_box=False), "leaves the input set"),
        (replay(is_violated=False, problem="out of order"), "failed"),
    ],
)
def test_a_replay_says_how_it_went(run: Replay, expected: str) -> None:
    assert expected in replay_text(run)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.00123, "1.2 ms"), (0.0123, "12 ms"), (0.999, "999 ms"), (1.5, "1.50 s"), (321.4, "321 s")],
)
def test_durations_have_the_digits_that_matter(seconds: float, expected: str) -> None:
    assert seconds_text(seconds) == expected


@pytest.mark.parametrize(("ratio", "expected"), [(0.666, "0.7"), (4.54, "4.5"), (12.3, "12")])
def test_ratios_have_the_digits_that_matter(ratio: float, expected: str) -> None:
    assert ratio_text(ratio).rstrip("\N{MULTIPLICATION SIGN}") == expected


@given(st.lists(st.tuples(st.text("abc", max_size=20), st.text("x y", max_size=300))))
def test_no_line_of_a_report_is_wider_than_the_page(rows: list[tuple[str, str]]) -> None:
    widths = [len(line) for line in lines(rows).splitlines()]

    longest_word = max((len(word) for _, text in rows for word in text.split()), default=0)
    assert max(widths, default=0) <= max(100, 24 + longest_word)
