# SPDX-License-Identifier: Apache-2.0
"""Unstructured magnitude pruning: the smallest weights become zero.

Of the ``n`` weights that are not zero, the ``floor(sparsity * n)`` smallest by magnitude are set
to zero. Counting only nonzero weights makes the option mean something for a convolution lowered to
a matrix, whose zeros are structure, and for a network that was pruned before.

Magnitudes are compared exactly, and ties go to the earlier weight in graph and row-major order, so
the number of zeros is exact and the result the same on every machine. Biases stay. Every neuron
stays, so the neuron map is the identity.

With ``scope=layer`` each Affine node loses its share; with ``scope=global`` all weights of the
network compete (Han et al., arXiv 1506.02626, prune by layer; Blalock et al., arXiv 2003.03033,
compare the two).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from math import floor, lcm
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from compression.base import CompressionResult, Method
from compression.options import choice, option, share
from compression.report import report_weights_only
from compression.rewriting import replace_affines, require_normal_form
from verifier.change.neuron_map import NeuronMap
from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.ir.graph import Graph


class Scope(StrEnum):
    """Which weights, or neurons, compete with each other."""

    LAYER = "layer"
    GLOBAL = "global"


@dataclass(frozen=True, kw_only=True)
class MagnitudePruning(Method):
    """Unstructured magnitude pruning."""

    name: ClassVar[str] = "magnitude_pruning"
    summary: ClassVar[str] = "set the smallest weights to zero, one by one"

    sparsity: Fraction = field(
        default=Fraction(1, 10),
        metadata=option(share(), "share of the nonzero weights that become zero"),
    )
    scope: Scope = field(
        default=Scope.LAYER,
        metadata=option(choice(Scope), "whether weights compete by layer or all together"),
    )

    def apply(self, graph: Graph) -> CompressionResult:
        """Prune; see ``Method.apply``."""
        require_normal_form(graph)
        affines = {
            position: node.operator
            for position, node in enumerate(graph.nodes)
            if isinstance(node.operator, Affine)
        }
        groups = (
            [[position] for position in affines] if self.scope is Scope.LAYER else [list(affines)]
        )
        pruned: dict[int, Affine] = {}
        for group in groups:
            matrices = [weight for position in group for weight in affines[position].weights]
            remaining = iter(without_smallest(matrices, self.sparsity))
            for position in group:
                affine = affines[position]
                pruned[position] = Affine(
                    tuple(next(remaining) for _ in affine.weights), affine.bias
                )
        compressed = replace_affines(graph, pruned)
        return CompressionResult(
            compressed,
            NeuronMap.identity(graph),
            report_weights_only(self, graph, compressed),
        )


def without_smallest(matrices: Sequence[RationalArray], sparsity: Fraction) -> list[RationalArray]:
    """Set the smallest nonzero entries of several matrices, taken together, to zero."""
    denominator = lcm(*(matrix.denominator for matrix in matrices))
    # On one denominator, magnitudes compare as integers.
    magnitudes = [
        abs(int(numerator)) * (denominator // matrix.denominator)
        for matrix in matrices
        for numerator in matrix.numerators.flat
    ]
    candidates = [i for i, magnitude in enumerate(magnitudes) if magnitude]
    count = floor(sparsity * len(candidates))
    doomed = sorted(candidates, key=magnitudes.__getitem__)[:count]
    mask = np.zeros(len(magnitudes), dtype=bool)
    mask[doomed] = True
    result: list[RationalArray] = []
    start = 0
    for matrix in matrices:
        size = matrix.numerators.size
        part = mask[start : start + size].reshape(matrix.shape)
        numerators = np.where(part, 0, matrix.numerators)
        result.append(RationalArray(numerators, matrix.denominator))
        start += size
    return result
