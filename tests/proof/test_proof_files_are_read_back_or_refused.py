# SPDX-License-Identifier: Apache-2.0
"""Proof files: what is written is read back; what is damaged is refused, whatever the damage."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, proofs
from verifier.errors import CorruptFileError, ProofMismatchError
from verifier.ir.graph import Neuron
from verifier.proof import store
from verifier.proof.literals import HalfSpace, Phase
from verifier.proof.muc import Core, Leaf, Multipliers, NeuronMultipliers
from verifier.proof.store import FORMAT, Proof, read_proof, write_proof
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path as FilePath

Document = dict[str, Any]
UNREADABLE = "not a readable proof file"

NEURONS = NeuronMultipliers(np.array([0, 2]), np.array([0.0, 1.0]), np.array([0.5, 0.0]))
NEURON = NeuronMultipliers(np.array([1]), np.array([0.25]), np.array([2.0]))
PHASE = Phase(Neuron(1, 1), active=False)
HALF = HalfSpace(1, -0.1, below=True)
HAND_MADE = Proof(
    "network",
    "property",
    (3, 2),
    Verdict.HOLDS,
    (
        Core(0, (PHASE, HALF), Multipliers(np.array([0.5, 0.0]), {0: NEURONS}, {PHASE[0]: 2.0}), 1),
        Core(1, (HALF.negated(),), None, math.inf),
        Core(1, (), None, 0.0),
    ),
    (
        Leaf((PHASE, HALF, Phase(Neuron(0, 2), active=True)), 0),
        Leaf((PHASE, HALF), 0, Multipliers(np.array([0.0, 1.0]), {1: NEURON}, {PHASE[0]: 0.5})),
        Leaf((), 2),
    ),
    None,
    1.5,
)
VIOLATED = Proof(
    "network", "property", (), Verdict.VIOLATED, (), (), (Fraction(1, 3), Fraction(-2)), 0.0
)


def document() -> Document:
    """Return the hand-made proof as JSON knows it, fresh."""
    written: Document = json.loads(json.dumps(store._document(HAND_MADE)))
    return written


def save(body: Any, path: FilePath, **outer: Any) -> FilePath:
    """Write a file around a body, with a valid checksum and format unless told otherwise."""
    text = json.dumps(body)
    whole = {"format": FORMAT, "sha256": hashlib.sha256(text.encode()).hexdigest(), "body": text}
    path.write_bytes(gzip.compress(json.dumps(whole | outer).encode()))
    return path


def assert_equal(left: Proof, right: Proof) -> None:
    assert store._document(left) == store._document(right)
    assert (left.network, left.prop, left.layer_widths) == (
        right.network,
        right.prop,
        right.layer_widths,
    )
    assert (left.verdict, left.point, left.seconds) == (right.verdict, right.point, right.seconds)
    for leaf, twin in zip(left.leaves, right.leaves, strict=True):
        assert (leaf.path, leaf.core) == (twin.path, twin.core)
        assert_equal_multipliers(leaf.multipliers, twin.multipliers)
    for one, other in zip(left.cores, right.cores, strict=True):
        assert (one.case, one.path, one.margin) == (other.case, other.path, other.margin)
        assert_equal_multipliers(one.multipliers, other.multipliers)


def assert_equal_multipliers(left: Multipliers | None, right: Multipliers | None) -> None:
    if left is None or right is None:
        assert left is right
        return
    assert np.array_equal(left.rows, right.rows)
    assert left.literals == right.literals
    assert left.layers.keys() == right.layers.keys()
    for layer, part in left.layers.items():
        other = right.layers[layer]
        assert np.array_equal(part.index, other.index)
        assert np.array_equal(part.alpha, other.alpha)
        assert np.array_equal(part.q, other.q)


@pytest.mark.parametrize("proof", [HAND_MADE, VIOLATED], ids=["holds", "violated"])
def test_a_proof_is_read_back_as_it_was(proof: Proof, tmp_path: FilePath) -> None:
    write_proof(proof, tmp_path / "proof")

    assert_equal(read_proof(tmp_path / "proof"), proof)


def test_proofs_of_searches_are_read_back_as_they_were(tmp_path: FilePath) -> None:
    for options in (ON_INPUTS, ON_PHASES):
        for number, (_, _, proof) in enumerate(proofs(4, options)):
            path = tmp_path / f"{number}"
            write_proof(proof, path)

            assert_equal(read_proof(path), proof)


def test_the_same_proof_makes_the_same_file(tmp_path: FilePath) -> None:
    for name in ("one", "two"):
        write_proof(HAND_MADE, tmp_path / name)

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_file_with_any_byte_changed_is_refused_or_reads_the_same(tmp_path: FilePath) -> None:
    """A few bytes of a gzip header say nothing of the content: time, system, compression level."""
    path = tmp_path / "proof"
    write_proof(HAND_MADE, path)
    whole = path.read_bytes()
    refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= (0x01, 0x80, 0xFF)[position % 3]
        path.write_bytes(damaged)
        try:
            proof = read_proof(path)
        except CorruptFileError:
            refused += 1
        else:
            assert_equal(proof, HAND_MADE)
    assert refused >= len(whole) - 10


def test_a_file_cut_off_anywhere_is_refused(tmp_path: FilePath) -> None:
    path = tmp_path / "proof"
    write_proof(HAND_MADE, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])

        with pytest.raises(CorruptFileError):
            read_proof(path)


def test_bytes_after_the_end_are_refused(tmp_path: FilePath) -> None:
    path = tmp_path / "proof"
    write_proof(HAND_MADE, path)
    path.write_bytes(path.read_bytes() + b"more")

    with pytest.raises(CorruptFileError):
        read_proof(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(b""),
        gzip.compress(b"not JSON"),
        gzip.compress(b"\xff\xfe"),
        gzip.compress(b"[]"),
        gzip.compress(b"1"),
        gzip.compress(b"{}"),
        gzip.compress(b"[" * 100_000),
        gzip.compress(json.dumps({"format": FORMAT}).encode()),
        gzip.compress(json.dumps({"format": FORMAT, "body": "{}", "sha256": 5}).encode()),
    ],
    ids=range(11),
)
def test_what_is_no_proof_file_is_refused(content: bytes, tmp_path: FilePath) -> None:
    path = tmp_path / "proof"
    path.write_bytes(content)

    with pytest.raises(CorruptFileError, match=UNREADABLE):
        read_proof(path)


def test_a_file_that_is_not_there_is_named(tmp_path: FilePath) -> None:
    with pytest.raises(CorruptFileError, match="nowhere"):
        read_proof(tmp_path / "nowhere")


def test_a_wrong_checksum_or_format_is_refused(tmp_path: FilePath) -> None:
    with pytest.raises(CorruptFileError, match="checksum does not match"):
        read_proof(save(document(), tmp_path / "proof", sha256="0" * 64))
    with pytest.raises(CorruptFileError, match="format 'mucg4-proof/0' is not 'mucg4-proof/1'"):
        read_proof(save(document(), tmp_path / "proof", format="mucg4-proof/0"))


def test_a_file_that_unpacks_to_too_much_is_refused(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_BYTES", 1000)
    path = tmp_path / "proof"
    path.write_bytes(gzip.compress(b" " * 1001))

    with pytest.raises(CorruptFileError, match="larger than 1000 bytes"):
        read_proof(path)


def put(*keys: Any, value: Any) -> Callable[[Document], None]:
    """Return an edit that replaces one value, wherever it is."""

    def edit(body: Document) -> None:
        place: Any = body
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return edit


FIRST = ("cores", 0)
LAYER = ("cores", 0, "layers", 0)
STEP = ("cores", 0, "path", 0)
CUT = ("cores", 0, "path", 1)
MASS = ("cores", 0, "masses", 0)
WRONG: list[tuple[Callable[[Document], None], str]] = [
    # Literals.
    (put(*STEP, value=["phase", 2, 0, True]), "no neuron 0 in layer 2"),
    (put(*STEP, value=["phase", 0, 3, True]), "no neuron 3 in layer 0"),
    (put(*STEP, value=["phase", 0, -1, True]), "not two integers"),
    (put(*STEP, value=["phase", -1, 0, True]), "not two integers"),
    (put(*STEP, value=["phase", 0, True, True]), "not two integers"),
    (put(*STEP, value=["phase", True, 0, True]), "not two integers"),
    (put(*STEP, value=["phase", 0, 1.0, True]), "not a literal"),
    (put(*STEP, value=["phase", 0, 1, 1]), "not a literal"),
    (put(*STEP, value=["phase", 0, 1]), "not a literal"),
    (put(*STEP, value=["phases", 0, 1, True]), "not a literal"),
    (put(*STEP, value="phase"), "not a literal"),
    (put(*STEP, value=None), "not a literal"),
    (put(*STEP, value=["phase", [0], 1, True]), "not a literal"),
    (put(*STEP, value={"phase": 0}), "not a literal"),
    (put(*CUT, value=["input", 1, math.inf, True]), "not a literal"),
    (put(*CUT, value=["input", 1, -math.inf, True]), "not a literal"),
    (put(*CUT, value=["input", 1, math.nan, True]), "not a literal"),
    (put(*CUT, value=["input", 1, 0, True]), "not a literal"),
    (put(*CUT, value=["input", 1, "0.5", True]), "not a literal"),
    (put(*CUT, value=["input", -1, 0.5, True]), "not a literal"),
    (put(*CUT, value=["input", True, 0.5, True]), "not a literal"),
    (put(*CUT, value=["input", 1, 0.5, "below"]), "not a literal"),
    (put(*CUT, value=["phase", 1, 1, True]), "decides a phase or a half-space twice"),
    (
        put("leaves", 0, 0, value=[["phase", 0, 1, a] for a in (True, False)]),
        "decides a phase or a half-space twice",
    ),
    (
        put("leaves", 0, 0, value=[["phase", 0, 1, True]] * 2),
        "decides a phase or a half-space twice",
    ),
    (put("leaves", 0, 0, value=[["input", 0, z, True] for z in (0.0, -0.0)]), "twice"),
    (put(*STEP, value=["input", 1, -0.1, False]), "decides a phase or a half-space twice"),
    (put(*FIRST, "path", value=5), "not iterable"),
    # Multipliers.
    (put(*FIRST, "rows", value=[-0.5, 0.0]), "a row has a negative weight"),
    (put(*FIRST, "rows", value=[math.nan, 0.0]), "finite"),
    (put(*FIRST, "rows", value=[math.inf, 0.0]), "finite"),
    (put(*FIRST, "rows", value=[0.1, 0.0]), "float32"),
    (put(*FIRST, "rows", value=[1e300, 0.0]), "float32"),
    (put(*FIRST, "rows", value=[[0.5], [0.0]]), "finite"),
    (put(*FIRST, "rows", value=0.5), "finite"),
    (put(*FIRST, "rows", value=["x"]), "could not convert"),
    (put(*FIRST, "rows", value=[[1.0], [1.0, 2.0]]), UNREADABLE),
    (put(*FIRST, "rows", value=None), "finite"),
    (put(*LAYER, 0, value=2), "no neuron 0 in layer 2"),
    (put(*LAYER, 0, value=-1), "not two integers"),
    (put(*LAYER, 0, value="0"), "not two integers"),
    (put(*LAYER, 1, value=[0, 3]), "no neuron 3 in layer 0"),
    (put(*LAYER, 1, value=[-1, 2]), "not two integers"),
    (put(*LAYER, 1, value=[0, 0.5]), "not two integers"),
    (put(*LAYER, 1, value=[False, True]), "not two integers"),
    (put(*LAYER, 1, value=[2, 0]), "ascending"),
    (put(*LAYER, 1, value=[2, 2]), "ascending"),
    (put(*LAYER, 1, value=[0, 1, 2]), "different lengths"),
    (put(*LAYER, 1, value=[10**30, 0]), UNREADABLE),
    (put(*LAYER, 1, value=[[0], [2]]), UNREADABLE),
    (put(*LAYER, 1, value=5), UNREADABLE),
    (put(*LAYER, 2, value=[0.0]), "different lengths"),
    (put(*LAYER, 2, value=[0.0, 1.5]), "out of range"),
    (put(*LAYER, 2, value=[0.0, -0.5]), "out of range"),
    (put(*LAYER, 2, value=[0.0, math.nan]), "finite"),
    (put(*LAYER, 3, value=[0.0, -1.0]), "out of range"),
    (put(*LAYER, 3, value=[0.0, math.inf]), "finite"),
    (put(*LAYER, value=[0, [0, 2], [0.0, 1.0]]), UNREADABLE),
    (put(*LAYER, value=[]), UNREADABLE),
    (put(*MASS, 0, value=2), "no neuron 1 in layer 2"),
    (put(*MASS, 1, value=2), "no neuron 2 in layer 1"),
    (put(*MASS, 1, value=True), "not two integers"),
    (put(*MASS, 1, value=0.5), "not two integers"),
    (put(*MASS, 2, value=-1.0), "mass is -1.0"),
    (put(*MASS, 2, value=math.nan), "mass is nan"),
    (put(*MASS, 2, value=math.inf), "finite"),
    (put(*MASS, 2, value=1e300), "float32"),
    (put(*MASS, 2, value="1"), UNREADABLE),
    (put(*MASS, value=[1, 1]), UNREADABLE),
    # Cores and leaves.
    (put(*FIRST, "margin", value=math.nan), "core's margin: nan"),
    (put(*FIRST, "margin", value=math.inf), "core's margin: inf"),
    (put(*FIRST, "margin", value=-1.0), "core's margin: -1.0"),
    (put(*FIRST, "margin", value="wide"), UNREADABLE),
    (put(*FIRST, "margin", value=[]), UNREADABLE),
    (put(*FIRST, "case", value=None), UNREADABLE),
    (put(*FIRST, "case", value=math.inf), UNREADABLE),
    (put(*FIRST, "case", value=math.nan), UNREADABLE),
    (put(*FIRST, value=[]), UNREADABLE),
    (put(*FIRST, value="core"), UNREADABLE),
    (put(*FIRST, value=7), UNREADABLE),
    (put("leaves", 1, 2, "rows", value=[-1.0, 0.0]), "a row has a negative weight"),
    (put("leaves", 1, 2, "layers", 0, 1, value=[2]), "no neuron 2 in layer 1"),
    (put("leaves", 1, 2, value=None), UNREADABLE),
    (put("leaves", 1, value=[None, 3, {}]), "core that does not exist"),
    (put("leaves", 0, 1, value=3), "core that does not exist"),
    (put("leaves", 0, 1, value=-1), "core that does not exist"),
    (put("leaves", 0, value=[[]]), UNREADABLE),
    (put("leaves", 0, value=5), UNREADABLE),
    (put("leaves", value=None), UNREADABLE),
    # The rest.
    (put("layer_widths", value=[3]), "no neuron 1 in layer 1"),
    (put("layer_widths", value=["many"]), UNREADABLE),
    (put("layer_widths", value=[1e999]), UNREADABLE),
    (put("verdict", value="unknown"), "verdict 'unknown'"),
    (put("verdict", value="maybe"), UNREADABLE),
    (put("verdict", value="violated"), "without a counterexample"),
    (put("verdict", value=[]), UNREADABLE),
    (put("point", value=["1/2"]), "with a counterexample"),
    (put("seconds", value=-1.0), "seconds"),
    (put("seconds", value=math.nan), "seconds"),
    (put("seconds", value=[]), UNREADABLE),
    (lambda body: body.pop("network"), "network"),
    (lambda body: body.pop("cores"), "cores"),
]


@pytest.mark.parametrize(("edit", "message"), WRONG, ids=range(len(WRONG)))
def test_a_proof_with_wrong_content_and_a_right_checksum_is_refused(
    edit: Callable[[Document], None], message: str, tmp_path: FilePath
) -> None:
    body = document()
    edit(body)

    with pytest.raises(CorruptFileError, match=message):
        read_proof(save(body, tmp_path / "proof"))


@pytest.mark.parametrize("point", [["1/0"], ["x"], [None], [math.nan], [math.inf], 5, ["1e"], [[]]])
def test_a_counterexample_that_is_no_point_is_refused(point: Any, tmp_path: FilePath) -> None:
    body = json.loads(json.dumps(store._document(VIOLATED))) | {"point": point}

    with pytest.raises(CorruptFileError):
        read_proof(save(body, tmp_path / "proof"))


@pytest.mark.parametrize("body", [[], 5, None, "holds", {}])
def test_a_body_that_is_no_proof_is_refused(body: Any, tmp_path: FilePath) -> None:
    with pytest.raises(CorruptFileError):
        read_proof(save(body, tmp_path / "proof"))


def test_a_proof_of_another_property_or_network_is_a_mismatch() -> None:
    (graph, prop, proof), (other, another, _) = proofs(2, ON_INPUTS)

    proof.check_property(prop)
    proof.check_original(graph)
    with pytest.raises(ProofMismatchError, match="prove this property first"):
        proof.check_property(another)
    with pytest.raises(ProofMismatchError, match="give the original it belongs to"):
        proof.check_original(other)
