# SPDX-License-Identifier: Apache-2.0
"""Proof files made by hand, with whatever is to be wrong with them."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from dataclasses import fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.bounds.tighten import Tightened
from verifier.ir.graph import Neuron
from verifier.proof.columns import columns_of
from verifier.proof.literals import HalfSpace, Phase
from verifier.proof.muc import Core, Leaf, Multipliers
from verifier.proof.slope_columns import slope_columns_of
from verifier.proof.store import ALL_COLUMNS, FORMAT, Proof
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path as FilePath

Head = dict[str, Any]
Columns = dict[str, Any]

PHASE = Phase(Neuron(1, 1), active=False)
HALF = HalfSpace(1, -0.1, below=True)
FIRST = Multipliers(
    np.array([0.5, 0.0]),
    np.array([0, 2]),
    np.array([0.0, 1.0]),
    np.array([0.5, 0.0]),
    np.array([4]),
    np.array([2.0]),
)
SECOND = Multipliers(
    np.array([0.0, 1.0]),
    np.array([4]),
    np.array([0.25]),
    np.array([2.0]),
    np.array([0, 4]),
    np.array([0.5, 1.0]),
)
HAND_MADE = Proof(
    "network",
    "property",
    (3, 2),
    Verdict.HOLDS,
    (
        Core(0, (PHASE, HALF), FIRST, 1.0),
        Core(1, (HALF.negated(),), None, math.inf),
        Core(1, (), None, 0.0),
    ),
    (
        Leaf((PHASE, HALF, Phase(Neuron(0, 2), active=True)), 0),
        Leaf((PHASE, HALF), 0, SECOND),
        Leaf((), 2),
    ),
    None,
    1.5,
    (
        (
            Tightened(np.array([], dtype=np.intp), np.array([], dtype=np.intp), np.zeros((0, 0))),
            Tightened(np.array([3, 4]), np.array([1]), np.array([[0.0], [0.25], [0.5], [1.0]])),
        ),
    ),
)
VIOLATED = Proof(
    "network", "property", (), Verdict.VIOLATED, (), (), (Fraction(1, 3), Fraction(-2)), 0.0
)


def document(proof: Proof) -> tuple[Head, Columns]:
    """Return what a file says of a proof, fresh: the line in front of the columns, and these."""
    head = {
        "network": proof.network,
        "property": proof.prop,
        "layer_widths": list(proof.layer_widths),
        "verdict": str(proof.verdict),
        "point": None if proof.point is None else [str(value) for value in proof.point],
        "seconds": proof.seconds,
    }
    columns = columns_of(proof.cores, proof.leaves, proof.layer_widths)
    return head, columns | slope_columns_of(proof.tightened)


def save(head: Any, columns: Columns, path: FilePath, **outer: Any) -> FilePath:
    """Write a file around what it says, with a valid checksum and lengths unless told otherwise."""
    if isinstance(head, dict):
        head = {"columns": [len(column) for column in columns.values()]} | head
    parts = [np.asarray(columns[name]).astype(kind).tobytes() for name, kind in ALL_COLUMNS.items()]
    body = b"".join([json.dumps(head).encode(), b"\n", *parts])
    first = {"format": FORMAT, "sha256": hashlib.sha256(body).hexdigest()} | outer
    path.write_bytes(gzip.compress(json.dumps(first).encode() + b"\n" + body))
    return path


def assert_equal(left: Proof, right: Proof) -> None:
    assert (left.network, left.prop, left.layer_widths) == (
        right.network,
        right.prop,
        right.layer_widths,
    )
    assert (left.verdict, left.point, left.seconds) == (right.verdict, right.point, right.seconds)
    for ours, theirs in zip(left.tightened, right.tightened, strict=True):
        for part, its in zip(ours, theirs, strict=True):
            assert np.array_equal(part.neurons, its.neurons)
            assert np.array_equal(part.lines, its.lines)
            assert np.array_equal(part.slopes, its.slopes)
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
    for part in fields(Multipliers):
        assert np.array_equal(getattr(left, part.name), getattr(right, part.name))
