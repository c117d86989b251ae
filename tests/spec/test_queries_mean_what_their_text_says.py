# SPDX-License-Identifier: Apache-2.0
"""A query in VNN-LIB 2.0 is true where its text is, and is written as it was read."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spec import text_oracle
from tests.spec.query_texts import ONE, ONE_NAMES, TWO, TWO_NAMES, box, formulas
from verifier.errors import PropertyError, UnsupportedError
from verifier.spec.counterexample import violates
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.spec.query import NetworkDeclaration, Query, Tensor
from verifier.spec.vnnlib_reader import parse_query, parse_vnnlib, read_query, read_vnnlib
from verifier.spec.vnnlib_writer import write_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

grid = st.sampled_from([Fraction(n, 2) for n in range(-5, 6)] + [Fraction(1, 3)])


def _holds(text: str, names: tuple[str, ...], point: list[Fraction]) -> bool:
    values = dict(zip(names, point, strict=True))
    return all(text_oracle.holds(tree, values) for tree in text_oracle.assertions(text))


@pytest.mark.slow
@settings(max_examples=200)
@given(
    asserted=st.lists(formulas(ONE_NAMES), min_size=1, max_size=3),
    points=st.lists(st.lists(grid, min_size=4, max_size=4), min_size=10, max_size=20),
)
def test_formulas_of_version_2_mean_what_they_say(
    asserted: list[str], points: list[list[Fraction]]
) -> None:
    text = ONE + box(ONE_NAMES[:2]) + "".join(f"(assert {formula})\n" for formula in asserted)

    prop = parse_vnnlib(text)

    for point in points:
        assert violates(prop, point[:2], point[2:]) == _holds(text, ONE_NAMES, point)


@pytest.mark.slow
@settings(max_examples=200)
@given(
    equal=st.sampled_from(["(== X[0] V[0])", "(and (== X[0] V[0]) (== V[1] X[1]))", "(== X V)"]),
    asserted=st.lists(formulas(TWO_NAMES), min_size=1, max_size=2),
    points=st.lists(st.lists(grid, min_size=6, max_size=6), min_size=10, max_size=20),
)
def test_inputs_that_are_asserted_to_be_equal_are_one(
    equal: str, asserted: list[str], points: list[list[Fraction]]
) -> None:
    equal = "(== X[1] X[1])" if equal == "(== X V)" else equal
    text = TWO + box(TWO_NAMES[:4]) + "".join(f"(assert {f})\n" for f in (equal, *asserted))

    query = parse_query(text)

    for point in points:
        x: list[Fraction | None] = [None] * query.property.input_width
        agrees = True
        for entry, position in enumerate(query.shared):
            agrees &= x[position] in {None, point[entry]}
            x[position] = point[entry]
        inputs = [value for value in x if value is not None]
        expected = _holds(text, TWO_NAMES, point)
        # A point at which one input has two values is none of the property's; the text says no.
        assert (agrees and violates(query.property, inputs, point[4:])) == expected


@pytest.mark.parametrize(
    "asserted",
    [
        "(or (== X[0] V[0]) (== X[1] V[1]))",
        "(or (and (== X[0] V[0]) (< Y W)) (> Y W))",
        "(!= X[0] V[0])",
        "(<= X[0] V[0])",
        "(== X[0] (+ V[0] 0.0))",
        "(== Y W)",
    ],
)
def test_inputs_that_may_differ_stay_apart(asserted: str) -> None:
    query = parse_query(TWO + box(TWO_NAMES[:4]) + f"(assert {asserted})")

    assert list(query.shared) == [0, 1, 2, 3]


def test_equality_is_transitive() -> None:
    text = TWO + box(TWO_NAMES[:4]) + "(assert (and (== X[0] V[0]) (== V[1] V[0]) (== X[1] V[1])))"

    assert list(parse_query(text).shared) == [0, 0, 0, 0]


@pytest.mark.slow
@settings(max_examples=200)
@given(asserted=st.lists(formulas(TWO_NAMES), min_size=1, max_size=3))
def test_what_was_read_is_written_and_read_back_as_it_was(asserted: list[str]) -> None:
    text = TWO + box(TWO_NAMES[:4]) + "".join(f"(assert {formula})\n" for formula in asserted)
    query = parse_query(text)

    again = parse_query(write_query(query))

    assert again.property == query.property
    assert again.networks == query.networks
    assert list(again.shared) == list(query.shared)


def test_numbers_without_a_decimal_are_written_by_a_factor() -> None:
    third = Fraction(1, 3)
    constraint = LinearConstraint((), ((0, third), (1, Fraction(1))), Fraction(1, 7), strict=True)
    prop = Property(1, 2, (Case(InputBox((-third,), (third,)), (constraint,)),))
    network = NetworkDeclaration("f", (Tensor("X", "real", ()),), (), (Tensor("Y", "real", (2,)),))

    text = write_query(Query(2, (network,), (0,), prop))

    (case,) = parse_vnnlib(text).cases
    assert case.box == prop.cases[0].box
    ((first, second), bound) = case.constraints[0].outputs, case.constraints[0].bound
    assert (first[1] / bound, second[1] / bound) == (third * 7, Fraction(7))
    assert case.constraints[0].strict


def test_entries_count_in_row_major_order() -> None:
    text = ONE.replace("[2,1]", "[2,3]").replace("Y real [2]", "Y real [1,2,2]")
    bounds = "".join(
        f"(assert (and (>= X[{i},{j}] {3 * i + j}.0) (<= X[{i},{j}] {3 * i + j}.5)))"
        for i in range(2)
        for j in range(3)
    )

    (case,) = parse_vnnlib(text + bounds + "(assert (<= Y[0,1,1] 0.0))").cases

    assert list(map(int, case.box.lower)) == [0, 1, 2, 3, 4, 5]
    assert case.constraints[0].outputs == ((3, Fraction(1)),)


def test_several_tensors_count_in_the_order_of_declaration() -> None:
    text = """(vnnlib-version <2.0>) (declare-network f
        (declare-input A Real [2]) (declare-input B Real [])
        (declare-hidden H Real [2] "inner \\"one\\"")
        (declare-output C Real [2]) (declare-output D Real []))
        (assert (and (<= 0 A[0] ) (<= A[0] 1) (<= 2 A[1]) (<= A[1] 3) (<= 4 B) (<= B 5)))
        (assert (<= (+ D (* 2 H[1])) 1e-1))"""

    query = parse_query(text)

    (case,) = query.property.cases
    assert case.box == InputBox((0, 2, 4), (1, 3, 5))  # type: ignore[arg-type]
    assert case.constraints[0].outputs == ((2, Fraction(1)), (4, Fraction(2)))
    assert case.constraints[0].bound == Fraction(1, 10)
    assert [query.results.entry(i) for i in range(5)] == ["C[0]", "C[1]", "D", "H[0]", "H[1]"]
    assert query.networks[0].hidden[0].node_name == 'inner "one"'
    assert parse_query(write_query(query)) == query


def test_a_bound_that_follows_from_other_inputs_completes_the_box() -> None:
    asserted = """(assert (and (>= X[0] 0.0) (<= X[0] 1.0) (== X[1] V[1]) (>= X[1] 0) (<= V[1] 1)))
        (assert (and (<= X[0] V[0]) (<= V[0] (+ X[0] 0.5)) (< Y W)))"""

    (case,) = parse_query(TWO + asserted).property.cases

    assert case.box == InputBox((0, 0, 0), (1, 1, Fraction(3, 2)))  # type: ignore[arg-type]
    # What it follows from stays.
    assert sum(not constraint.outputs for constraint in case.constraints) == 2


def test_a_text_says_itself_which_version_it_is_in() -> None:
    first = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (and (>= X_0 0)(<= X_0 1)))"
    second = """; (declare-const
        (vnnlib-version <2.0>)(declare-network n (declare-input X_0 Real [])
        (declare-output Y_0 Real [])) (assert (and (>= X_0 0)(<= X_0 1)))"""

    assert parse_vnnlib(first) == parse_vnnlib(second)
    assert (parse_query(first).version, parse_query(second).version) == (1, 2)


def test_commands_for_one_network_refuse_what_speaks_of_more() -> None:
    text = TWO + box(TWO_NAMES[:4])
    hidden = ONE.replace("(declare-out", '(declare-hidden H real [1] "h") (declare-out')

    with pytest.raises(UnsupportedError, match=r"speaks of 2 networks; .*mucg4 verify"):
        parse_vnnlib(text)
    with pytest.raises(UnsupportedError, match="speaks of a hidden node, H; "):
        parse_vnnlib(hidden + box(ONE_NAMES[:2]))


@pytest.mark.slow
def test_both_versions_of_a_published_property_have_the_same_cases(data: Path) -> None:
    compared = 0
    for path in sorted(data.glob("*/vnnlib2/*.vnnlib")):
        first = path.parent.parent / "vnnlib" / path.name
        if first.exists():
            assert read_vnnlib(path) == read_vnnlib(first), path
            compared += 1

    assert compared > 60


def _queries(data: Path) -> Iterator[tuple[Path, Query]]:
    """Yield what can be read of the published files; the rest is named and says why."""
    unread = {
        "initialized": "A takes its value from the ONNX file",
        "mnist": "has no lower bound",
        "multiple_networks": "has no lower bound",
    }
    examples = sorted(data.glob("vnnlib2_examples/standard/*.vnnlib"))
    for path in (*sorted(data.glob("*/vnnlib*/**/*.vnnlib*")), *examples):
        if path in examples and path.stem in unread:
            with pytest.raises((PropertyError, UnsupportedError), match=unread.pop(path.stem)):
                read_query(path)
        elif path.is_file():
            yield path, read_query(path)
    assert not unread


@pytest.mark.long
def test_every_published_property_survives_writing(data: Path) -> None:
    written = 0
    for path, query in _queries(data):
        again = parse_query(write_query(query))

        assert again.property == query.property, path
        assert list(again.shared) == list(query.shared), path
        written += 1

    assert written > 250
