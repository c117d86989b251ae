# SPDX-License-Identifier: Apache-2.0
"""The complete answer for small networks: one formula, one call, and a point that replays.

This is the reference that the faster engines are held against. It is exponential in the number of
unstable neurons in the worst case; some thirty of them take seconds to minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from encoders.session import Session
from verifier.spec.counterexample import replay_exactly
from verifier.verdict import Answer

if TYPE_CHECKING:
    from fractions import Fraction

    from encoders.base import Bounds
    from verifier.ir.graph import Graph
    from verifier.spec.property import Property


def decide(
    graph: Graph,
    prop: Property,
    timeout_seconds: float | None = None,
    *,
    bounds: Bounds | None = None,
) -> tuple[Answer, tuple[Fraction, ...] | None]:
    """Decide whether the property can be violated, in exact real arithmetic.

    Args:
        graph: In normal form.
        prop: What to violate.
        timeout_seconds: Time for the solver; after that the answer is UNKNOWN.
        bounds: Preactivation bounds, true for every input of every case.

    Returns:
        SAT with a violating input, which was replayed exactly; else UNSAT or UNKNOWN with None.

    Raises:
        PropertyError: The property does not fit the network.
        UnsupportedError: The graph is not in normal form, or has an unknown operator.
        RuntimeError: The solver's input does not violate the property: a defect, not a verdict.
    """
    with Session(graph, prop, bounds=bounds) as session:
        answer = session.solve(timeout_seconds=timeout_seconds)
        if answer is not Answer.SAT:
            return answer, None
        point = session.model_point()
    if replay_exactly(graph, prop, point) is None:
        msg = f"z3's input {point} does not violate the property"
        raise RuntimeError(msg)
    return answer, point
