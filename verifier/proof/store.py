# SPDX-License-Identifier: Apache-2.0
"""The proof of an original network, as a value and as a file.

A proof file is compressed by gzip. Its first line names the format and the SHA-256 of all that
follows: a line that names network and property by fingerprint, and columns of numbers
(``columns``), of which that line has the lengths. Both lines are JSON.

Reading checks everything that later code relies on; but nothing in it is ever trusted to be *true*:
reuse re-validates each core on the network at hand.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from verifier.errors import CorruptFileError, ProofMismatchError
from verifier.ir.fingerprint import fingerprint
from verifier.ir.rational import read_fraction
from verifier.proof.columns import COLUMNS, columns_of, cores_and_leaves
from verifier.proof.literals import HalfSpace, Path
from verifier.proof.slope_columns import SLOPE_COLUMNS, slope_columns_of, tightened_of
from verifier.spec.fingerprint import property_fingerprint
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path as FilePath

    from numpy.typing import NDArray

    from verifier.bounds.tighten import Tightened
    from verifier.ir.graph import Graph
    from verifier.proof.muc import Core, Leaf, Multipliers
    from verifier.spec.property import Property

FORMAT = "mucg4-proof/2"
MOST_BYTES = 1 << 30
"""Most bytes of a file once it is unpacked; a hundred cores of a wide network take 200 kB."""
MOST_NEURONS = 1 << 24
ALL_COLUMNS = COLUMNS | SLOPE_COLUMNS


@dataclass(frozen=True, eq=False)
class Proof:
    """What is kept of a verified network.

    Attributes:
        network: Fingerprint of the network.
        prop: Fingerprint of the property.
        layer_widths: Number of neurons of each ReLU layer of the network.
        verdict: HOLDS or VIOLATED.
        cores: The MUCs; empty when violated.
        leaves: The leaves of the search, each with the core that covers it.
        point: The counterexample's input when violated.
        seconds: What the proof cost, for the account of when reuse has paid for it.
        tightened: How the boxes of a wide network were tightened, in the order of the cases; a
            guess at what is good on its variants.
    """

    network: str
    prop: str
    layer_widths: tuple[int, ...]
    verdict: Verdict
    cores: tuple[Core, ...]
    leaves: tuple[Leaf, ...]
    point: tuple[Fraction, ...] | None
    seconds: float
    tightened: tuple[tuple[Tightened, ...], ...] = ()

    def check_property(self, prop: Property) -> None:
        """Raise unless the proof is about this property and speaks of what the property has.

        Raises:
            ProofMismatchError: It is about another one.
            CorruptFileError: It names a case, a row or an input that the property does not have.
        """
        own = property_fingerprint(prop)
        if own != self.prop:
            msg = (
                f"the proof is of property {self.prop[:12]}, not of {own[:12]}: "
                "prove this property first"
            )
            raise ProofMismatchError(msg)
        for number, core in enumerate(self.cores):
            _check_core(core, prop, f"core {number} of the proof")
        for number, leaf in enumerate(self.leaves):
            where = f"leaf {number} of the proof"
            _check_inputs(leaf.path, prop.input_width, where)
            _check_rows(leaf.multipliers, self.cores[leaf.core].case, prop, where)
        if self.point is not None and len(self.point) != prop.input_width:
            msg = f"the proof's point has {len(self.point)} inputs, not {prop.input_width}"
            raise CorruptFileError(msg)

    def check_original(self, graph: Graph) -> None:
        """Raise unless the proof is about this network.

        Raises:
            ProofMismatchError: It is about another one.
        """
        own = fingerprint(graph)
        if own != self.network:
            msg = (
                f"the proof is of network {self.network[:12]}, not of {own[:12]}: "
                "give the original it belongs to"
            )
            raise ProofMismatchError(msg)


def _check_core(core: Core, prop: Property, where: str) -> None:
    if not 0 <= core.case < len(prop.cases):
        msg = f"{where} is of case {core.case}; the property has {len(prop.cases)} cases"
        raise CorruptFileError(msg)
    _check_rows(core.multipliers, core.case, prop, where)
    _check_inputs(core.path, prop.input_width, where)


def _check_rows(multipliers: Multipliers | None, case: int, prop: Property, where: str) -> None:
    rows = len(prop.cases[case].constraints)
    if multipliers is not None and len(multipliers.rows) != rows:
        msg = f"{where} weighs {len(multipliers.rows)} rows; case {case} has {rows}"
        raise CorruptFileError(msg)


def _check_inputs(path: Path, width: int, where: str) -> None:
    for literal in path:
        if isinstance(literal, HalfSpace) and not 0 <= literal.input < width:
            msg = f"{where} cuts input {literal.input}; the property has {width} inputs"
            raise CorruptFileError(msg)


def write_proof(proof: Proof, path: FilePath) -> None:
    """Write a proof file."""
    columns = columns_of(proof.cores, proof.leaves, proof.layer_widths)
    columns |= slope_columns_of(proof.tightened)
    head = {
        "network": proof.network,
        "property": proof.prop,
        "layer_widths": proof.layer_widths,
        "verdict": str(proof.verdict),
        "point": None if proof.point is None else [str(value) for value in proof.point],
        "seconds": proof.seconds,
        "columns": [len(column) for column in columns.values()],
    }
    body = b"".join([_line(head), *(column.tobytes() for column in columns.values())])
    digest = hashlib.sha256(body).hexdigest()
    outer = _line({"format": FORMAT, "sha256": digest})
    path.write_bytes(gzip.compress(outer + body, 6, mtime=0))


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def read_proof(path: FilePath) -> Proof:
    """Read a proof file.

    Raises:
        CorruptFileError: The file is damaged or is not a proof.
    """
    try:
        with gzip.open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            _fail(f"larger than {MOST_BYTES} bytes")
        outer, start = _first_line(data, 0)
        if outer["format"] != FORMAT:
            _fail(f"format {outer['format']!r:.80} is not {FORMAT!r}: prove the property anew")
        if hashlib.sha256(memoryview(data)[start:]).hexdigest() != outer["sha256"]:
            _fail("its checksum does not match its body")
        head, start = _first_line(data, start)
        return _proof(head, _columns(data, start, head["columns"]))
    except (
        OSError,
        EOFError,
        ArithmeticError,
        AttributeError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        RecursionError,
        zlib.error,
    ) as error:
        msg = f"{path}: not a readable proof file: {error}"
        raise CorruptFileError(msg) from error


def _fail(reason: str) -> NoReturn:
    raise ValueError(reason)


def _first_line(data: bytes, start: int) -> tuple[dict[str, Any], int]:
    """Return the JSON object in the line that starts somewhere, and where the next one starts."""
    end = data.find(b"\n", start) + 1 or len(data)
    return json.loads(data[start:end]), end


def _columns(data: bytes, start: int, lengths: list[Any]) -> dict[str, NDArray[Any]]:
    """Return parts of the data as columns, without a copy."""
    found: dict[str, NDArray[Any]] = {}
    for (name, kind), length in zip(ALL_COLUMNS.items(), lengths, strict=True):
        size = np.dtype(kind).itemsize
        if type(length) is not int or not 0 <= length <= (len(data) - start) // size:
            _fail(f"the length of column {name} is {length!r:.20}, beyond the end of the file")
        found[name] = np.frombuffer(data, kind, length, start) if length else np.empty(0, kind)
        start += length * size
    if start != len(data):
        _fail(f"{len(data) - start} bytes after the last column")
    return found


def _proof(head: dict[str, Any], columns: dict[str, NDArray[Any]]) -> Proof:
    widths = tuple(_width(width) for width in head["layer_widths"])
    if sum(widths) > MOST_NEURONS:
        _fail(f"{sum(widths)} neurons, more than {MOST_NEURONS}")
    cores, leaves = cores_and_leaves(columns, widths)
    tightened = tightened_of(columns, sum(widths))
    point, verdict, seconds = head["point"], Verdict(head["verdict"]), float(head["seconds"])
    if verdict is Verdict.UNKNOWN or (point is None) != (verdict is Verdict.HOLDS):
        _fail(f"verdict {str(verdict)!r} {'without' if point is None else 'with'} a counterexample")
    if not 0.0 <= seconds < math.inf:
        _fail(f"the seconds that the proof cost: {seconds} is not a finite number of at least 0")
    return Proof(
        str(head["network"]),
        str(head["property"]),
        widths,
        verdict,
        cores,
        leaves,
        None if point is None else tuple(read_fraction(value) for value in point),
        seconds,
        tightened,
    )


def _width(width: Any) -> int:
    # JSON's ``true`` is the integer 1 to Python.
    return width if type(width) is int and width >= 0 else _fail(f"a layer of width {width!r:.20}")
