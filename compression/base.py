# SPDX-License-Identifier: Apache-2.0
"""What a compression method is: a network in, a smaller network and the way back out.

``apply`` is a reduction in the sense of cvxpy: it returns the new problem *and* the data that
carries answers between the two, here the ``NeuronMap``. A method is a frozen dataclass whose
fields are its options, so two runs with equal options on equal networks give equal results; no
method draws random numbers or looks at a clock.

Invariant: where every number of the original is a float32, every number of the compressed network
is one too, so that the network which is verified and the file which is written are the same, bit
for bit. The same holds for float64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from compression.options import check_options

if TYPE_CHECKING:
    from compression.report import CompressionReport
    from verifier.change.neuron_map import NeuronMap
    from verifier.ir.graph import Graph


@dataclass(frozen=True, eq=False)
class CompressionResult:
    """A compressed network.

    Attributes:
        graph: The network, in normal form.
        neuron_map: From the original's neurons to its neurons.
        report: What was done, and how much it changed.
    """

    graph: Graph
    neuron_map: NeuronMap
    report: CompressionReport


class Method(ABC):
    """A way of compressing networks. Subclasses are frozen dataclasses of options."""

    name: ClassVar[str]
    summary: ClassVar[str]

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            UsageError: An option has a value that it does not take.
        """
        check_options(self, self.name)

    @property
    def bits_per_number(self) -> int | None:
        """Bits that a weight is stored in afterwards; None where that stays as it was."""
        return None

    @abstractmethod
    def apply(self, graph: Graph) -> CompressionResult:
        """Compress a network in normal form.

        Raises:
            UsageError: The options do not fit this network.
            RefusedError: The result could not be represented exactly.
        """
