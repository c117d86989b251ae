# SPDX-License-Identifier: Apache-2.0
"""A query: networks with named tensors, and a property of them taken together.

Entries of tensors count in a row: network after network in the order of declaration, tensor after
tensor, each in row-major order. All inputs are one row. The other row has, for each network, its
outputs and then its hidden nodes. Inputs of several networks that the text asserts to be equal are
*one* input of the property, because networks that see the same input can then be compared neuron by
neuron; ``shared`` says which.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.spec.property import Property


@dataclass(frozen=True)
class Tensor:
    """A declared variable.

    Attributes:
        name: Its name, unique in the query.
        element_type: The word for its elements' type, ``real`` for real numbers.
        shape: Empty for a scalar.
        node_name: The name in the ONNX file, of a hidden node.
        is_initialized: Whether the ONNX file gives an input its value.
        offset: Where the text declares it.
    """

    name: str
    element_type: str
    shape: tuple[int, ...]
    node_name: str = ""
    is_initialized: bool = False
    offset: int = field(default=0, compare=False)

    @property
    def width(self) -> int:
        """Number of entries."""
        return prod(self.shape)

    def entry(self, position: int) -> str:
        """Return the text of an entry, counted in row-major order."""
        indices: list[int] = []
        for extent in reversed(self.shape):
            position, index = divmod(position, extent)
            indices.append(index)
        return f"{self.name}[{','.join(map(str, reversed(indices)))}]" if indices else self.name


@dataclass(frozen=True)
class NetworkDeclaration:
    """A declared network.

    Attributes:
        name: Its name.
        inputs: At least one.
        hidden: Values inside that the query speaks of.
        outputs: At least one.
        equal_to: The network that it is, under another name for other inputs; empty for none.
        isomorphic_to: The network that it has the structure of; empty for none.
        offset: Where the text declares it.
    """

    name: str
    inputs: tuple[Tensor, ...]
    hidden: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    equal_to: str = ""
    isomorphic_to: str = ""
    offset: int = field(default=0, compare=False)

    @property
    def results(self) -> tuple[Tensor, ...]:
        """What it computes: outputs, then hidden nodes."""
        return self.outputs + self.hidden

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that it declares, in the order of declaration."""
        return self.inputs + self.hidden + self.outputs


@dataclass(frozen=True)
class Query:
    """What is asked of the networks.

    Attributes:
        version: Major version of the language that the text is in.
        networks: At least one.
        shared: For each input entry, which input of the property it is.
        property: The property.
    """

    version: int
    networks: tuple[NetworkDeclaration, ...]
    shared: Sequence[int]
    property: Property

    @cached_property
    def first_entries(self) -> tuple[int, ...]:
        """For each input of the property, the first entry that is it."""
        first: dict[int, int] = {}
        for entry, position in enumerate(self.shared):
            first.setdefault(position, entry)
        return tuple(first[position] for position in range(len(first)))

    @cached_property
    def inputs(self) -> Row:
        """All inputs in a row."""
        return Row(tuple(tensor for network in self.networks for tensor in network.inputs))

    @cached_property
    def results(self) -> Row:
        """All outputs and hidden nodes in a row."""
        return Row(tuple(tensor for network in self.networks for tensor in network.results))


@dataclass(frozen=True)
class Row:
    """Entries of several tensors, counted in a row."""

    tensors: tuple[Tensor, ...]

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Number of the first entry of each tensor, and of all entries."""
        return tuple(accumulate((tensor.width for tensor in self.tensors), initial=0))

    @property
    def width(self) -> int:
        """Number of entries."""
        return self.starts[-1]

    def entry(self, position: int) -> str:
        """Return the text of an entry."""
        number = bisect_right(self.starts, position) - 1
        return self.tensors[number].entry(position - self.starts[number])
