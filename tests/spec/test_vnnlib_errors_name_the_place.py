# SPDX-License-Identifier: Apache-2.0
"""Whatever the reader does not model is an error with file, line and column, and bounded."""

from __future__ import annotations

import gzip
import logging
import random
import time
from typing import TYPE_CHECKING

import pytest

from verifier.errors import PropertyError, UnsupportedError, VerifierError
from verifier.spec.reader_limits import ReaderLimits
from verifier.spec.vnnlib_reader import parse_vnnlib, read_vnnlib

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "(declare-const X_0 Real)(declare-const Y_0 Real)\n"
BOX = "(assert (>= X_0 -1))(assert (<= X_0 1))\n"


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("(assert (<= X_1 1))", 13, "'X_1' is not declared"),
        ("(assert (<= 1.2.3 1))", 13, "'1.2.3' is not a number"),
        ("(assert (<= 0x10 1))", 13, "'0x10' is not a number"),
        ("(assert (<= . 1))", 13, "'.' is not declared"),
        ("(assert (<= \u0661 1))", 13, "'\u0661' is not declared"),
        ("(assert (<= inf 1))", 13, "'inf' is not declared"),
        ("(assert (<= X_0))", 9, "'<=' needs at least 2 operands, here it has 1"),
        ("(assert (and))", 9, "'and' has no operands"),
        ("(assert (not true false))", 9, "'not' needs one operand, here it has 2"),
        ("(assert X_0)", 9, "'X_0' stands where a comparison is expected"),
        ("(assert)", 1, "'assert' needs one operand, here it has 0"),
        ("(assert true true)", 1, "'assert' needs one operand, here it has 2"),
        ("(assert (<= (/ X_0 0) 1))", 13, "division by zero"),
        ("(assert (<= (/ X_0) 1))", 13, "'/' needs at least 2 operands, here it has 1"),
        ("(assert (<= (-) 1))", 13, "'-' needs at least 1 operands, here it has 0"),
        ("(declare-const X_0 Real)", 16, "X_0 is declared twice"),
        ("(declare-const X_1)", 1, "'declare-const' needs a name and a sort"),
        ("(declare-const (X_1) Real)", 16, "the name of a constant is a symbol"),
        ("((assert true))", 1, "a command starts with its name"),
        ("()", 1, "a command starts with its name"),
        ("  X_0", 3, "'X_0' stands outside of parentheses"),
        ("(assert true))", 14, "this parenthesis closes nothing"),
        ("(assert (<= X_0 1)", 1, "this parenthesis is never closed"),
        ("(assert (<= X_0 1e9999))", 17, "the exponent of '1e9999' exceeds 1100"),
    ],
)
def test_malformed_text_is_refused_at_its_place(line: str, column: int, message: str) -> None:
    with pytest.raises(PropertyError) as raised:
        parse_vnnlib(f"{HEADER}; a comment (\n{line}", "p.vnnlib")

    assert str(raised.value).startswith(f"p.vnnlib:3:{column}: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("(assert (<= (* X_0 Y_0) 1))", 13, "a product of two terms with variables"),
        ("(assert (<= (/ 1 X_0) 1))", 13, "a quotient with a variable in its divisor"),
        ("(assert (<= (abs X_0) 1))", 13, "the operator 'abs' is not supported in a term"),
        ("(assert (<= ((+) X_0) 1))", 13, "a term without operator"),
        ("(assert (=> true false))", 9, "the operator '=>' is not supported in a formula"),
        ("(assert ((and) true))", 9, "this group is not supported in a formula"),
        ("(declare-const X_1 Int)", 20, "the only sort supported is Real"),
        ("(declare-const X_1 (Array))", 20, "the only sort supported is Real"),
        ("(declare-const Z_1 Real)", 16, "'Z_1' is neither an input"),
        ("(declare-const X_01 Real)", 16, "'X_01' is neither an input"),
        ("(declare-const X_9999999999 Real)", 16, "'X_9999999999' is neither an input"),
        ("(check-sat)", 1, "the command 'check-sat' is not supported"),
        ("(declare-network N)", 1, "the command 'declare-network' is not supported"),
        ("(vnnlib-version <2.0>)", 1, "the command 'vnnlib-version' is not supported"),
        ("(assert (<= |X_0| 1))", 13, "'|' starts a string or quoted symbol"),
    ],
)
def test_what_is_not_modelled_is_refused_at_its_place(line: str, column: int, message: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        parse_vnnlib(f"{HEADER}\n{line}", "p.vnnlib")

    assert str(raised.value).startswith(f"p.vnnlib:3:{column}: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p: declares no input X_0"),
        ("(declare-const X_0 Real)", "p: declares no output Y_0"),
        (HEADER + "(declare-const X_2 Real)", "p: input X_1 is not declared, but X_2 is"),
        (HEADER + "(declare-const Y_999999999 Real)", "p: output Y_1 is not declared, but"),
        (HEADER, "p: input X_0 has no lower bound"),
        (HEADER + "(assert (>= X_0 0))", "p: input X_0 has no upper bound"),
        (HEADER + "(assert (<= X_0 0))", "p: input X_0 has no lower bound"),
        (
            HEADER + "(assert (or (and (>= X_0 0) (<= X_0 1)) (>= X_0 0)))",
            "p: input X_0 has no upper bound",
        ),
    ],
)
def test_a_property_declares_and_bounds_every_input(text: str, message: str) -> None:
    with pytest.raises(PropertyError, match="^" + message):
        parse_vnnlib(text, "p")


def _product(factors: int) -> str:
    return "".join("(assert (or (<= Y_0 0) (>= Y_0 1)))" for _ in range(factors))


def _disjunction(conjunct: str, count: int) -> str:
    return f"(assert (and {' '.join([f'(or {conjunct} {conjunct})'] * count)}))"


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("(" * 100_000 + ")" * 100_000, "depth"),
        ("(assert " + "(not " * 100_000 + "true" + ")" * 100_000 + ")", "depth"),
        ("(assert (<= " + "(- " * 100_000 + "1" + ")" * 100_000 + " 1))", "depth"),
        ("(assert (<= X_0 1e999999999))", "exponent"),
        ("(assert (<= X_0 1e-" + "9" * 100_000 + "))", "exponent"),
        ("(assert (<= X_0 " + "1" * 100_000 + "))", "digits"),
        ("(assert (<= X_0 0." + "1" * 100_000 + "))", "digits"),
        ("(assert (<= X_0 (*" + " 1e1000" * 100_000 + ")))", "number_bits"),
        ("(assert (<= X_0 (/ 1" + " 1e1000" * 100_000 + ")))", "number_bits"),
        (
            "(assert (<= X_0 (+" + "".join(f" (/ 1 {n})" for n in range(1, 20_000)) + ")))",
            "number_bits",
        ),
        (_product(20), "cases"),
        (_product(20_000), "cases"),
        (_disjunction("(<= Y_0 0)", 10_000), "cases"),
    ],
)
def test_a_text_that_asks_for_too_much_is_refused_quickly(text: str, limit: str) -> None:
    start = time.perf_counter()

    with pytest.raises(PropertyError, match=rf"\(limit '{limit}'\)"):
        parse_vnnlib(HEADER + BOX + text)

    assert time.perf_counter() - start < 10


def test_a_deep_formula_within_the_limit_is_read() -> None:
    deep = "(not " * 20_000 + "(and " * 20_000 + "(<= Y_0 0)" + ")" * 40_000

    prop = parse_vnnlib(f"{HEADER}{BOX}(assert {deep})", limits=ReaderLimits(depth=50_000))

    assert len(prop.cases) == 1


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (ReaderLimits(tokens=10), "tokens"),
        (ReaderLimits(file_bytes=50), "file_bytes"),
        (ReaderLimits(expanded_size=3), "expanded_size"),
    ],
)
def test_each_limit_is_named_when_exceeded(
    limits: ReaderLimits, limit: str, tmp_path: Path
) -> None:
    path = tmp_path / "p.vnnlib"
    path.write_text(HEADER + BOX + _product(3), encoding="utf-8")

    with pytest.raises(PropertyError, match=rf"\(limit '{limit}'\)"):
        read_vnnlib(path, limits)


def test_limits_that_cannot_be_kept_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ReaderLimits(depth=0)
    with pytest.raises(ValueError, match="4000 digits"):
        ReaderLimits(digits=5000)


def test_boxes_count_towards_the_size(tmp_path: Path) -> None:
    several = " ".join(f"(and (>= X_0 0) (<= X_0 {n}))" for n in range(1, 9))
    path = tmp_path / "p.vnnlib"
    path.write_text(f"{HEADER}(assert (or {several}))", encoding="utf-8")

    assert len(read_vnnlib(path, ReaderLimits(expanded_size=16)).cases) == 8
    with pytest.raises(PropertyError, match=r"literals in cases \(limit 'expanded_size'\)"):
        read_vnnlib(path, ReaderLimits(expanded_size=15))


def test_compressed_text_is_read_and_a_bomb_is_not(tmp_path: Path) -> None:
    small, bomb = tmp_path / "p.vnnlib.gz", tmp_path / "bomb.vnnlib.gz"
    small.write_bytes(gzip.compress((HEADER + BOX).encode()))
    bomb.write_bytes(gzip.compress(b" " * 20_000_000))

    assert len(read_vnnlib(small).cases) == 1
    with pytest.raises(PropertyError, match="limit 'file_bytes'"):
        read_vnnlib(bomb, ReaderLimits(file_bytes=1_000_000))


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(gzip.compress(HEADER.encode())[:-9])
    latin = tmp_path / "latin.vnnlib"
    latin.write_bytes("; é".encode("latin-1"))

    for path, message in [
        (tmp_path / "absent", "cannot be read"),
        (tmp_path, "cannot be read"),
        (damaged, "cannot be read"),
        (latin, "not UTF-8 text"),
    ]:
        with pytest.raises(PropertyError, match=message) as raised:
            read_vnnlib(path)
        assert str(path) in str(raised.value)


def test_a_property_that_cannot_be_violated_has_no_cases(
    caplog: pytest.LogCaptureFixture,
) -> None:
    contradictions = [
        "(assert (>= X_0 2))",
        "(assert false)",
        "(assert (< 1 1))",
        "(assert (> X_0 1))",
        "(assert (or (< X_0 -1) (and (> X_0 0) (< X_0 0)) (not true)))",
    ]

    with caplog.at_level(logging.WARNING):
        for text in contradictions:
            assert parse_vnnlib(HEADER + BOX + text).cases == ()

    assert len(caplog.records) == len(contradictions)


@pytest.mark.slow
def test_damaged_files_raise_nothing_but_our_own_errors(data: Path) -> None:
    rng = random.Random(7)
    names = [
        "acasxu/vnnlib/prop_6.vnnlib",
        "test/vnnlib/test_small.vnnlib",
        "linearizenn/vnnlib/prop_50_50_3.vnnlib",
    ]
    texts = [(data / name).read_bytes().decode("utf-8") for name in names]
    alphabet = '()-+*/<>=.eE0189XY_ \n;|"\0\u00e9\u0661and or not true'
    limits = ReaderLimits(cases=1000)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(3000):
        damaged = list(rng.choice(texts))
        for _ in range(rng.randint(1, 4)):
            place, length = rng.randrange(len(damaged)), rng.choice([0, 1, 1, 8])
            damaged[place : place + length] = rng.choice(
                [rng.choice(alphabet), "", damaged[:8], ["(", "not", " "]]
            )
        try:
            parse_vnnlib("".join(damaged), limits=limits)
        except VerifierError:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1

    assert min(outcomes.values()) > 100, outcomes


@pytest.mark.slow
def test_damaged_bytes_raise_nothing_but_our_own_errors(data: Path, tmp_path: Path) -> None:
    rng = random.Random(8)
    plain = (data / "test/vnnlib/test_prop.vnnlib").read_bytes()
    path = tmp_path / "damaged"
    refused = 0
    for content in [plain, gzip.compress(plain)] * 300:
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            read_vnnlib(path)
        except VerifierError:
            refused += 1

    assert refused > 100
