# SPDX-License-Identifier: Apache-2.0
"""The proof of an original network, as a value and as a file.

A proof file is gzip-compressed JSON with a SHA-256 of its body. It names the network and the
property it belongs to by fingerprint. Reading checks everything that later code relies on; but
nothing in it is ever trusted to be *true*: reuse re-validates each core on the network at hand.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import zlib
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from verifier.errors import CorruptFileError, ProofMismatchError
from verifier.ir.fingerprint import fingerprint
from verifier.ir.graph import Neuron
from verifier.proof.literals import HalfSpace, Literal, Path, Phase
from verifier.proof.muc import Core, Leaf, Multipliers, NeuronMultipliers
from verifier.spec.fingerprint import property_fingerprint
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from verifier.ir.graph import Graph
    from verifier.spec.property import Property

FORMAT = "mucg4-proof/1"
MOST_BYTES = 1 << 31


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
    """

    network: str
    prop: str
    layer_widths: tuple[int, ...]
    verdict: Verdict
    cores: tuple[Core, ...]
    leaves: tuple[Leaf, ...]
    point: tuple[Fraction, ...] | None
    seconds: float

    def check_property(self, prop: Property) -> None:
        """Raise unless the proof is about this property.

        Raises:
            ProofMismatchError: It is about another one.
        """
        own = property_fingerprint(prop)
        if own != self.prop:
            msg = (
                f"the proof is of property {self.prop[:12]}, not of {own[:12]}: "
                "prove this property first"
            )
            raise ProofMismatchError(msg)

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


def write_proof(proof: Proof, path: FilePath) -> None:
    """Write a proof file."""
    body = json.dumps(_document(proof), separators=(",", ":"))
    digest = hashlib.sha256(body.encode()).hexdigest()
    text = json.dumps({"format": FORMAT, "sha256": digest, "body": body})
    path.write_bytes(gzip.compress(text.encode(), 6, mtime=0))


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
        outer = json.loads(data)
        if outer["format"] != FORMAT:
            _fail(f"format {outer['format']!r} is not {FORMAT!r}")
        body = str(outer["body"])
        if hashlib.sha256(body.encode()).hexdigest() != outer["sha256"]:
            _fail("its checksum does not match its body")
        return _proof(json.loads(body))
    except (
        OSError,
        EOFError,
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


def _document(proof: Proof) -> dict[str, Any]:
    return {
        "network": proof.network,
        "property": proof.prop,
        "layer_widths": proof.layer_widths,
        "verdict": str(proof.verdict),
        "cores": [_core_document(core) for core in proof.cores],
        "leaves": [[_path_document(leaf.path), leaf.core] for leaf in proof.leaves],
        "point": None if proof.point is None else [str(value) for value in proof.point],
        "seconds": proof.seconds,
    }


def _core_document(core: Core) -> dict[str, Any]:
    document: dict[str, Any] = {
        "case": core.case,
        "path": _path_document(core.path),
        "margin": core.margin if math.isfinite(core.margin) else None,
    }
    if core.multipliers is not None:
        document["rows"] = core.multipliers.rows.tolist()
        document["layers"] = [
            [layer, part.index.tolist(), part.alpha.tolist(), part.q.tolist()]
            for layer, part in core.multipliers.layers.items()
        ]
        document["masses"] = [[*neuron, mass] for neuron, mass in core.multipliers.literals.items()]
    return document


def _path_document(path: Path) -> list[list[Any]]:
    return [
        ["phase", *literal.neuron, literal.active]
        if isinstance(literal, Phase)
        else ["input", *literal]
        for literal in path
    ]


def _proof(document: dict[str, Any]) -> Proof:
    widths = tuple(int(width) for width in document["layer_widths"])
    cores = tuple(_core(entry, widths) for entry in document["cores"])
    leaves = tuple(Leaf(_path(path, widths), int(core)) for path, core in document["leaves"])
    if any(not 0 <= leaf.core < len(cores) for leaf in leaves):
        msg = "a leaf names a core that does not exist"
        raise ValueError(msg)
    point = document["point"]
    return Proof(
        str(document["network"]),
        str(document["property"]),
        widths,
        Verdict(document["verdict"]),
        cores,
        leaves,
        None if point is None else tuple(Fraction(value) for value in point),
        float(document["seconds"]),
    )


def _core(entry: dict[str, Any], widths: tuple[int, ...]) -> Core:
    margin = math.inf if entry["margin"] is None else float(entry["margin"])
    path = _path(entry["path"], widths)
    if "rows" not in entry:
        return Core(int(entry["case"]), path, None, margin)
    layers = {int(k): _neurons(k, part, widths) for k, *part in entry["layers"]}
    masses = {_neuron(k, i, widths): _mass(m) for k, i, m in entry["masses"]}
    rows = _floats(entry["rows"])
    if np.any(rows < 0.0):
        msg = "a core has a negative row weight"
        raise ValueError(msg)
    return Core(int(entry["case"]), path, Multipliers(rows, layers, masses), margin)


def _neurons(layer: int, part: list[Any], widths: tuple[int, ...]) -> NeuronMultipliers:
    index = np.array(part[0], dtype=np.intp)
    alpha, q = _floats(part[1]), _floats(part[2])
    for neuron in part[0]:
        _neuron(layer, neuron, widths)
    if not len(index) == len(alpha) == len(q):
        msg = f"multipliers of layer {layer} have different lengths"
        raise ValueError(msg)
    if np.any(alpha < 0.0) or np.any(alpha > 1.0) or np.any(q < 0.0):
        msg = f"multipliers of layer {layer} are out of range"
        raise ValueError(msg)
    return NeuronMultipliers(index, alpha, q)


def _path(entries: list[Any], widths: tuple[int, ...]) -> Path:
    return tuple(_literal(entry, widths) for entry in entries)


def _literal(entry: list[Any], widths: tuple[int, ...]) -> Literal:
    match entry:
        case ["phase", int(layer), int(index), bool(active)]:
            return Phase(_neuron(layer, index, widths), active)
        case ["input", int(index), float(threshold), bool(below)] if math.isfinite(threshold):
            return HalfSpace(index, threshold, below)
        case _:
            msg = f"not a literal: {entry!r:.80}"
            raise ValueError(msg)


def _neuron(layer: int, index: int, widths: tuple[int, ...]) -> Neuron:
    if not (0 <= layer < len(widths) and 0 <= index < widths[layer]):
        msg = f"no neuron {index} in layer {layer}"
        raise ValueError(msg)
    return Neuron(layer, index)


def _mass(value: Any) -> float:
    mass = float(value)
    if not 0.0 <= mass < math.inf:
        msg = f"a literal's mass is {mass}"
        raise ValueError(msg)
    return mass


def _floats(values: list[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or not np.all(np.isfinite(array)):
        msg = "multipliers are not a list of finite numbers"
        raise ValueError(msg)
    return array
