# SPDX-License-Identifier: Apache-2.0
"""Structured pruning: whole neurons go, with their rows and columns.

Neurons are ranked by the norm of their incoming weights, of their outgoing weights, or by the
product of both (Li et al., arXiv 1608.08710, rank by incoming). The product is the default since
it does not change when a neuron is scaled up and its outgoing weights down by the same factor,
which changes no output. Outgoing weights are those in *every* later layer that reads the neuron,
so skip edges count. Scores are compared exactly (squared, for the Euclidean norm) and ties go to
the earlier neuron.

What stands in a removed neuron's place is stated, because it is easily got wrong. Masking only the
incoming weights leaves the neuron at ``ReLU(b)``, not at 0:

  * ``constant=zero``: its output becomes 0. The result equals the original with the neuron's
    incoming weights *and bias* set to zero, exactly.
  * ``constant=fold``: its output becomes ``ReLU(b)`` with its original bias ``b``. The result
    equals the original with only the incoming weights set to zero, ``outgoing * ReLU(b)`` being
    added to the next biases. The sum is exact; it is then rounded to the format of the original's
    numbers (float32 or float64) so that it can be written. The report tells the largest rounding.

The neuron map says the same: a removed neuron has the constant preactivation 0, or ``b``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from compression.base import CompressionResult, Method
from compression.magnitude_pruning import Scope
from compression.neuron_removal import remove_neurons
from compression.options import (
    choice,
    layer_selection,
    option,
    optional_integer,
    optional_share,
)
from compression.report import Exactness, report_neurons_removed
from compression.rewriting import require_normal_form
from verifier.change.neuron_map import NeuronMap
from verifier.errors import UsageError
from verifier.ir.graph import Graph, Neuron
from verifier.ir.operators import Affine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MOST_NEURONS = 10**8


class Norm(StrEnum):
    """How the weights of a neuron are measured."""

    L1 = "l1"
    L2 = "l2"


class Score(StrEnum):
    """Which weights of a neuron are measured."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"
    PRODUCT = "product"


class Constant(StrEnum):
    """What takes the place of a removed neuron's output."""

    ZERO = "zero"
    FOLD = "fold"


@dataclass(frozen=True, kw_only=True)
class NeuronPruning(Method):
    """Removal of the least important neurons."""

    name: ClassVar[str] = "neuron_pruning"
    summary: ClassVar[str] = "remove whole neurons with their rows and columns"

    count: int | None = field(
        default=None,
        metadata=option(
            optional_integer(0, _MOST_NEURONS, "none"),
            "how many neurons to remove, of each layer or in all as scope says",
        ),
    )
    fraction: Fraction | None = field(
        default=None,
        metadata=option(optional_share("none"), "share of the neurons to remove, instead of count"),
    )
    scope: Scope = field(
        default=Scope.GLOBAL,
        metadata=option(choice(Scope), "whether neurons compete by layer or all together"),
    )
    layers: tuple[int, ...] | None = field(
        default=None,
        metadata=option(layer_selection(), "the ReLU layers that may lose neurons"),
    )
    norm: Norm = field(
        default=Norm.L2,
        metadata=option(choice(Norm), "how weights are measured"),
    )
    score: Score = field(
        default=Score.PRODUCT,
        metadata=option(choice(Score), "which weights are measured"),
    )
    constant: Constant = field(
        default=Constant.ZERO,
        metadata=option(choice(Constant), "what takes a removed neuron's place: 0, or ReLU(bias)"),
    )

    def __post_init__(self) -> None:
        """Check the options, and that exactly one of count and fraction is given."""
        super().__post_init__()
        if (self.count is None) == (self.fraction is None):
            msg = f"method {self.name!r}: give either option count or option fraction"
            raise UsageError(msg)

    def apply(self, graph: Graph) -> CompressionResult:
        """Remove neurons; see ``Method.apply``."""
        require_normal_form(graph)
        removal = remove_neurons(
            graph, frozenset(self._chosen(graph)), fold=self.constant is Constant.FOLD
        )
        exactness = Exactness.CERTIFIED if removal.same_function else Exactness.NONE
        return CompressionResult(
            removal.graph,
            removal.neuron_map,
            report_neurons_removed(
                self,
                (graph, removal.graph),
                removal.neuron_map,
                exactness,
                ({"largest_bias_rounding": float(removal.largest_rounding)},),
            ),
        )

    def _chosen(self, graph: Graph) -> list[Neuron]:
        """Return the neurons to remove, in order.

        Raises:
            UsageError: There is no such layer, or a layer would be left empty.
        """
        groups = [
            [Neuron(layer, index) for index in range(graph.layer_widths[layer])]
            for layer in self._selected_layers(graph)
        ]
        if self.scope is Scope.GLOBAL:
            groups = [[neuron for group in groups for neuron in group]]
        scores = self._scores(graph)
        chosen: list[Neuron] = []
        for group in groups:
            number = self._number(len(group))
            chosen += sorted(group, key=lambda neuron: (scores[neuron], neuron))[:number]
            self._check_left(graph, chosen, number, len(group))
        return sorted(chosen)

    def _number(self, available: int) -> int:
        return floor((self.fraction or 0) * available) if self.count is None else self.count

    def _selected_layers(self, graph: Graph) -> Sequence[int]:
        available = range(len(graph.layer_widths))
        selected = available if self.layers is None else self.layers
        unknown = [layer for layer in selected if layer not in available]
        if unknown or not available:
            msg = (
                f"method {self.name!r}: the network has {len(available)} ReLU layers, counted "
                f"from 0, so option layers cannot name {unknown or 'any'}"
            )
            raise UsageError(msg)
        return selected

    def _check_left(self, graph: Graph, chosen: list[Neuron], number: int, available: int) -> None:
        for layer, width in enumerate(graph.layer_widths):
            lost = sum(neuron.layer == layer for neuron in chosen)
            if lost == width or number > available:
                msg = (
                    f"method {self.name!r}: removing {number} of {available} neurons would leave "
                    f"ReLU layer {layer} with none of its {width}; remove fewer, select other "
                    "layers with option layers, or use scope=layer"
                )
                raise UsageError(msg)

    def _scores(self, graph: Graph) -> dict[Neuron, Fraction]:
        """Return for each neuron a number that orders neurons as the norm does."""
        incoming = [Fraction(0)] * graph.neuron_count
        outgoing = [Fraction(0)] * graph.neuron_count
        first = dict(zip(graph.relus, np.cumsum([0, *graph.layer_widths]), strict=False))
        feeds = {graph.nodes[relu].inputs[0]: relu for relu in graph.relus}
        for position, node in enumerate(graph.nodes):
            if not isinstance(node.operator, Affine):
                continue
            for weight, source in zip(node.operator.weights, node.inputs, strict=True):
                size = abs(weight.numerators) if self.norm is Norm.L1 else weight.numerators**2
                unit = Fraction(1, weight.denominator ** (1 if self.norm is Norm.L1 else 2))
                if position in feeds:
                    _add(incoming, first[feeds[position]], size.sum(axis=1), unit)
                if source in first:
                    _add(outgoing, first[source], size.sum(axis=0), unit)
        pairs = zip(incoming, outgoing, strict=True)
        match self.score:
            case Score.INCOMING:
                values = incoming
            case Score.OUTGOING:
                values = outgoing
            case Score.PRODUCT:
                values = [a * b for a, b in pairs]
        neurons = sorted(NeuronMap.identity(graph).kept)
        return dict(zip(neurons, values, strict=True))


def _add(totals: list[Fraction], start: int, sums: NDArray[Any], unit: Fraction) -> None:
    for offset, value in enumerate(sums.tolist()):
        totals[start + offset] += value * unit
