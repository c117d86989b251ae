# SPDX-License-Identifier: Apache-2.0
"""What each kind of file is, in a few plain values.

Keys are a stable contract, like all JSON of the command line. Fingerprints are what proofs and
certificates name networks and properties by, so files that belong together can be told by them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from verifier.errors import CorruptFileError, UnsupportedError
from verifier.network_file import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction
    from pathlib import Path

    from verifier.spec.property import InputBox

MOST_INPUTS = 16
"""Boxes of more inputs are described by their widths only."""
MOST_CHARACTERS = 200
"""Texts of a certificate that are longer are none that we wrote."""


def model(path: Path) -> dict[str, Any]:
    """Describe a network, and hold it against onnxruntime.

    Raises:
        UsageError: The file cannot be read.
        RefusedError: It is damaged, uses what is not modelled, or onnxruntime does not compute
            what was read from it.
    """
    from compression.report import Size
    from verifier.ir.fingerprint import fingerprint
    from verifier.ir.onnx_model import parse

    network = Network.read(path)
    graph, source = network.graph, parse(network.content)
    size = Size.of(graph)
    return {
        "fingerprint": fingerprint(graph),
        "inputs": graph.input_width,
        "outputs": graph.output_width,
        "input_shape": list(graph.input_shape),
        "input_type": source.source.element.name.lower(),
        "layer_widths": list(size.layer_widths),
        "neurons": graph.neuron_count,
        "parameters": size.parameters,
        "nonzero_parameters": size.nonzero_parameters,
        "opset": source.opset,
        "operators": dict(sorted(Counter(node.op_type for node in source.nodes).items())),
        "onnxruntime": _held_against_onnxruntime(network),
    }


def _held_against_onnxruntime(network: Network) -> dict[str, Any]:
    """Tell whether onnxruntime agrees at points around 0; null where nothing can be compared."""
    try:
        network.check_around_zero()
    except UnsupportedError as error:
        return {"agrees": None, "reason": str(error)}
    return {"agrees": True, "reason": ""}


def prop(path: Path) -> dict[str, Any]:
    """Describe a property.

    Raises:
        PropertyError: The file cannot be read, is malformed or exceeds a limit.
        UnsupportedError: It says something that is not modelled.
    """
    from verifier.spec.fingerprint import property_fingerprint
    from verifier.spec.vnnlib_reader import read_vnnlib

    read = read_vnnlib(path)
    return {
        "fingerprint": property_fingerprint(read),
        "inputs": read.input_width,
        "outputs": read.output_width,
        "cases": len(read.cases),
        "input_boxes": len({id(case.box) for case in read.cases}),
        "box": _box(read.cases[0].box) if read.cases else None,
    }


def _box(box: InputBox) -> dict[str, Any]:
    """Describe the inputs of the first case: all of them, or only how wide they are."""
    widths = [upper - lower for lower, upper in zip(box.lower, box.upper, strict=True)]
    described: dict[str, Any] = {
        "varying_inputs": sum(width > 0 for width in widths),
        "largest_width": _float(max(widths, default=0)),
    }
    if len(widths) <= MOST_INPUTS:
        ends = {"lower": box.lower, "upper": box.upper}
        described |= {name: [_float(value) for value in end] for name, end in ends.items()}
    return described


def _float(value: Fraction | int) -> float | None:
    """Return the nearest float64, or None where there is none that is finite."""
    try:
        return float(value)
    except OverflowError:
        return None


def proof(path: Path) -> dict[str, Any]:
    """Describe a proof.

    Raises:
        CorruptFileError: The file is damaged or is not a proof.
    """
    from verifier.proof.store import read_proof

    read = read_proof(path)
    return {
        "network": read.network,
        "property": read.prop,
        "verdict": str(read.verdict),
        "layer_widths": list(read.layer_widths),
        "cores": len(read.cores),
        "leaves": len(read.leaves),
        "seconds": round(read.seconds, 6),
    }


def certificate(path: Path) -> dict[str, Any]:
    """Describe a certificate, without checking what it proves.

    Raises:
        CorruptFileError: The file is damaged, was changed, or is not a certificate.
    """
    from verifier.certificate.format import read_certificate

    document = read_certificate(path)
    notes = (
        {"isolation": _short_text(document, "isolation", path)} if "isolation" in document else {}
    )
    texts = ("format", "verdict", "semantics", "network", "property")
    lists = ("atoms", "regions", "cores", "clauses", "point")
    return {
        **{name: _short_text(document, name, path) for name in texts},
        **notes,
        **{name: len(document[name]) for name in lists if isinstance(document.get(name), list)},
    }


def _short_text(document: Mapping[str, Any], name: str, path: Path) -> str:
    value = document.get(name)
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS:
        msg = f"{path}: the field {name!r} is not a text of up to {MOST_CHARACTERS} characters"
        raise CorruptFileError(msg)
    return value


def neuron_map(path: Path) -> dict[str, Any]:
    """Describe a neuron map.

    Raises:
        CorruptFileError: The file is not a neuron map.
    """
    from verifier.change.neuron_map import NeuronMap

    read = NeuronMap.load(path)
    kept = Counter(neuron.layer for neuron in read.kept)
    removed = Counter(neuron.layer for neuron in read.removed)
    layers = sorted(kept.keys() | removed.keys())
    return {
        "source": read.source,
        "confidence": read.confidence,
        "kept": len(read.kept),
        "removed": len(read.removed),
        "layers": [{"layer": n, "kept": kept[n], "removed": removed[n]} for n in layers],
    }


SUMMARIES: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "model": model,
    "property": prop,
    "proof": proof,
    "certificate": certificate,
    "neuron_map": neuron_map,
}
