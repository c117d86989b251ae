# SPDX-License-Identifier: Apache-2.0
"""What VNN-LIB 2.0 does not allow, or is not modelled, is an error with its place, and bounded."""

from __future__ import annotations

import gzip
import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.spec.query_texts import ONE, ONE_NAMES, TWO, box
from verifier.errors import PropertyError, UnsupportedError, VerifierError
from verifier.spec.reader_limits import ReaderLimits
from verifier.spec.vnnlib_reader import parse_query, parse_vnnlib, read_query

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "(vnnlib-version <2.0>)\n"
SECOND = TWO[TWO.index("(declare-network g") :].replace("\n", "")
HUGE = (
    "(declare-network g (declare-input A real [999999999,999999999]) (declare-output B real [1]))"
)
DAMAGE = ["", "(", ")", "[", "]", "0", ";", '"']


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("(assert (Y[0] < Y[1]))", 9, "the operator 'Y[0]' is not supported in a formula"),
        ("(assert (<= Y[2] 1.0))", 13, "index 2 of 'Y[2]' is beyond axis 0 of 2"),
        ("(assert (<= X[0] 1.0))", 13, "X has 2 axes, 'X[0]' 1 indices"),
        ("(assert (<= X 1.0))", 13, "X has 2 axes, 'X' 0 indices"),
        ("(assert (<= Y[-1] 1.0))", 13, "'-1' in 'Y[-1]' is not a number"),
        ("(assert (<= Y[0,] 1.0))", 13, "'' in 'Y[0,]' is not a number"),
        ("(assert (<= Z[0] 1.0))", 13, "'Z[0]' is not declared"),
        ("(assert (not (<= Y[0] 1.0)))", 9, "the operator 'not' is not supported in a formula"),
        ("(assert true)", 9, "'true' stands where a comparison is expected"),
        ("(assert (<= Y[0] 1.0 2.0))", 9, "'<=' needs 2 operands, here it has 3"),
        ("(assert (<= (/ Y[0] 2.0) 1.0))", 14, "'/' starts no word of VNN-LIB 2.0"),
        ("(assert (and))", 9, "'and' has no operands"),
        ("(assert (<= Y[0] .5))", 18, "'.' starts no word of VNN-LIB 2.0"),
        ("(assert (<= Y_é 1.0))", 15, "'é' starts no word of VNN-LIB 2.0"),
        ('(assert (<= Y[0] "1.0))', 18, "starts no word of VNN-LIB 2.0"),
        ("(assert)", 1, "'assert' needs one operand, here it has 0"),
        ("(declare-const X Real)", 1, "'declare' does not stand here"),
        ("(declare-input Z Real [1])", 1, "'declare-input' does not stand here"),
        (VERSION.strip(), 1, "'vnnlib-version' does not stand here"),
        ("(assert (<= Y[0] 1.0))(declare-network g)", 23, "'declare-network' does not stand here"),
        ("(declare-network)", 1, "the name of a network is a letter"),
        ("(declare-network f)", 1, "network f is declared twice"),
        ("(declare-network and)", 18, "the name of a network is a letter"),
        ("(declare-network g)", 1, "network g has no declare-input"),
        ("(declare-network g (declare-input A real [1]))", 1, "network g has no declare-output"),
        ("(declare-network g (declare-input X real [1]) (declare-output A real [1]))", 20, "X is"),
        (
            "(declare-network g (declare-output A real [1]) (declare-input B real [1]))",
            48,
            "equivalences first, then inputs",
        ),
        ("(declare-network g (declare-input A real))", 37, "a type has its shape in brackets"),
        ("(declare-network g (declare-input A float [1]))", 37, "'float' is no element type"),
        ("(declare-network g (declare-input A real [0]))", 37, "A has an axis of no entries"),
        ("(declare-network g (declare-input A))", 20, "'declare-input' needs name and type[shape]"),
        ("(declare-network g (declare-hidden A real [1]))", 20, "and a quoted node name"),
        ("(declare-network g (declare-hidden A real [1] n))", 47, "stands in quotes"),
        ("(declare-network g (like f))", 20, "'like' stands in a network"),
        (
            TWO[TWO.index("(declare-network g") :].replace("\n", "").replace("to f", "to h"),
            1,
            "h: no",
        ),
        (
            TWO[TWO.index("(declare-network g") :].replace("\n", ""),
            1,
            "the inputs differ in number",
        ),
    ],
)
def test_malformed_text_is_refused_at_its_place(line: str, column: int, message: str) -> None:
    with pytest.raises(PropertyError) as raised:
        parse_query(f"{ONE}{line}", "q.vnnlib")

    assert message in str(raised.value)
    assert str(raised.value).startswith(f"q.vnnlib:6:{column}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ONE.replace("<2.0>", "<3.0>"), "q:1:17: version <3.0> is not supported"),
        (ONE.replace("<2.0>", "2.0"), "q:1:1: the version is written as <2.0>"),
        (ONE.replace(VERSION, ""), r"q:1:1: the text starts with \(vnnlib-version <2.0>\)"),
        (VERSION, "q:2:1: the text ends, and there is no assertion"),
        (ONE, "q:6:1: the text ends, and there is no assertion"),
        (f"{VERSION}(assert (<= 1.0 2.0))", "'assert' does not stand here"),
        (f"{ONE}(assert (<= X[0,0] 1.0))", r"input X\[0,0\] has no lower bound"),
        (f"{ONE}(assert (<= Y[0] (* X[0,0] X[1,0])))", "q:6:18: a product of two terms"),
        (
            ONE.replace("X real", "X float32") + "(assert (<= 1.0 2.0))",
            "q:3:5: X is of type float32",
        ),
        (ONE.replace("[2,1]", "[2] initialized") + "(assert (<= 1.0 2.0))", "q:3:5: X takes its"),
    ],
)
def test_what_the_whole_text_lacks_is_named(text: str, message: str) -> None:
    with pytest.raises((PropertyError, UnsupportedError), match=message):
        parse_query(text, "q")


def test_equivalences_are_not_chained() -> None:
    third = TWO[TWO.index("(declare-network g") :]
    for old, new in ((" g", " h"), ("to f", "to g"), (" V", " P"), (" W", " Q")):
        third = third.replace(old, new)

    with pytest.raises(PropertyError, match="g has an equivalence itself; they cannot be chained"):
        parse_query(TWO + third)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("(assert " + "(and " * 1_000_000 + "(<= 1.0 2.0)" + ")" * 1_000_001, "depth"),
        ("(assert (<= " + "(- " * 1_000_000 + "1.0" + ")" * 1_000_001 + " 1.0)", "depth"),
        ("(assert (<= Y[0] 1" + "0" * 1_000_000 + "))", "digits"),
        ("(assert (<= Y[0] 1e999999999))", "exponent"),
        ("(assert (<= Y[0] (*" + " 1e1000" * 100_000 + ")))", "number_bits"),
        ("(assert (or (<= Y[0] 0.0) (>= Y[0] 1.0)))" * 20, "cases"),
        (HUGE, "entries"),
    ],
)
def test_a_text_that_asks_for_too_much_is_refused_quickly(text: str, limit: str) -> None:
    start = time.perf_counter()

    with pytest.raises(PropertyError, match=rf"\(limit '{limit}'\)"):
        parse_query(f"{ONE}{'' if 'declare' in text else box(ONE_NAMES[:2])}{text}")

    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(
    "text",
    ["X[" * 300_000, "X ;\n" * 300_000, "X" + " " * 1_000_000, "[" * 300_000, '"' * 300_000,
     "X[" + "0," * 300_000, "X[;" * 300_000, "1." * 300_000, "<2" * 300_000],
    ids=lambda text: text[:4],
)  # fmt: skip
def test_words_that_never_end_take_no_long_time(text: str) -> None:
    start = time.perf_counter()

    with pytest.raises(VerifierError):
        parse_query(f"{ONE}(assert (<= {text}")

    assert time.perf_counter() - start < 20


def test_compressed_queries_are_read_and_a_bomb_is_not(tmp_path: Path) -> None:
    small, bomb = tmp_path / "q.vnnlib.gz", tmp_path / "bomb.vnnlib.gz"
    small.write_bytes(gzip.compress((ONE + box(ONE_NAMES[:2])).encode()))
    bomb.write_bytes(gzip.compress(VERSION.encode() + b" " * 20_000_000))

    assert read_query(small).networks[0].name == "f"
    with pytest.raises(PropertyError, match="limit 'file_bytes'"):
        read_query(bomb, ReaderLimits(file_bytes=1_000_000))


def test_a_word_and_its_index_may_stand_apart() -> None:
    text = f"{ONE}{box(ONE_NAMES[:2])}(assert (<=Y ; an index (\n [ ; follows ]\n 1 ]0.5))"

    (case,) = parse_vnnlib(text).cases

    assert case.constraints[0].outputs == ((1, 1),)  # type: ignore[comparison-overlap]


@pytest.mark.slow
def test_damaged_texts_end_in_an_error_or_a_query() -> None:
    rng = random.Random(5)
    text = TWO + box(("X[0]", "X[1]", "V[0]", "V[1]")) + "(assert (or (< Y W) (!= Y 1.0)))"
    outcomes = set()
    for _ in range(1500):
        damaged = list(text)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randint(0, 2)] = rng.choice(
                ["", "(", ")", "[", "]", "0", ";", '"']
            )
        try:
            parse_query("".join(damaged))
            outcomes.add("query")
        except VerifierError as error:
            outcomes.add(type(error).__name__)

    assert outcomes >= {"query", "PropertyError"}
