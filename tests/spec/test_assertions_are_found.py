# SPDX-License-Identifier: Apache-2.0
"""The line of a property that a counterexample is about is found, in both versions of VNN-LIB."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from verifier.errors import PropertyError
from verifier.spec.assertion_place import OutputAssertion
from verifier.spec.s_expression import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FIRST = """; (assert (<= Y_0 0))
(declare-const X_0 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)

(assert (>= X_0 -1))
(assert
  (<= X_0 1))
"""
SECOND = """(vnnlib-version <2.0>)
(declare-network f
    (declare-input X Real [1])
    (declare-output Y Real [2]))

(assert (>= X[0] -1))
(assert
  (<= X[0] 1))
"""
DISJUNCTION = """(assert (or
    (and (<= Y_0 Y_1))
    (and
      (>= Y_0 1)
      (<= X_0 0))
    (or (> Y_0 1)
        (< Y_1 0))
))
"""


def as_second(text: str) -> str:
    """Return assertions of version 1.0 as version 2.0 writes them."""
    for name in "XY":
        for index in (0, 1):
            text = text.replace(f"{name}_{index}", f"{name}[{index}]")
    return text


HEADS: dict[str, tuple[str, Callable[[str], str]]] = {
    "1.0": (FIRST, str),
    "2.0": (SECOND, as_second),
}
START = 9  # The line after either head.


def line(text: str, point: Sequence[object] | None = None) -> int | None:
    assertion = OutputAssertion.of(Source("p.vnnlib", text))
    if assertion is None:
        return None
    if point is None:
        return assertion.line(None)
    x, y0, y1 = (Fraction(str(value)) for value in point)
    return assertion.line(((x,), (y0, y1)))


@pytest.mark.parametrize("version", HEADS)
@pytest.mark.parametrize(
    ("asserted", "point", "expected"),
    [
        ("(assert (<= Y_0 Y_1))", (0, 0, 0), 0),
        ("\n\n(assert (<= Y_0 Y_1))\n(assert (<= Y_0 3))", (0, 0, 0), 2),
        ("(assert\n  (<= Y_0 Y_1))", (0, 0, 0), 1),
        (DISJUNCTION, None, 0),
        (DISJUNCTION, (0, 1, 1), 1),
        (DISJUNCTION, (0, 1, "0.99"), 2),
        (DISJUNCTION, ("1e-9", "1.01", 0), 5),
        (DISJUNCTION, (1, 0, "-1e-30"), 6),
        # The border is inside, as the reader has it.
        (DISJUNCTION, (1, "1.0000000000000000001", "1.0000000000000000001"), 1),
        (
            "(assert (or (and\n  (<= X_0 0) (<= Y_0 0))\n (and (>= X_0 0) (<= Y_0 0))))",
            (1, 0, 0),
            2,
        ),
        ("(assert (or (<= X_0 0.5)\n (<= X_0 1)))\n(assert (>= Y_1 0))", (1, 0, 0), 2),
    ],
)
def test_the_line_is_that_of_what_holds_at_the_counterexample(
    version: str, asserted: str, point: Sequence[object] | None, expected: int
) -> None:
    head, translated = HEADS[version]
    head = head.rstrip("\n") + "\n" * (START - head.rstrip("\n").count("\n") - 1)

    assert line(head + translated(asserted), point) == START + expected


def test_strict_bounds_of_inputs_exclude_their_ends() -> None:
    text = (
        FIRST + "(assert (or (and (< X_0 0) (<= Y_0 0))\n(and (> X_0 0) (<= Y_0 0))\n(<= Y_0 0)))"
    )
    start = text.count("\n") - 1

    assert [line(text, (x, 0, 0)) for x in (-1, 1, 0)] == [start, start + 1, start + 2]


def test_what_is_negated_is_one_place() -> None:
    text = FIRST + "(assert\n (not (or\n (<= Y_0 0)\n (<= Y_1 0))))"

    assert line(text, (0, 1, 1)) == FIRST.count("\n") + 2


def test_a_property_of_inputs_alone_has_no_assertion_over_outputs() -> None:
    assert line(FIRST) is None


def test_a_deep_assertion_needs_no_deep_stack() -> None:
    deep = "(and (<= Y_0 0) " * 900 + "(<= Y_0 0)" + ")" * 900
    text = f"{FIRST}(assert (or\n(<= Y_0 -1)\n{deep}))"

    assert line(text, (0, 0, 0)) == FIRST.count("\n") + 3


def test_a_text_that_is_malformed_has_no_place() -> None:
    with pytest.raises(PropertyError, match=r"p\.vnnlib:9:1: "):
        line(FIRST + "(assert")
