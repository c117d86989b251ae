# SPDX-License-Identifier: Apache-2.0
"""Replace the weights and biases of a network and leave its structure alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from compression.float_format import FloatFormat, FormatOverflowError
from verifier.errors import RefusedError
from verifier.ir.operators import Affine
from verifier.ir.passes.normalize import is_normal_form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verifier.ir.graph import Graph
    from verifier.ir.rational import RationalArray

    Detail = Mapping[str, object]
    Transform = Callable[["Place", RationalArray], tuple[RationalArray, Detail]]


@dataclass(frozen=True)
class Place:
    """Where a weight matrix or a bias stands.

    Attributes:
        node: Name of the Affine node.
        tensor: ``weight``, ``bias``, or ``weight[k]`` where the node reads several inputs.
        is_bias: Whether it is a bias.
    """

    node: str
    tensor: str
    is_bias: bool

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"{self.tensor} of node {self.node!r}"


def require_normal_form(graph: Graph) -> None:
    """Check what every method relies on.

    Raises:
        RefusedError: The graph is not in normal form.
    """
    if not is_normal_form(graph):
        msg = "compression needs a network in normal form; see verifier.ir.passes.normalize"
        raise RefusedError(msg)


def replace_affines(graph: Graph, affines: Mapping[int, Affine]) -> Graph:
    """Return the graph with other operators, of the same widths, at some positions."""
    nodes = tuple(
        replace(node, operator=affines.get(position, node.operator))
        for position, node in enumerate(graph.nodes)
    )
    return replace(graph, nodes=nodes)


def rewrite_tensors(graph: Graph, transform: Transform) -> tuple[Graph, tuple[Detail, ...]]:
    """Send every weight matrix and bias through ``transform``.

    Returns:
        The graph with the new values, and what ``transform`` had to tell of each tensor, with the
        tensor's place added.
    """
    affines: dict[int, Affine] = {}
    details: list[Detail] = []

    def changed(place: Place, values: RationalArray) -> RationalArray:
        result, detail = transform(place, values)
        details.append({"node": place.node, "tensor": place.tensor, **detail})
        return result

    for position, node in enumerate(graph.nodes):
        if isinstance(node.operator, Affine):
            single = len(node.operator.weights) == 1
            weights = tuple(
                changed(Place(node.name, "weight" if single else f"weight[{k}]", False), weight)
                for k, weight in enumerate(node.operator.weights)
            )
            bias = changed(Place(node.name, "bias", True), node.operator.bias)
            affines[position] = Affine(weights, bias)
    return replace_affines(graph, affines), tuple(details)


def round_tensor(place: Place, values: RationalArray, target: FloatFormat) -> RationalArray:
    """Round a tensor to the nearest numbers of a format.

    Raises:
        RefusedError: An entry is too large for the format.
    """
    try:
        return target.nearest(values)
    except FormatOverflowError as error:
        msg = f"{place}: {error}; choose a format with a wider range, or scale the network"
        raise RefusedError(msg) from error
