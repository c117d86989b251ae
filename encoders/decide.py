# SPDX-License-Identifier: Apache-2.0
"""The complete answer for small problems: one formula, one call, and a point that replays.

A problem is small if few phases are open: because the network is small, or because bounds and
literals, such as those of a leaf of a search, leave few. This is the reference that the faster
engines are held against. It is exponential in the number of open phases in the worst case; some
thirty of them take seconds to minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from encoders.session import Session
from verifier.spec.counterexample import replay_exactly
from verifier.verdict import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from encoders.base import Bounds, Literal
    from verifier.ir.graph import Graph, Neuron
    from verifier.spec.property import Property


def decide(
    graph: Graph,
    prop: Property,
    timeout_seconds: float | None = None,
    *,
    bounds: Bounds | None = None,
    literals: Iterable[Literal] = (),
) -> tuple[Answer, tuple[Fraction, ...] | None]:
    """Decide whether the property can be violated, in exact real arithmetic.

    Args:
        graph: In normal form.
        prop: What to violate.
        timeout_seconds: Time for the solver; after that the answer is UNKNOWN.
        bounds: Preactivation bounds, true for every input of every case that obeys the literals.
        literals: What is assumed besides: phases of neurons, half-spaces of inputs.

    Returns:
        SAT with a violating input, which was replayed exactly; else UNSAT or UNKNOWN with None.

    Raises:
        PropertyError: The property does not fit the network.
        UnsupportedError: The graph is not in normal form, or has an unknown operator.
        ValueError: Literals or bounds name what does not exist, or demand both phases of a neuron.
        RuntimeError: The solver's input does not violate the property: a defect, not a verdict.
    """
    fixed, half_spaces = _sorted_out(literals)
    with Session(graph, prop, bounds=bounds, fixed=fixed) as session:
        answer = session.solve(half_spaces, timeout_seconds=timeout_seconds)
        if answer is not Answer.SAT:
            return answer, None
        point = session.model_point()
    if replay_exactly(graph, prop, point) is None:
        msg = f"z3's input {point} does not violate the property"
        raise RuntimeError(msg)
    return answer, point


def _sorted_out(literals: Iterable[Literal]) -> tuple[dict[Neuron, bool], list[Literal]]:
    """Part phases from half-spaces."""
    fixed: dict[Neuron, bool] = {}
    half_spaces: list[Literal] = []
    for literal in literals:
        if len(literal) == 3:
            half_spaces.append(literal)
            continue
        neuron, active = literal
        if fixed.setdefault(neuron, active) != active:
            msg = f"neuron {tuple(neuron)} is assumed in both phases at once"
            raise ValueError(msg)
    return fixed, half_spaces
