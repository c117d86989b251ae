# SPDX-License-Identifier: Apache-2.0
"""What the reader makes of a text is true at a point exactly where the text is."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spec import text_oracle
from verifier.errors import PropertyError
from verifier.spec.counterexample import violates
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.spec.vnnlib_reader import parse_vnnlib, read_vnnlib
from verifier.spec.vnnlib_writer import write_vnnlib

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
INPUTS, OUTPUTS = 2, 2
NAMES = [f"X_{i}" for i in range(INPUTS)] + [f"Y_{j}" for j in range(OUTPUTS)]
HEADER = "".join(f"(declare-const {name} Real)\n" for name in NAMES)
BOX = "".join(f"(assert (>= X_{i} -2))(assert (<= X_{i} 2))\n" for i in range(INPUTS))

numerals = st.sampled_from(
    ["0", "1", "-1", "2", "0.5", "-1.50", "1e-1", "+2E0", "(- 1)", "(/ 1 3)"]
)
atoms = st.sampled_from(NAMES) | numerals
scaled = st.builds("(* {} {})".format, numerals, atoms) | st.builds(
    "(* {} {})".format, atoms, numerals
)
divided = st.builds("(/ {} {})".format, atoms, st.sampled_from(["2", "-3", "(- 0.5)"]))


def _nested_terms(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=3).map(" ".join)
    return st.builds("({} {})".format, st.sampled_from("+-"), several)


def _nested_formulas(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=3).map(" ".join)
    return st.builds("({} {})".format, st.sampled_from(["and", "or"]), several) | inner.map(
        "(not {})".format
    )


terms = st.recursive(atoms | scaled | divided, _nested_terms, max_leaves=4)
comparisons = st.builds(
    "({} {})".format,
    st.sampled_from(["<=", ">=", "<", ">", "="]),
    st.lists(terms, min_size=2, max_size=3).map(" ".join),
)
formulas = st.recursive(
    comparisons | st.sampled_from(["true", "false"]), _nested_formulas, max_leaves=8
)
# Bounds on single inputs, whose ties with the box and with each other decide on strictness.
input_bounds = st.builds(
    "({} {} {})".format,
    st.sampled_from(["<=", ">=", "<", ">", "="]),
    st.sampled_from(["X_0", "X_1"]),
    st.sampled_from(["-2", "0", "2"]),
)
input_formulas = st.recursive(input_bounds | st.just("(<= Y_0 0)"), _nested_formulas, max_leaves=8)
ends = [Fraction(n) for n in (-2, 0, 2)]
corners = [[a, b, c, Fraction(0)] for a in ends for b in ends for c in (Fraction(0), Fraction(1))]

rationals = st.fractions(-3, 3, max_denominator=2000) | st.sampled_from(
    [
        Fraction(0),
        Fraction(1, 10**9),
        Fraction(-7, 10**30),
        Fraction(1, 2**1074),
        Fraction(1, 2**2000),
    ]
)
coefficients = (st.sampled_from([Fraction(1), Fraction(-1)]) | rationals).filter(bool)


@st.composite
def written_properties(draw: st.DrawFn) -> Property:
    """Draw a property with any numbers, in the form that the reader gives."""
    boxes = []
    for _ in range(draw(st.integers(1, 2))):
        sides = [sorted([draw(rationals), draw(rationals)]) for _ in range(INPUTS)]
        boxes.append(InputBox(tuple(a for a, _ in sides), tuple(b for _, b in sides)))
    cases = []
    for _ in range(draw(st.integers(0, 3))):
        constraints = []
        for _ in range(draw(st.integers(0, 3))):
            outputs = draw(st.dictionaries(st.integers(0, OUTPUTS - 1), coefficients))
            inputs = draw(st.dictionaries(st.integers(0, INPUTS - 1), coefficients))
            if not outputs and len(inputs) < 2:
                outputs = {0: Fraction(-1)}  # A bound on one input would become part of the box.
            bound = draw(rationals)
            parts = (tuple(sorted(inputs.items())), tuple(sorted(outputs.items())), bound)
            constraints.append(LinearConstraint(*parts, strict=draw(st.booleans())))
        cases.append(Case(draw(st.sampled_from(boxes)), tuple(constraints)))
    return Property(INPUTS, OUTPUTS, tuple(cases))


grid = st.sampled_from([Fraction(n, 2) for n in range(-6, 7)] + [Fraction(1, 3), Fraction(1, 10)])
points = st.lists(grid, min_size=len(NAMES), max_size=len(NAMES))


def _agree(prop: Property, text: str, x: list[Fraction], y: list[Fraction]) -> bool:
    values = {f"X_{i}": v for i, v in enumerate(x)} | {f"Y_{j}": v for j, v in enumerate(y)}
    expected = all(text_oracle.holds(tree, values) for tree in text_oracle.assertions(text))
    return violates(prop, x, y) == expected


@pytest.mark.slow
@settings(max_examples=300)
@given(asserted=st.lists(formulas, max_size=3), points=st.lists(points, min_size=10, max_size=20))
def test_nested_formulas_mean_what_they_say(
    asserted: list[str], points: list[list[Fraction]]
) -> None:
    text = HEADER + BOX + "".join(f"(assert {formula})\n" for formula in asserted)

    prop = parse_vnnlib(text)

    for point in points:
        assert _agree(prop, text, point[:INPUTS], point[INPUTS:])


@pytest.mark.slow
@settings(max_examples=200)
@given(asserted=st.lists(formulas, max_size=3), points=st.lists(points, min_size=5, max_size=10))
def test_writing_a_property_keeps_its_meaning(
    asserted: list[str], points: list[list[Fraction]]
) -> None:
    prop = parse_vnnlib(HEADER + BOX + "".join(f"(assert {formula})\n" for formula in asserted))

    again = parse_vnnlib(write_vnnlib(prop))

    assert len(again.cases) == len(prop.cases)
    for point in points:
        x, y = point[:INPUTS], point[INPUTS:]
        assert violates(again, x, y) == violates(prop, x, y)


@pytest.mark.slow
@settings(max_examples=300)
@given(outer=st.lists(input_formulas, max_size=2), inner=input_formulas)
def test_bounds_on_inputs_keep_their_strictness(outer: list[str], inner: str) -> None:
    text = HEADER + BOX + "".join(f"(assert {formula})\n" for formula in (*outer, inner))

    prop = parse_vnnlib(text)

    for point in corners:
        assert _agree(prop, text, point[:INPUTS], point[INPUTS:])


@pytest.mark.slow
@settings(max_examples=300)
@given(prop=written_properties())
def test_written_properties_are_read_back_as_they_were(prop: Property) -> None:
    assert parse_vnnlib(write_vnnlib(prop)) == prop


def test_numbers_too_long_for_the_reader_are_not_written() -> None:
    for number in (Fraction(10) ** 2000, Fraction(1, 3**3000), Fraction(1, 2**5000)):
        box = InputBox((Fraction(0),), (number,))

        with pytest.raises(PropertyError, match="more than 1100 digits"):
            write_vnnlib(Property(1, 1, (Case(box, ()),)))


@settings(max_examples=300)
@given(formula=formulas | input_formulas)
def test_equal_boxes_are_one_object(formula: str) -> None:
    prop = parse_vnnlib(f"{HEADER}{BOX}(assert {formula})")

    boxes = [case.box for case in prop.cases]

    assert len({id(box) for box in boxes}) == len(set(boxes))


def _files(data: Path) -> Iterator[Path]:
    files = sorted(path for path in data.glob("*/vnnlib/**/*.vnnlib*") if path.is_file())
    assert files, f"{data} has no property files"
    return iter(files)


@pytest.mark.slow
def test_every_published_property_means_what_its_text_says(data: Path) -> None:
    rng = random.Random(1)
    checked = violations = 0
    for path in _files(data):
        prop = read_vnnlib(path)
        trees = text_oracle.assertions(path.read_text(encoding="utf-8"))
        thresholds = sorted(set().union(*map(text_oracle.numerals, trees)))
        for _ in range(max(3, 300 // prop.input_width)):
            x, y = _point(rng, prop, thresholds)
            values = {f"X_{i}": v for i, v in enumerate(x)}
            values |= {f"Y_{j}": v for j, v in enumerate(y)}
            expected = all(text_oracle.holds(tree, values) for tree in trees)
            assert violates(prop, x, y) == expected, f"{path} at {values}"
            checked += 1
            violations += expected

    # Both answers must occur often, or the comparison says little.
    assert violations > checked // 20
    assert checked - violations > checked // 20


def _point(
    rng: random.Random, prop: Property, thresholds: list[Fraction]
) -> tuple[list[Fraction], list[Fraction]]:
    """Return a point in or just outside of a case's box, often on its border, with tied outputs."""
    box = rng.choice(prop.cases).box
    shares = [Fraction(0), Fraction(1), Fraction(1, 3)]
    x = [
        low + rng.choice(shares) * (high - low)
        for low, high in zip(box.lower, box.upper, strict=True)
    ]
    if rng.random() < 0.2:
        x[rng.randrange(len(x))] += rng.choice([-1, 1]) * Fraction(1, 10**20)
    near = [rng.choice(thresholds) + rng.choice([-1, 0, 0, 1]) * Fraction(1, 10**9)]
    levels = [*near, Fraction(rng.randint(-300, 300)), Fraction(rng.randint(-3, 3))]
    return x, [rng.choice(levels) for _ in range(prop.output_width)]


@pytest.mark.slow
def test_published_properties_survive_writing_unchanged(data: Path) -> None:
    for path in _files(data):
        prop = read_vnnlib(path)

        assert parse_vnnlib(write_vnnlib(prop)) == prop, path
