# SPDX-License-Identifier: Apache-2.0
"""The standard's own reader takes the same texts, and finds the same declarations in them.

It differs on purpose in these points, which the texts here leave out or are cleared of: it does not
know the word ``Real`` of the standard's examples, reads no exponents, takes whole numbers for no
real ones, and lets an index be negative. It has no space after the parenthesis of a command, and
takes any word for an element type.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lacking import lacking
from tests.spec.query_texts import ONE, ONE_NAMES, TWO, TWO_NAMES, box, formulas
from verifier.errors import PropertyError, UnsupportedError
from verifier.spec.reader_limits import DEFAULT_LIMITS
from verifier.spec.s_expression import Source
from verifier.spec.vnnlib2_reader import parse_text
from verifier.spec.vnnlib_reader import parse_query
from verifier.spec.vnnlib_writer import write_query

if TYPE_CHECKING:
    from pathlib import Path

EXPONENT = re.compile(r"-?[0-9.]+[eE][+-]?[0-9]+")
TYPES = {
    "Real": "real",
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "BF16": "bfloat16",
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "C64": "complex64",
    "C128": "complex128",
    "Bool": "bool",
    **{f"F{kind.upper()}": f"float{kind}" for kind in ("8e4m3fn", "8e5m2", "4e2m1")},
    **{f"F{kind.upper()}": f"float{kind}" for kind in ("8e4m3fnuz", "8e5m2fnuz")},
}


@pytest.fixture(scope="module")
def reference() -> Any:
    try:
        import vnnlib
    except ImportError:
        lacking("the package vnnlib is not installed")
    return vnnlib


def declarations_there(reference: Any, text: str) -> list[Any] | None:
    """Return what the reference reader finds declared; nothing where it refuses the text."""
    try:
        query = reference.parse_query_string(text)
    except (reference.VNNLibException, UnicodeDecodeError):
        return None
    return [
        (
            network.name,
            [
                [(t.name, TYPES[t.dtype.name], tuple(t.shape)) for t in tensors]
                for tensors in (network.inputs, network.hidden, network.outputs)
            ],
        )
        for network in query.networks
    ]


def declarations_here(text: str) -> list[Any] | None:
    """Return the same of ours; a text that only lacks bounds is taken, too."""
    try:
        parsed = parse_text(Source("t", text), DEFAULT_LIMITS)
        parse_query(text)
    except UnsupportedError:
        pass
    except PropertyError as error:
        if not re.search("has no (lower|upper) bound", str(error)):
            return None
    return [
        (
            network.name,
            [
                [(t.name, t.element_type, t.shape) for t in tensors]
                for tensors in (network.inputs, network.hidden, network.outputs)
            ],
        )
        for network in parsed.networks
    ]


@pytest.mark.slow
def test_published_queries_are_read_alike(data: Path, reference: Any) -> None:
    paths = sorted({*data.glob("*/vnnlib2/*.vnnlib"), *data.glob("vnnlib2_examples/*/*.vnnlib")})
    refused = []
    for path in paths:
        text = path.read_text(encoding="utf-8").replace("Real [", "real [")
        text = EXPONENT.sub(lambda number: f"{Decimal(number[0]):f}", text)
        found = declarations_there(reference, text)
        if path.name == "initialized.vnnlib":  # Of version 2.1, which the reference does not know.
            assert found is None
            continue
        assert declarations_here(text) == found, path
        refused += [path.name] if found is None else []

    assert len(paths) > 100
    assert refused == ["monotonic_acasxu_instance_0.vnnlib"]


@pytest.mark.parametrize("word", sorted(set(TYPES.values())))
def test_every_element_type_is_known_to_both(word: str, reference: Any) -> None:
    text = ONE.replace("real", word) + "(assert (<= X[0,0] X[1,0]))"

    found = declarations_there(reference, text)

    assert found is not None
    assert declarations_here(text) == found


@pytest.mark.slow
@settings(max_examples=100)
@given(
    which=st.booleans(),
    asserted=st.data(),
    place=st.integers(0, 200),
    change=st.sampled_from(["keep", "drop", "double", "swap"]),
)
def test_damaged_texts_are_refused_by_both(
    which: bool, asserted: st.DataObject, place: int, change: str, reference: Any
) -> None:
    head, names = (ONE, ONE_NAMES) if which else (TWO, TWO_NAMES)
    text = f"{head}(assert {asserted.draw(formulas(names))})"
    words = re.findall(
        r"\((?:declare|vnnlib|isomorphic|assert)[a-z-]*|<2\.0>|-?[0-9.]+|\w+|[^\s\w]+", text
    )
    at = place % (len(words) - 1)
    if change == "drop":
        del words[at]
    elif change == "double":
        words.insert(at, words[at])
    elif change == "swap":
        words[at], words[at + 1] = words[at + 1], words[at]
    text = " ".join(words)

    assert declarations_here(text) == declarations_there(reference, text), text


@settings(max_examples=60)
@given(asserted=st.lists(formulas(TWO_NAMES), min_size=1, max_size=3))
def test_what_is_written_is_read_by_the_reference(asserted: list[str], reference: Any) -> None:
    text = TWO + box(TWO_NAMES[:4]) + "".join(f"(assert {formula})\n" for formula in asserted)
    query = parse_query(text)

    written = write_query(query)

    assert declarations_there(reference, written) == declarations_there(reference, text)
