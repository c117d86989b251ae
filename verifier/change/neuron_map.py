# SPDX-License-Identifier: Apache-2.0
"""Which original neuron is which compressed neuron.

The map goes from the original's neurons to what stands for them in the compressed network: a
neuron there, or a constant where the neuron was removed (the constant *preactivation* whose ReLU
was folded into the next bias; 0 or less means its output became 0). Neurons that it does not
mention have no counterpart. The map guides reuse and is never trusted: a wrong map costs time,
not soundness.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier.errors import CorruptFileError
from verifier.ir.graph import Graph, Neuron
from verifier.ir.rational import read_fraction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction
    from pathlib import Path

FORMAT = "mucg4-neuron-map/1"
LONGEST_SOURCE = 200


@dataclass(frozen=True)
class NeuronMap:
    """A partial map of neurons.

    Attributes:
        kept: Original neuron to compressed neuron, injective.
        removed: Original neuron to the constant preactivation that it has now.
        source: How the map came about: ``given``, ``identity`` or ``inferred``.
        confidence: 1 for a given map, else how sure the matching is, between 0 and 1.
    """

    kept: Mapping[Neuron, Neuron]
    removed: Mapping[Neuron, Fraction]
    source: str = "given"
    confidence: float = 1.0

    @classmethod
    def identity(cls, graph: Graph) -> NeuronMap:
        """Return the map of a network whose neurons all stayed in place."""
        neurons = [
            Neuron(layer, index)
            for layer, width in enumerate(graph.layer_widths)
            for index in range(width)
        ]
        return cls({n: n for n in neurons}, {}, source="identity")

    def save(self, path: Path) -> None:
        """Write the map as JSON."""
        document = {
            "format": FORMAT,
            "kept": [[*old, *new] for old, new in sorted(self.kept.items())],
            "removed": [[*old, str(constant)] for old, constant in sorted(self.removed.items())],
            "source": self.source,
            "confidence": self.confidence,
        }
        path.write_text(json.dumps(document), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> NeuronMap:
        """Read a map.

        Raises:
            CorruptFileError: The file is not a neuron map.
        """
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] != FORMAT:
                msg = f"{path}: format {document['format']!r} is not {FORMAT!r}"
                raise CorruptFileError(msg)
            kept = {
                Neuron(int(a), int(b)): Neuron(int(c), int(d)) for a, b, c, d in document["kept"]
            }
            removed = {Neuron(int(a), int(b)): read_fraction(c) for a, b, c in document["removed"]}
            source, confidence = str(document["source"]), float(document["confidence"])
        except (ArithmeticError, KeyError, RecursionError, TypeError, ValueError) as error:
            msg = f"{path}: not a neuron map: {error}"
            raise CorruptFileError(msg) from error
        if not 0.0 <= confidence <= 1.0 or len(source) > LONGEST_SOURCE:
            msg = f"{path}: confidence {confidence}, source {source!r:.40}: not of a neuron map"
            raise CorruptFileError(msg)
        if len(set(kept.values())) != len(kept) or kept.keys() & removed.keys():
            msg = f"{path}: two original neurons share one compressed neuron, or one is both"
            raise CorruptFileError(msg)
        return cls(kept, removed, source, confidence)
