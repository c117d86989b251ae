# SPDX-License-Identifier: Apache-2.0
"""Prove a property of a neural network once, then re-verify its compressed variants by reuse.

These names are the public surface; everything else may change between releases. They are
resolved when first used, so that ``import verifier`` costs nothing and loads no solver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.change.neuron_map import NeuronMap
    from verifier.errors import VerifierError
    from verifier.ir.graph import Graph
    from verifier.ir.onnx_reader import read_onnx
    from verifier.pipeline import prove, reverify
    from verifier.spec.property import Property
    from verifier.spec.vnnlib_reader import read_vnnlib
    from verifier.verdict import Verdict

__all__ = [
    "Graph",
    "NeuronMap",
    "Property",
    "Verdict",
    "VerifierError",
    "prove",
    "read_onnx",
    "read_vnnlib",
    "reverify",
]

_HOMES = {
    "Graph": "verifier.ir.graph",
    "NeuronMap": "verifier.change.neuron_map",
    "Property": "verifier.spec.property",
    "Verdict": "verifier.verdict",
    "VerifierError": "verifier.errors",
    "prove": "verifier.pipeline",
    "read_onnx": "verifier.ir.onnx_reader",
    "read_vnnlib": "verifier.spec.vnnlib_reader",
    "reverify": "verifier.pipeline",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home at first use (PEP 562)."""
    if name not in _HOMES:
        msg = f"module 'verifier' has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Name the public surface, loaded or not."""
    return sorted({*globals(), *__all__})
