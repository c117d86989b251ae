# SPDX-License-Identifier: Apache-2.0
"""A name for what a network computes, by which proofs and certificates refer to it.

SHA-256 over a canonical text of the normal form: the operators in order, their inputs, and every
weight and bias as a reduced fraction. Names of nodes, shapes beyond the widths, and how a file
happened to spell the network leave no trace; any change of a weight does.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from verifier.ir.operators import Affine
from verifier.ir.passes.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verifier.ir.graph import Graph, Node
    from verifier.ir.rational import RationalArray

_FORMAT = "mucg4-network/1"


def fingerprint(graph: Graph) -> str:
    """Return the network's fingerprint: 64 hexadecimal digits."""
    normal = normalize(graph)
    # Positions depend on how affines and relus are interleaved; numbers of anchors do not.
    anchors = {position: number for number, position in enumerate((0, *normal.relus))}
    layers = [*(normal.nodes[relu].inputs[0] for relu in normal.relus), len(normal.nodes) - 1]
    digest = sha256(f"{_FORMAT}\ninput {normal.input_width}".encode())
    for position in layers:
        for line in _lines(normal.nodes[position], anchors):
            digest.update(f"\n{line}".encode())
    return digest.hexdigest()


def _lines(node: Node, anchors: Mapping[int, int]) -> Iterator[str]:
    """Yield the text of one affine layer."""
    if not isinstance(node.operator, Affine):
        msg = f"node {node.name!r} is not affine"
        raise TypeError(msg)
    yield f"affine {node.width}"
    yield _text(node.operator.bias)
    numbered = [anchors[position] for position in node.inputs]
    for anchor, weight in sorted(
        zip(numbered, node.operator.weights, strict=True), key=lambda pair: pair[0]
    ):
        yield f"from {anchor} {_text(weight)}"


def _text(array: RationalArray) -> str:
    """Return the entries over their least common denominator, which makes them unique."""
    reduced = array.reduced()
    entries = " ".join(map("{:x}".format, reduced.numerators.ravel().tolist()))
    return f"{list(reduced.shape)} /{reduced.denominator:x} {entries}"
