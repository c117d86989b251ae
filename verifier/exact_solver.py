# SPDX-License-Identifier: Apache-2.0
"""The exact solver of ``encoders`` as the engine asks for it, loaded at the first question.

The engine meets ``encoders`` only through ``engine/protocols``; this is where the two are joined.
Most verifications never ask, and do without z3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from verifier.engine.protocols import ExactAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from verifier.ir.graph import Graph, Neuron
    from verifier.proof.literals import Path
    from verifier.proof.muc import ExactMultipliers
    from verifier.spec.property import Property


class Z3:
    """Decides regions whose phases are all known, and finds the evidence for a certificate."""

    def __init__(
        self, graph: Graph, prop: Property, certificate_seconds: float | None = None
    ) -> None:
        """Ask nothing yet.

        Args:
            graph: The network.
            prop: The property.
            certificate_seconds: How long a search for evidence may take, or None for no limit.
        """
        self._graph = graph
        self._property = prop
        self._certificate_seconds = certificate_seconds

    def decide(
        self,
        case: int,
        path: Path,
        bounds: Mapping[Neuron, tuple[Fraction, Fraction]],
        timeout_seconds: float | None,
    ) -> ExactAnswer:
        """Decide a case under the literals of a path."""
        from encoders.decide import decide

        prop = replace(self._property, cases=(self._property.cases[case],))
        answer, point = decide(self._graph, prop, timeout_seconds, bounds=bounds, literals=path)
        return ExactAnswer(answer, point)

    def multipliers(
        self, case: int, path: Path, bounds: Mapping[Neuron, tuple[Fraction, Fraction]]
    ) -> ExactMultipliers | None:
        """Return the evidence for a case that has no solution under the literals of a path."""
        from encoders.farkas import exact_multipliers

        case_itself, limit = self._property.cases[case], self._certificate_seconds
        return exact_multipliers(self._graph, case_itself, path, bounds, limit)
