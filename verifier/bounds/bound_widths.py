# SPDX-License-Identifier: Apache-2.0
"""How wide the bounds of a network's neurons are over the input boxes of a property.

Wide bounds and many unstable neurons are what make a verification hard. Put beside each other for
two networks, they tell what compression did to that, before anything is proved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.bounds.box import Box
from verifier.bounds.intersection import bound_property
from verifier.bounds.layers import Layers
from verifier.bounds.relaxation import unstable

if TYPE_CHECKING:
    from verifier.ir.graph import Graph
    from verifier.spec.property import Property


@dataclass(frozen=True)
class BoundWidths:
    """The preactivation bounds of one ReLU layer.

    Attributes:
        mean: Mean of upper less lower bound, over neurons and boxes.
        largest: The largest of these.
        unstable: Neurons that may have either phase in one of the boxes.
    """

    mean: float
    largest: float
    unstable: int

    def json(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        return {"mean": self.mean, "largest": self.largest, "unstable": self.unstable}


def bound_widths(graph: Graph, prop: Property) -> tuple[BoundWidths, ...]:
    """Return how wide the bounds of each ReLU layer are; nothing for a property without cases.

    They are those that a verification starts from, before a wide network's are tightened.

    Args:
        graph: In normal form.
        prop: As wide as the network.

    Raises:
        RefusedError: A value may be so large that float64 bounds would overflow.
    """
    layers = Layers.of(graph)
    boxes = {id(case.box): case.box for case in prop.cases}.values()
    bounds = [bound_property(layers, Box.around(box.lower, box.upper))[0].neurons for box in boxes]
    if not bounds:
        return ()
    neurons = Box.stack(bounds)
    return tuple(_widths(neurons.columns(place)) for place in layers.slices)


def _widths(bounds: Box) -> BoundWidths:
    widths = bounds.upper - bounds.lower
    is_open = unstable(bounds).any(axis=0)
    mean = float(np.mean(widths)) if widths.size else 0.0
    return BoundWidths(mean, float(np.max(widths, initial=0.0)), int(is_open.sum()))
