# SPDX-License-Identifier: Apache-2.0
"""Tell what compression did to a network, neuron by neuron, layer by layer and in sum.

The classes decide what becomes of a proof. A neuron whose own row and everything upstream of it is
as before keeps its literals as they are; one with other weights keeps them too, but what was proven
of it must be validated again; a neuron that is gone or constant has its literals rewritten or
dropped; where layers have nothing in common, reuse cannot help, and it is better to know at once.

Whether something changed is decided on exact rationals; how much is measured in float64. A neuron's
relative change is the norm of its row's change over the root mean square norm of the rows of its
layer, so that a neuron with tiny weights does not look as if it had changed most.

The report follows the neuron map, right or wrong; nothing in it is part of a proof.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.change.layers import layers_of
from verifier.change.row_difference import (
    Comparison,
    RowDifference,
    compare_rows,
    distinct_weights,
    is_ternary,
    layer_norm,
)
from verifier.errors import UsageError
from verifier.ir.graph import Neuron

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from verifier.change.neuron_map import NeuronMap
    from verifier.ir.graph import Graph

# So many weights for each distinct value, at least, and at most so many values, make them shared.
_SHARING_FACTOR = 8
_FEW_VALUES = 32


class ChangeKind(StrEnum):
    """What happened to a neuron, a layer or a network."""

    UNCHANGED = "unchanged"
    CONNECTIONS_REMOVED = "connections removed"
    PERTURBED = "perturbed"
    WEIGHTS_SHARED = "weights shared"
    TERNARY = "ternary"
    STUCK = "stuck"
    REMOVED = "removed"
    UNMAPPED = "unmapped"
    REPLACED = "replaced"
    UNRELATED = "unrelated"


class Treatment(StrEnum):
    """What to do with the part of a proof that speaks of it, cheapest first."""

    TRANSLATE = "translate unchanged"
    REVALIDATE = "revalidate"
    REWRITE_LITERALS = "rewrite literals"
    NO_REUSE = "no reuse"


@dataclass(frozen=True)
class NeuronChange:
    """What happened to one neuron of the original, or to one output.

    Attributes:
        neuron: Outputs count as the layer after the last ReLU layer.
        partner: What stands for it in the compressed network.
        kind: One of those from UNCHANGED to UNMAPPED that concern a single neuron.
        treatment: What to do with its literals.
        changed: Connections whose weight is another one now, other than by becoming 0.
        zeroed: Connections whose weight became 0.
        lost: Connections from neurons that have no partner.
        added: Connections from compressed neurons that no original neuron maps to.
        max_change: Largest absolute change of a kept weight or the bias.
        norm_change: Euclidean norm of the same changes.
        relative_change: ``norm_change`` relative to the layer's rows.
    """

    neuron: Neuron
    partner: Neuron | None
    kind: ChangeKind
    treatment: Treatment
    changed: int = 0
    zeroed: int = 0
    lost: int = 0
    added: int = 0
    max_change: float = 0.0
    norm_change: float = 0.0
    relative_change: float = 0.0

    def json(self) -> dict[str, Any]:
        """Return the change as JSON values."""
        return {
            "neuron": list(self.neuron),
            "partner": None if self.partner is None else list(self.partner),
            "kind": str(self.kind),
            "treatment": str(self.treatment),
            "changed": self.changed,
            "zeroed": self.zeroed,
            "lost": self.lost,
            "added": self.added,
            "max_change": self.max_change,
            "norm_change": self.norm_change,
            "relative_change": self.relative_change,
        }


@dataclass(frozen=True)
class LayerChange:
    """What happened to one layer of the original; the output is the last.

    Attributes:
        layer: Its number.
        name: The name of its node.
        is_output: Whether it is the output, and no ReLU layer.
        width: Neurons in the original.
        partners: Neurons that have a counterpart.
        kind: What describes the layer as a whole.
        treatment: The dearest treatment that one of its neurons needs.
        counts: How many neurons have which kind.
        zeroed: Connections that became 0, in all neurons.
        max_change: Largest absolute change of a kept weight or bias.
        relative_change: Euclidean norm of the changes relative to that of the layer.
        distinct_before: Number of distinct weights in the original.
        distinct_after: Number of distinct weights in the layer that it maps to; 0 if none.
    """

    layer: int
    name: str
    is_output: bool
    width: int
    partners: int
    kind: ChangeKind
    treatment: Treatment
    counts: Mapping[ChangeKind, int]
    zeroed: int
    max_change: float
    relative_change: float
    distinct_before: int
    distinct_after: int

    def json(self) -> dict[str, Any]:
        """Return the change as JSON values."""
        return {
            "layer": self.layer,
            "name": self.name,
            "is_output": self.is_output,
            "width": self.width,
            "partners": self.partners,
            "kind": str(self.kind),
            "treatment": str(self.treatment),
            "counts": {str(kind): count for kind, count in self.counts.items()},
            "zeroed": self.zeroed,
            "max_change": self.max_change,
            "relative_change": self.relative_change,
            "distinct_before": self.distinct_before,
            "distinct_after": self.distinct_after,
        }


@dataclass(frozen=True)
class ChangeReport:
    """What happened to a network.

    Attributes:
        kind: The gravest kind among its layers; UNRELATED if most are beyond recognition.
        treatment: The dearest treatment among its layers.
        layers: One for each ReLU layer of the original, and the output.
        neurons: One for each neuron of the original, and each output.
        map_source: Where the neuron map came from.
        map_confidence: How sure it is.
    """

    kind: ChangeKind
    treatment: Treatment
    layers: tuple[LayerChange, ...]
    neurons: tuple[NeuronChange, ...]
    map_source: str
    map_confidence: float

    def json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "kind": str(self.kind),
            "treatment": str(self.treatment),
            "map": {"source": self.map_source, "confidence": self.map_confidence},
            "layers": [layer.json() for layer in self.layers],
            "neurons": [neuron.json() for neuron in self.neurons],
        }

    def table(self) -> str:
        """Return a short table for people, one line for each layer."""
        head = ("layer", "neurons", "change", "zeroed", "max", "relative", "treatment")
        rows = [head, *(_table_row(layer) for layer in self.layers)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        summary = f"network: {self.kind}; {self.treatment}"
        matched = f"neuron map: {self.map_source}, confidence {self.map_confidence:.2f}"
        return "\n".join([*lines, summary, matched])


def _table_row(change: LayerChange) -> tuple[str, ...]:
    label = "output" if change.is_output else str(change.layer)
    kinds = ", ".join(f"{count} {kind}" for kind, count in change.counts.items())
    whole = set(change.counts) != {change.kind}
    return (
        label,
        f"{change.partners}/{change.width}",
        f"{change.kind} ({kinds})" if whole else str(change.kind),
        str(change.zeroed),
        f"{change.max_change:.3g}",
        f"{change.relative_change:.3g}",
        str(change.treatment),
    )


def classify(original: Graph, compressed: Graph, neuron_map: NeuronMap) -> ChangeReport:
    """Return what became of each neuron and layer of the original.

    Args:
        original: In normal form.
        compressed: In normal form, with as many inputs and outputs.
        neuron_map: From the original to the compressed network.

    Raises:
        UnsupportedError: A network is not in normal form.
        UsageError: The networks differ in inputs or outputs, or the map names other neurons.
    """
    comparison = Comparison(layers_of(original), layers_of(compressed), neuron_map)
    _check(original, compressed, neuron_map)
    touched: set[Neuron] = set()
    layers: list[LayerChange] = []
    neurons: list[NeuronChange] = []
    for number, layer in enumerate(comparison.ours):
        differences = compare_rows(comparison, number, touched)
        is_gone = comparison.is_exhausted(number)
        changes = [
            _neuron_change(Neuron(number, index), differences.get(index), is_gone=is_gone)
            for index in range(layer.width)
        ]
        touched |= {c.neuron for c in changes if c.treatment is not Treatment.TRANSLATE}
        layers.append(_layer_change(comparison, number, changes))
        neurons += changes
    kind = _overall(layers)
    treatment = _dearest(layer.treatment for layer in layers)
    if kind is ChangeKind.UNRELATED:
        treatment = Treatment.NO_REUSE
    return ChangeReport(
        kind, treatment, tuple(layers), tuple(neurons), neuron_map.source, neuron_map.confidence
    )


def _check(original: Graph, compressed: Graph, neuron_map: NeuronMap) -> None:
    widths = [(g.input_width, g.output_width) for g in (original, compressed)]
    if widths[0] != widths[1]:
        msg = f"inputs and outputs: {widths[0]} in the original, {widths[1]} in the compressed"
        raise UsageError(msg)
    named = (
        ("original", original, [*neuron_map.kept, *neuron_map.removed]),
        ("compressed", compressed, neuron_map.kept.values()),
    )
    for which, graph, neurons in named:
        layers = graph.layer_widths
        for layer, index in neurons:
            if not (0 <= layer < len(layers) and 0 <= index < layers[layer]):
                msg = f"the map names neuron {(layer, index)}; {which} layer widths: {layers}"
                raise UsageError(msg)


def _neuron_change(
    neuron: Neuron, difference: RowDifference | None, *, is_gone: bool
) -> NeuronChange:
    if difference is None:
        kind = ChangeKind.REMOVED if is_gone else ChangeKind.UNMAPPED
        return NeuronChange(neuron, None, kind, Treatment.REWRITE_LITERALS)
    kind = _kind(difference)
    treatment = Treatment.REVALIDATE
    if kind is ChangeKind.STUCK:
        treatment = Treatment.REWRITE_LITERALS
    elif kind is ChangeKind.UNCHANGED and not difference.reads_touched:
        treatment = Treatment.TRANSLATE
    return NeuronChange(
        neuron,
        difference.partner,
        kind,
        treatment,
        difference.changed,
        difference.zeroed,
        difference.lost,
        difference.added,
        difference.max_change,
        difference.norm_change,
        difference.relative_change,
    )


def _kind(difference: RowDifference) -> ChangeKind:
    if difference.became_stuck:
        return ChangeKind.STUCK
    if difference.changed or difference.added or difference.bias_changed:
        return ChangeKind.PERTURBED
    if difference.zeroed or difference.lost:
        return ChangeKind.CONNECTIONS_REMOVED
    return ChangeKind.UNCHANGED


def _layer_change(
    comparison: Comparison, number: int, changes: Sequence[NeuronChange]
) -> LayerChange:
    layer = comparison.ours[number]
    partners = [c.partner for c in changes if c.partner is not None]
    targets = sorted({partner.layer for partner in partners})
    size, change = layer_norm(layer), float(np.linalg.norm([c.norm_change for c in changes]))
    counts = Counter(c.kind for c in changes)
    relative = change / size if size else float(change > 0)
    kind = max(counts, key=list(ChangeKind).index)
    available = max((comparison.theirs[target].width for target in targets), default=0)
    if 2 * len(partners) < min(layer.width, available) or not partners or relative > 1.0:
        kind = ChangeKind.REPLACED
    elif kind is ChangeKind.PERTURBED and len(targets) == 1:
        kind = _sharing(comparison, number, targets[0])
    treatment = Treatment.NO_REUSE
    if kind is not ChangeKind.REPLACED:
        treatment = _dearest(change.treatment for change in changes)
    return LayerChange(
        layer=number,
        name=layer.name,
        is_output=number == len(comparison.ours) - 1,
        width=layer.width,
        partners=len(partners),
        kind=kind,
        treatment=treatment,
        counts=dict(sorted(counts.items(), key=lambda item: list(ChangeKind).index(item[0]))),
        zeroed=sum(c.zeroed for c in changes),
        max_change=max((c.max_change for c in changes), default=0.0),
        relative_change=relative,
        distinct_before=distinct_weights(layer),
        distinct_after=max((distinct_weights(comparison.theirs[t]) for t in targets), default=0),
    )


def _sharing(comparison: Comparison, number: int, target: int) -> ChangeKind:
    """Return whether perturbed weights now take few values, as they did not before."""
    before, after = comparison.ours[number], comparison.theirs[target]
    if is_ternary(after) and not is_ternary(before):
        return ChangeKind.TERNARY
    distinct = distinct_weights(after)
    weights = sum(block.shape[0] * block.shape[1] for block in after.blocks.values())
    is_few = distinct <= _FEW_VALUES and distinct * _SHARING_FACTOR <= weights
    if is_few and distinct < distinct_weights(before):
        return ChangeKind.WEIGHTS_SHARED
    return ChangeKind.PERTURBED


def _overall(layers: Sequence[LayerChange]) -> ChangeKind:
    replaced = sum(layer.kind is ChangeKind.REPLACED for layer in layers)
    if 2 * replaced > len(layers):
        return ChangeKind.UNRELATED
    return max((layer.kind for layer in layers), key=list(ChangeKind).index)


def _cost(treatment: Treatment) -> int:
    return list(Treatment).index(treatment)


def _dearest(treatments: Iterable[Treatment]) -> Treatment:
    return max(treatments, key=_cost)
