# SPDX-License-Identifier: Apache-2.0
"""Write a compression to a folder: ``model.onnx``, ``neuron_map.json``, ``report.json``.

The model is written in float32, or in float64 where its numbers need it; it never differs from the
verified network by a rounding. ``report.json`` names both files by their SHA-256, so that a
verdict on one artefact cannot be mistaken for one on another. Equal results make equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from compression.float_format import FLOAT32, smallest_format
from verifier.errors import RefusedError
from verifier.ir.onnx_writer import write_onnx

if TYPE_CHECKING:
    from pathlib import Path

    from compression.base import CompressionResult

REPORT_FORMAT = "mucg4-compression-report/1"


@dataclass(frozen=True)
class Artefact:
    """The files of a compression.

    Attributes:
        model: The network.
        neuron_map: From the original's neurons to its neurons.
        report: What was done.
        sha256: Of the model file.
    """

    model: Path
    neuron_map: Path
    report: Path
    sha256: str


def save(result: CompressionResult, directory: Path, *, base_sha256: str | None = None) -> Artefact:
    """Write a compression; files of these names are replaced.

    Args:
        result: What to write.
        directory: Made if need be.
        base_sha256: SHA-256 of the original's file, where it has one.

    Raises:
        RefusedError: A number of the network is neither a float32 nor a float64.
    """
    number_format = smallest_format(result.graph)
    if number_format is None:
        msg = (
            "the compressed network has numbers that neither float32 nor float64 holds, since its "
            "original has; compress it with method float_rounding, option format=float32, first"
        )
        raise RefusedError(msg)
    element: Literal["float32", "float64"] = "float32" if number_format is FLOAT32 else "float64"
    model = write_onnx(result.graph, element)
    artefact = Artefact(
        directory / "model.onnx",
        directory / "neuron_map.json",
        directory / "report.json",
        hashlib.sha256(model).hexdigest(),
    )
    directory.mkdir(parents=True, exist_ok=True)
    artefact.model.write_bytes(model)
    result.neuron_map.save(artefact.neuron_map)
    document = {
        "format": REPORT_FORMAT,
        **result.report.to_dict(),
        "number_format": element,
        "base_sha256": base_sha256,
        "artefact_sha256": artefact.sha256,
    }
    artefact.report.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return artefact
