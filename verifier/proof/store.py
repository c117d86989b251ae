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
    from collections.abc import Sequence
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


def _document(proof: Proof) -> dict[str, Any]:
    return {
        "network": proof.network,
        "property": proof.prop,
        "layer_widths": proof.layer_widths,
        "verdict": str(proof.verdict),
        "cores": [_core_document(core) for core in proof.cores],
        "leaves": [_leaf_document(leaf, proof.cores[leaf.core]) for leaf in proof.leaves],
        "point": None if proof.point is None else [str(value) for value in proof.point],
        "seconds": proof.seconds,
    }


def _core_document(core: Core) -> dict[str, Any]:
    document: dict[str, Any] = {
        "case": core.case,
        "path": _path_document(core.path),
        "margin": core.margin if math.isfinite(core.margin) else None,
    }
    return document | _multipliers_document(core.multipliers)


def _multipliers_document(multipliers: Multipliers | None) -> dict[str, Any]:
    if multipliers is None:
        return {}
    return {
        "rows": multipliers.rows.tolist(),
        "layers": [
            [layer, part.index.tolist(), part.alpha.tolist(), part.q.tolist()]
            for layer, part in multipliers.layers.items()
        ],
        "masses": [[*neuron, mass] for neuron, mass in multipliers.literals.items()],
    }


def _leaf_document(leaf: Leaf, core: Core) -> list[Any]:
    """Return the leaf's path, or nothing where it is its core's, the core, and multipliers."""
    path = None if leaf.path == core.path else _path_document(leaf.path)
    return [path, leaf.core, _multipliers_document(leaf.multipliers)]


def _path_document(path: Path) -> list[list[Any]]:
    return [
        ["phase", *literal.neuron, literal.active]
        if isinstance(literal, Phase)
        else ["input", *literal]
        for literal in path
    ]


@np.errstate(over="ignore")
def _proof(document: dict[str, Any]) -> Proof:
    widths = tuple(int(width) for width in document["layer_widths"])
    paths = _Paths(widths)
    cores = tuple(_core(entry, widths, paths) for entry in document["cores"])
    leaves = tuple(_leaf(entry, widths, cores, paths) for entry in document["leaves"])
    point, verdict = document["point"], Verdict(document["verdict"])
    if verdict is Verdict.UNKNOWN or (point is None) != (verdict is Verdict.HOLDS):
        _fail(f"verdict {str(verdict)!r} {'without' if point is None else 'with'} a counterexample")
    return Proof(
        str(document["network"]),
        str(document["property"]),
        widths,
        verdict,
        cores,
        leaves,
        None if point is None else tuple(Fraction(value) for value in point),
        _at_least_zero(document["seconds"], "the seconds that the proof cost"),
    )


def _core(entry: dict[str, Any], widths: tuple[int, ...], paths: _Paths) -> Core:
    margin = entry["margin"]
    margin = math.inf if margin is None else _at_least_zero(margin, "a core's margin")
    path = paths.read(entry["path"])
    return Core(int(entry["case"]), path, _multipliers(entry, widths), margin)


def _leaf(entry: list[Any], widths: tuple[int, ...], cores: Sequence[Core], paths: _Paths) -> Leaf:
    path, core, evidence = entry
    if not 0 <= core < len(cores):
        _fail("a leaf names a core that does not exist")
    path = cores[core].path if path is None else paths.read(path)
    return Leaf(path, int(core), _multipliers(evidence, widths))


def _multipliers(entry: dict[str, Any], widths: tuple[int, ...]) -> Multipliers | None:
    if "rows" not in entry:
        return None
    layers = {int(k): _neurons(k, part, widths) for k, *part in entry["layers"]}
    masses = {_neuron(k, i, widths): _mass(m) for k, i, m in entry["masses"]}
    rows = _floats(entry["rows"])
    if (rows < 0.0).any():
        _fail("a row has a negative weight")
    return Multipliers(rows, layers, masses)


def _neurons(layer: int, part: list[Any], widths: tuple[int, ...]) -> NeuronMultipliers:
    for neuron in part[0]:
        _neuron(layer, neuron, widths)
    index = np.array(part[0], dtype=np.intp)
    alpha, q = _floats(part[1]), _floats(part[2])
    if not len(index) == len(alpha) == len(q):
        _fail(f"multipliers of layer {layer} have different lengths")
    if (index[1:] <= index[:-1]).any():
        _fail(f"multipliers of layer {layer} are not in ascending order")
    if (alpha < 0.0).any() or (alpha > 1.0).any() or (q < 0.0).any():
        _fail(f"multipliers of layer {layer} are out of range")
    return NeuronMultipliers(index, alpha, q)


class _Paths:
    """Reads paths; a literal that was read before, with the same types, is not checked again."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        self._widths = widths
        self._known: dict[tuple[Any, ...], tuple[Literal, Literal]] = {}

    def read(self, entries: list[Any]) -> Path:
        pairs = [self._pair(entry) for entry in entries]
        # No search decides twice, and certificates have no room for it.
        if len({literal for pair in pairs for literal in pair}) < 2 * len(pairs):
            _fail("a path decides a phase or a half-space twice")
        return tuple(literal for literal, _ in pairs)

    def _pair(self, entry: Any) -> tuple[Literal, Literal]:
        """Return a literal and its opposite."""
        if not isinstance(entry, list):
            _fail(f"not a literal: {entry!r:.80}")
        # The types belong to the key because ``True`` and ``1.0`` are equal to ``1``.
        key = (*entry, *map(type, entry))
        try:
            pair = self._known.get(key)
        except TypeError:  # A list inside has no hash.
            _fail(f"not a literal: {entry!r:.80}")
        if pair is None:
            literal = _literal(entry, self._widths)
            pair = self._known[key] = (literal, literal.negated())
        return pair


def _literal(entry: list[Any], widths: tuple[int, ...]) -> Literal:
    match entry:
        case ["phase", int(layer), int(index), bool(active)]:
            return Phase(_neuron(layer, index, widths), active)
        case ["input", int(index), float(threshold), bool(below)] if _is_index(
            index
        ) and math.isfinite(threshold):
            return HalfSpace(index, threshold, below)
        case _:
            _fail(f"not a literal: {entry!r:.80}")


def _neuron(layer: Any, index: Any, widths: tuple[int, ...]) -> Neuron:
    if not (_is_index(layer) and _is_index(index)):
        _fail(f"neuron {index!r:.20} of layer {layer!r:.20}: not two integers")
    if not (layer < len(widths) and index < widths[layer]):
        _fail(f"no neuron {index} in layer {layer}")
    return Neuron(layer, index)


def _is_index(value: Any) -> bool:
    # JSON's ``true`` is the integer 1 to Python, but to numpy an index that selects everything:
    # a phase literal of neuron ``true`` would cut a region by the phases of a whole layer.
    return type(value) is int and value >= 0


def _mass(value: Any) -> float:
    return float(_floats([value])[0]) if value >= 0 else _fail(f"a literal's mass is {value}")


def _at_least_zero(value: Any, what: str) -> float:
    number = float(value)
    if not 0.0 <= number < math.inf:
        _fail(f"{what}: {number} is not a finite number of at least 0")
    return number


def _floats(values: list[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        _fail("multipliers are not a list of finite numbers")
    # A number beyond float32 becomes infinite there.
    if (array != array.astype(np.float32)).any():
        _fail("multipliers are not float32 numbers")
    return array
