# SPDX-License-Identifier: Apache-2.0
"""What compression changed, layer by layer, as it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.web.charts import Share, common_scale, shares_bar, signed_bar
from api.web.results import Classified, read_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from api.web.charts import Scale
    from api.web.results import LayerChange, Widths

# The classes of neurons in the style sheet; further kinds share the last.
KINDS = ("unchanged", "perturbed", "connections removed")


@dataclass(frozen=True)
class WidthBar:
    """How wide the bounds of one network's layer are."""

    told: Widths
    bar: Markup


@dataclass(frozen=True)
class LayerView:
    """One layer as it is shown.

    Attributes:
        told: What the answer says of it.
        change: How far its weights moved, beside the other layers.
        kinds: What became of its neurons.
        original: How wide its bounds are in the original.
        compressed: How wide they are in the other network.
    """

    told: LayerChange
    change: Markup
    kinds: Markup
    original: WidthBar | None
    compressed: WidthBar | None


@dataclass(frozen=True)
class Comparison:
    """Two networks, compared.

    Attributes:
        told: The whole answer.
        layers: Its layers.
        kinds: Which kinds of neurons there are, with the class of each.
        has_bounds: Whether bounds were compared.
    """

    told: Classified
    layers: Sequence[LayerView]
    kinds: Sequence[tuple[str, str]]
    has_bounds: bool


def show_comparison(answer: Mapping[str, Any] | None) -> Comparison | None:
    """Return the answer of a comparison as it is shown; None if there is none."""
    told = read_answer(Classified, answer)
    if told is None:
        return None
    changes = common_scale([layer.relative_change for layer in told.layers])
    layers = [_layer(layer, changes) for layer in told.layers]
    seen = {kind for layer in told.layers for kind in layer.counts}
    return Comparison(
        told=told,
        layers=layers,
        kinds=[(kind, _class_of(kind)) for kind in sorted(seen, key=_class_of)],
        has_bounds=any(layer.original is not None for layer in layers),
    )


def _layer(layer: LayerChange, changes: Scale) -> LayerView:
    pair = layer.bound_widths
    original = pair.original if pair is not None else None
    compressed = pair.compressed if pair is not None else None
    # Deeper bounds are wider by orders of magnitude, so each layer has a scale of its own.
    widths = common_scale([side.mean for side in (original, compressed) if side is not None])
    shares = [Share(_class_of(kind), count) for kind, count in layer.counts.items()]
    shares.sort(key=lambda share: share.name)
    return LayerView(
        told=layer,
        change=signed_bar(layer.relative_change, changes, "compressed"),
        kinds=shares_bar(shares),
        original=_width(original, widths, "original"),
        compressed=_width(compressed, widths, "compressed"),
    )


def _width(told: Widths | None, scale: Scale, name: str) -> WidthBar | None:
    return None if told is None else WidthBar(told, signed_bar(told.mean, scale, name))


def _class_of(kind: str) -> str:
    return f"kind-{KINDS.index(kind)}" if kind in KINDS else f"kind-{len(KINDS)}"
