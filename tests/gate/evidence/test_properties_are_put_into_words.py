# SPDX-License-Identifier: Apache-2.0
"""The words say of the output what the text in VNN-LIB says, the other way round."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from tests.cli.running import property_text
from verifier.gate.evidence.property_words import MOST_LINES, MOST_SETS, decimal, in_words
from verifier.spec.property import Property
from verifier.spec.vnnlib_reader import parse_vnnlib, read_vnnlib

if TYPE_CHECKING:
    from pathlib import Path

BOX = "For all inputs with -1 ≤ X_0 ≤ 1, -1 ≤ X_1 ≤ 1:"


def demand(condition: str, outputs: int = 4) -> str:
    text = property_text(condition, inputs=2, outputs=outputs)
    first, *rest = in_words(parse_vnnlib(text))
    assert first == BOX
    return " ".join(rest)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("(>= Y_0 1.5)", "Y_0 < 1.5."),
        ("(<= Y_0 1.5)", "Y_0 > 1.5."),
        ("(>= Y_0 Y_1)", "Y_1 > Y_0."),
        ("(< Y_0 0.25)", "Y_0 ≥ 0.25."),
        ("(<= (+ Y_0 (* 2 Y_1)) 3)", "Y_0 + 2 · Y_1 > 3."),
        ("(<= Y_0 (+ Y_1 3))", "Y_0 > Y_1 + 3."),
        ("(or (>= Y_0 1) (<= Y_0 -1))", "Y_0 < 1, and Y_0 > -1."),
        ("(and (>= Y_0 1) (>= Y_1 1))", "it never happens that Y_0 ≥ 1 and Y_1 ≥ 1."),
        (
            "(or (and (>= Y_0 1) (>= Y_1 1)) (and (>= Y_2 1)))",
            "it never happens that Y_0 ≥ 1 and Y_1 ≥ 1; nor that Y_2 ≥ 1.",
        ),
        ("(>= (+ Y_0 X_1) 2)", "Y_0 + X_1 < 2."),
    ],
)
def test_a_condition_is_negated(condition: str, words: str) -> None:
    assert demand(condition) == words


OTHERS = (0, 1, 3)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            f"(and {' '.join(f'(<= Y_{j} Y_2)' for j in OTHERS)})",
            "output Y_2 is never the largest, not even jointly.",
        ),
        (
            f"(and {' '.join(f'(<= Y_2 Y_{j})' for j in OTHERS)})",
            "output Y_2 is never the smallest, not even jointly.",
        ),
        (
            f"(or {' '.join(f'(<= Y_2 Y_{j})' for j in OTHERS)})",
            "output Y_2 is the largest of all, and no other equals it.",
        ),
        (
            f"(or {' '.join(f'(<= Y_{j} Y_2)' for j in OTHERS)})",
            "output Y_2 is the smallest of all, and no other equals it.",
        ),
    ],
)
def test_an_output_that_is_compared_with_all_others_is_named(condition: str, words: str) -> None:
    assert demand(condition) == words


@pytest.mark.parametrize(
    "condition",
    [
        "(and (<= Y_0 Y_2) (<= Y_1 Y_2))",
        "(and (<= Y_0 Y_2) (<= Y_1 Y_2) (<= Y_3 (+ Y_2 1)))",
        "(and (<= Y_0 Y_2) (<= Y_1 Y_2) (< Y_3 Y_2))",
        "(and (<= Y_0 Y_2) (<= Y_1 Y_2) (<= (* 2 Y_3) Y_2))",
    ],
)
def test_what_is_nearly_that_is_not_called_so(condition: str) -> None:
    assert "largest" not in demand(condition)
    assert demand(condition).startswith("it never happens that Y_0 ≤ Y_2 and ")


def test_a_fixed_input_is_equal_to_its_value() -> None:
    text = property_text("(>= Y_0 1)", inputs=2).replace("(<= X_1 1.0)", "(<= X_1 -1.0)")

    assert in_words(parse_vnnlib(text))[0] == "For all inputs with -1 ≤ X_0 ≤ 1, X_1 = -1:"


def test_many_inputs_are_summarised() -> None:
    text = property_text("(>= Y_0 1)", inputs=784).replace("(<= X_7 1.0)", "(<= X_7 -1.0)")

    words = in_words(parse_vnnlib(text))[0]

    assert "each of the 784 values X_0 to X_783 in an interval of its own" in words
    assert "all intervals lie in [-1, 1]" in words
    assert "the narrowest is 0 wide, the median 2, the widest 2; 1 values are fixed" in words


def test_each_input_set_has_its_demand_and_many_are_cut() -> None:
    boxes = [f"(and (>= X_0 {n}) (<= X_0 {n}.5) (>= Y_0 {n}))" for n in range(MOST_SETS + 2)]
    text = (
        "(declare-const X_0 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)"
        f"(assert (or {' '.join(boxes)}))"
    )

    words = in_words(parse_vnnlib(text))

    assert words[2:4] == ("For all inputs with 1 ≤ X_0 ≤ 1.5:", "Y_0 < 1.")
    assert words[-1] == "… and so on: 2 more input sets."


def test_many_conditions_are_cut_and_that_is_said() -> None:
    several = " ".join(f"(>= Y_0 {n + 2})" for n in range(MOST_LINES + 3))

    assert demand(f"(or {several})").endswith("… and 3 more.")


def test_a_property_that_nothing_violates_is_told() -> None:
    (words,) = in_words(Property(1, 1, ()))

    assert "holds for every input" in words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(5, 2), "2.5"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(100), "100"),
        (Fraction(1, 3), "≈ 0.333333333333"),
        (Fraction("3.991125645861615"), "3.991125645861615"),
        (Fraction(1, 10**30), "1e-30"),
        (Fraction(10**20), "1e+20"),
        (Fraction(10**400), "1e+400"),
    ],
)
def test_numbers_are_exact_or_say_that_they_are_not(value: Fraction, text: str) -> None:
    assert decimal(value) == text


def test_the_properties_of_acas_xu_read_as_they_are_known(data: Path) -> None:
    folder = data / "acasxu" / "vnnlib"

    words = [in_words(read_vnnlib(folder / f"prop_{number}.vnnlib")) for number in (1, 2, 3)]

    assert words[0][0].startswith("For all inputs with 0.6 ≤ X_0 ≤ 0.679857769, -0.5 ≤ X_1 ≤ 0.5,")
    assert words[0][1] == "Y_0 < 3.991125645861615."
    assert words[1][1] == "output Y_0 is never the largest, not even jointly."
    assert words[2][1] == "output Y_0 is never the smallest, not even jointly."
