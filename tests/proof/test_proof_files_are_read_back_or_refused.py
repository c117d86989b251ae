# SPDX-License-Identifier: Apache-2.0
"""Proof files: what is written is read back; what is damaged is refused, whatever the damage."""

from __future__ import annotations

import gzip
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.proof.arbitrary_proofs import arbitrary_proofs
from tests.proof.proof_files import (
    HAND_MADE,
    VIOLATED,
    Columns,
    Head,
    assert_equal,
    document,
    save,
)
from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, proofs
from verifier.errors import CorruptFileError, ProofMismatchError
from verifier.proof import columns as columns_module
from verifier.proof import store
from verifier.proof.literals import Phase
from verifier.proof.store import ALL_COLUMNS, FORMAT, Proof, read_proof, write_proof

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from verifier.proof.muc import Core, Leaf

UNREADABLE = "not a readable proof file"


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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(proof=arbitrary_proofs())
def test_any_proof_is_read_back_as_it_was(proof: Proof, tmp_path: FilePath) -> None:
    write_proof(proof, tmp_path / "proof")

    assert_equal(read_proof(tmp_path / "proof"), proof)


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
        gzip.compress(json.dumps({"format": FORMAT, "sha256": 5}).encode() + b"\n{}"),
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
    path = tmp_path / "proof"
    with pytest.raises(CorruptFileError, match="checksum does not match"):
        read_proof(save(*document(HAND_MADE), path, sha256="0" * 64))
    with pytest.raises(CorruptFileError, match="'mucg4-proof/1' is not 'mucg4-proof/2': prove the"):
        read_proof(save(*document(HAND_MADE), path, format="mucg4-proof/1"))


def test_a_file_that_unpacks_to_too_much_is_refused(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_BYTES", 1000)
    path = tmp_path / "proof"
    path.write_bytes(gzip.compress(b" " * 1001))

    with pytest.raises(CorruptFileError, match="larger than 1000 bytes"):
        read_proof(path)


WRONG_COLUMNS: list[tuple[Columns, str]] = [
    # Literals: neuron 4 is the last of both layers, atom 5 the only half-space.
    ({"path_length": [2, 1, 0, 4]}, "path: 7 entries in all, not 6"),
    ({"path_length": [2, 1, 0, 2]}, "path: 5 entries in all, not 6"),
    ({"path_length": [2**32 - 1, 7, 0, 0]}, "path: 4294967302 entries in all, not 6"),
    ({"path_atom": [8, 11, 12, 8, 11, 5]}, "path 1: a literal of it is about nothing"),
    ({"path_atom": [8, 11, 10, 8, 11, 2**32 - 1]}, "path 3: a literal of it is about nothing"),
    ({"path_atom": [8, 8, 10, 8, 11, 5]}, "path 0: it decides a phase or a half-space twice"),
    ({"path_atom": [8, 9, 10, 8, 11, 5]}, "path 0: it decides a phase or a half-space twice"),
    ({"path_atom": [8, 11, 10, 5, 11, 10]}, "path 3: it decides a phase or a half-space twice"),
    ({"cut_threshold": [math.nan]}, "cut 0: its threshold is not finite"),
    ({"cut_threshold": [-math.inf]}, "cut 0: its threshold is not finite"),
    ({"cut_threshold": []}, "cut_input and cut_threshold have different lengths"),
    ({"cut_input": [1, 1], "cut_threshold": [0.0, -0.0]}, "cut 1: it is not above the one before"),
    ({"cut_input": [1, 1], "cut_threshold": [0.5, 0.25]}, "cut 1: it is not above the one before"),
    ({"cut_input": [1, 0], "cut_threshold": [0.0, 1.0]}, "cut 1: it is not above the one before"),
    # Multipliers.
    ({"row_weight": [0.5, 0.0, -1.0, 1.0]}, "multipliers 1: a row's weight is not a finite"),
    ({"row_weight": [math.nan, 0.0, 0.0, 1.0]}, "multipliers 0: a row's weight is not a finite"),
    ({"row_weight": [math.inf, 0.0, 0.0, 1.0]}, "multipliers 0: a row's weight is not a finite"),
    ({"row_weight": [0.5, 0.0, 1.0]}, "multipliers: 4 entries in all, not 3"),
    ({"row_count": [4]}, "row_count, line_count and mass_count have different lengths"),
    ({"line_neuron": [0, 5, 4]}, "multipliers 0: no such neuron"),
    ({"line_neuron": [0, 2, 2**32 - 1]}, "multipliers 1: no such neuron"),
    ({"line_neuron": [2, 0, 4]}, "multipliers 0: its neurons are not in ascending order"),
    ({"line_neuron": [2, 2, 4]}, "multipliers 0: its neurons are not in ascending order"),
    ({"line_neuron": [0, 2]}, "columns of lines, or of masses, have different lengths"),
    ({"line_count": [3, 1]}, "multipliers: 4 entries in all, not 3"),
    ({"line_alpha": [0.0, 1.5, 0.25]}, "multipliers 0: a slope is not in"),
    ({"line_alpha": [0.0, 1.0, -0.25]}, "multipliers 1: a slope is not in"),
    ({"line_alpha": [math.nan, 1.0, 0.25]}, "multipliers 0: a slope is not in"),
    ({"line_alpha": [0.0, 1.0]}, "columns of lines, or of masses, have different lengths"),
    ({"line_q": [0.5, -1.0, 2.0]}, "multipliers 0: a mass is not a finite number"),
    ({"line_q": [0.5, 0.0, math.inf]}, "multipliers 1: a mass is not a finite number"),
    ({"line_q": [0.5, math.nan, 0.0]}, "multipliers 0: a mass is not a finite number"),
    ({"line_q": [0.5, 1.0, 0.0, 0.0]}, "columns of lines, or of masses, have different lengths"),
    ({"mass_neuron": [4, 0, 5]}, "multipliers 1: no such neuron"),
    ({"mass_neuron": [4, 3, 3]}, "multipliers 1: its literals are not in ascending order"),
    ({"mass_neuron": [4, 0]}, "columns of lines, or of masses, have different lengths"),
    ({"mass": [-1.0, 0.5, 1.0]}, "multipliers 0: a literal's mass is not a finite"),
    ({"mass": [2.0, math.nan, 1.0]}, "multipliers 1: a literal's mass is not a finite"),
    ({"mass": [2.0, 0.5, math.inf]}, "multipliers 1: a literal's mass is not a finite"),
    ({"mass_count": [0, 2]}, "multipliers: 2 entries in all, not 3"),
    # Cores and leaves.
    ({"core_margin": [1.0, math.nan, 0.0]}, "core 1: its margin is not at least 0"),
    ({"core_margin": [-1.0, math.inf, 0.0]}, "core 0: its margin is not at least 0"),
    ({"core_path": [0, 1, 4]}, "core 2: its path does not exist"),
    ({"core_case": [0, 1]}, "core_case, core_path, core_margin, core_has have different lengths"),
    ({"core_has": [1, 1, 0]}, "not every one of 2 multipliers belongs to a core or a leaf"),
    ({"core_has": [2, 0, 0], "leaf_has": [0, 0, 0]}, "not every one of 2 multipliers belongs"),
    ({"leaf_has": [0, 0, 0]}, "not every one of 2 multipliers belongs to a core or a leaf"),
    ({"leaf_core": [0, 3, 2]}, "leaf 1: its core does not exist"),
    ({"leaf_path": [4, 0, 2]}, "leaf 0: its path does not exist"),
    ({"leaf_core": [0]}, "leaf_core, leaf_path, leaf_has have different lengths"),
    # Slopes: the first part is empty, the second bounds neurons 3 and 4 by the line of neuron 1.
    ({"box": [0]}, "box, bound_count and slope_count: different lengths"),
    ({"box": [1, 1]}, "the boxes of slopes are not numbered through"),
    ({"box": [0, 2]}, "the boxes of slopes are not numbered through"),
    ({"box": [0, 2**32 - 1]}, "the boxes of slopes are not numbered through"),
    ({"bound_count": [0, 3]}, "slopes: 3 entries in all, not 2"),
    ({"bound_count": [1, 1]}, "slopes: 2 entries in all, not 4"),
    ({"bound_neuron": [3, 5]}, "slopes 1: no such neuron"),
    ({"bound_neuron": [4, 3]}, "slopes 1: its neurons are not in ascending order"),
    ({"slope_neuron": [5]}, "slopes 1: no such neuron"),
    ({"slope_neuron": [0, 1], "slope_count": [0, 2]}, "slopes: 8 entries in all, not 4"),
    ({"slope": [0, 64, 128, 257]}, "slopes 1: a slope is not in"),
    ({"slope": [0, 64, 128]}, "slopes: 4 entries in all, not 3"),
]
WRONG_HEADS: list[tuple[Head, str]] = [
    ({"layer_widths": [3]}, "about nothing|no such neuron"),
    ({"layer_widths": [3, True]}, "a layer of width True"),
    ({"layer_widths": [3, 2.0]}, "a layer of width 2.0"),
    ({"layer_widths": [-3, 8]}, "a layer of width -3"),
    ({"layer_widths": [2**60, 2]}, "neurons, more than 16777216"),
    ({"layer_widths": 5}, UNREADABLE),
    ({"verdict": "unknown"}, "verdict 'unknown'"),
    ({"verdict": "maybe"}, UNREADABLE),
    ({"verdict": "violated"}, "without a counterexample"),
    ({"verdict": []}, UNREADABLE),
    ({"point": ["1/2"]}, "with a counterexample"),
    ({"seconds": -1.0}, "seconds"),
    ({"seconds": math.nan}, "seconds"),
    ({"seconds": []}, UNREADABLE),
    ({"columns": []}, UNREADABLE),
    ({"columns": None}, UNREADABLE),
    ({"columns": [True] + [0] * 25}, "length of column cut_input is True"),
    ({"columns": [-1] + [0] * 25}, "length of column cut_input is -1"),
    ({"columns": [1.0] + [0] * 25}, "length of column cut_input is 1.0"),
    ({"columns": [2**70] + [0] * 25}, "length of column cut_input is 11805916207174113034, beyond"),
    ({"columns": [1] + [0] * 25}, "bytes after the last column"),
]


@pytest.mark.parametrize(("edit", "message"), WRONG_COLUMNS, ids=range(len(WRONG_COLUMNS)))
def test_a_proof_with_wrong_columns_and_a_right_checksum_is_refused(
    edit: Columns, message: str, tmp_path: FilePath
) -> None:
    head, columns = document(HAND_MADE)

    with pytest.raises(CorruptFileError, match=message):
        read_proof(save(head, columns | edit, tmp_path / "proof"))


@pytest.mark.parametrize(("edit", "message"), WRONG_HEADS, ids=range(len(WRONG_HEADS)))
def test_a_proof_with_a_wrong_head_and_a_right_checksum_is_refused(
    edit: Head, message: str, tmp_path: FilePath
) -> None:
    head, columns = document(HAND_MADE)

    with pytest.raises(CorruptFileError, match=message):
        read_proof(save(head | edit, columns, tmp_path / "proof"))


@pytest.mark.parametrize("name", ["network", "property", "layer_widths", "verdict", "point"])
def test_a_head_without_a_field_is_refused(name: str, tmp_path: FilePath) -> None:
    head, columns = document(HAND_MADE)
    del head[name]

    with pytest.raises(CorruptFileError, match=name):
        read_proof(save(head, columns, tmp_path / "proof"))


def test_more_objects_than_memory_may_be_asked_for_are_refused(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns_module, "MOST_OBJECTS", 3)

    with pytest.raises(CorruptFileError, match="4 entries of path_length, more than 3"):
        read_proof(save(*document(HAND_MADE), tmp_path / "proof"))


NUMBERS = st.one_of(
    st.integers(0, 12), st.sampled_from([2**31, 2**32 - 1]), st.floats(-2.0, 2.0, width=32)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
def test_a_file_with_any_numbers_changed_is_refused_or_reads_as_a_proof(
    data: st.DataObject, tmp_path: FilePath
) -> None:
    """What is read may be false, but can be searched, evaluated and written again."""
    proof = data.draw(arbitrary_proofs())
    head, columns = document(proof)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(list(ALL_COLUMNS)))
        column = columns[name].copy()
        number = data.draw(NUMBERS if "f" in ALL_COLUMNS[name] else st.integers(0, 12))
        if len(column):
            column[data.draw(st.integers(0, len(column) - 1))] = number
        columns[name] = column
    path = save(head, columns, tmp_path / "proof")

    try:
        read = read_proof(path)
    except CorruptFileError:
        return

    assert_sane(read)
    write_proof(read, path)
    assert_equal(read_proof(path), read)


def assert_sane(proof: Proof) -> None:
    neurons = sum(proof.layer_widths)
    for box in (box for boxes in proof.tightened for box in boxes):
        assert box.slopes.shape == (2 * len(box.neurons), len(box.lines))
        assert ((box.slopes >= 0.0) & (box.slopes <= 1.0)).all()
        assert max([*box.neurons.tolist(), *box.lines.tolist()], default=-1) < neurons
    parts: list[Core | Leaf] = [*proof.cores, *proof.leaves]
    for literal in (x for part in parts for x in part.path):
        if isinstance(literal, Phase):
            assert 0 <= literal.neuron.index < proof.layer_widths[literal.neuron.layer]
        else:
            assert math.isfinite(literal.threshold)
    for path in (part.path for part in parts):
        assert len({x for literal in path for x in (literal, literal.negated())}) == 2 * len(path)
    assert all(0 <= leaf.core < len(proof.cores) for leaf in proof.leaves)
    for part in (part.multipliers for part in parts if part.multipliers is not None):
        assert ((part.alpha >= 0.0) & (part.alpha <= 1.0)).all()
        assert all((x >= 0.0).all() and np.isfinite(x).all() for x in (part.rows, part.q))
        assert (part.masses >= 0.0).all()
        assert len(part.neurons) == len(part.alpha) == len(part.q)
        assert len(part.literals) == len(part.masses)
        for numbers in (part.neurons, part.literals):
            assert sorted(set(numbers.tolist())) == numbers.tolist()
            assert all(0 <= number < neurons for number in numbers.tolist())


@pytest.mark.parametrize(
    "point", [["1/0"], ["x"], [None], [math.nan], [math.inf], 5, ["1e"], ["1e999999999"], [[]]]
)
def test_a_counterexample_that_is_no_point_is_refused(point: Any, tmp_path: FilePath) -> None:
    head, columns = document(VIOLATED)

    with pytest.raises(CorruptFileError):
        read_proof(save(head | {"point": point}, columns, tmp_path / "proof"))


@pytest.mark.parametrize("head", [[], 5, None, "holds", {}])
def test_a_head_that_is_no_object_of_a_proof_is_refused(head: Any, tmp_path: FilePath) -> None:
    with pytest.raises(CorruptFileError):
        read_proof(save(head, document(HAND_MADE)[1], tmp_path / "proof"))


def test_a_proof_of_another_property_or_network_is_a_mismatch() -> None:
    (graph, prop, proof), (other, another, _) = proofs(2, ON_INPUTS)

    proof.check_property(prop)
    proof.check_original(graph)
    with pytest.raises(ProofMismatchError, match="prove this property first"):
        proof.check_property(another)
    with pytest.raises(ProofMismatchError, match="give the original it belongs to"):
        proof.check_original(other)
