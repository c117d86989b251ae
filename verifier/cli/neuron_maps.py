# SPDX-License-Identifier: Apache-2.0
"""Which neuron map a command goes by, and what to tell the user about it.

In this order: the map that is given; ``neuron_map.json`` beside the compressed network, where
``mucg4 compress`` puts it; a map inferred from the two networks; and where there is no original
to infer one from, none, which stands for the identity. A wrong map costs time, never soundness,
but one that names neurons which do not exist is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.change.neuron_map import NeuronMap
    from verifier.ir.graph import Graph

BESIDE = "neuron_map.json"


def map_file(given: Path | None, compressed: Path) -> Path | None:
    """Return the file that the map is read from, if there is one."""
    if given is not None:
        return given
    beside = compressed.with_name(BESIDE)
    return beside if beside.is_file() else None


def choose_map(
    file: Path | None, original: Graph | None, compressed: Graph
) -> tuple[NeuronMap | None, str]:
    """Return the map to go by, and how it came about.

    Raises:
        CorruptFileError: The file is not a neuron map.
    """
    if file is not None:
        from verifier.change.neuron_map import NeuronMap

        return NeuronMap.load(file), f"read from {file}"
    if original is None:
        return None, "none given: every neuron stands for itself"
    from verifier.change.match import infer_map

    inferred = infer_map(original, compressed)
    how = "every neuron stands for itself" if inferred.source == "identity" else "inferred"
    return inferred, f"{how}, from the two networks, with confidence {inferred.confidence:.2f}"
