# SPDX-License-Identifier: Apache-2.0
"""An output that touches its bound: strictly excluded it holds, with evidence; else it does not."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
import z3

from tests.certificate.proofs import node_values
from tests.generators import stack
from verifier.certificate.checker import check_certificate
from verifier.errors import RefusedError
from verifier.ir.rational import RationalArray
from verifier.options import EngineOptions
from verifier.pipeline import Result, prove
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from verifier.ir.graph import Graph

INPUTS, PHASES = EngineOptions(input_split_width=12), EngineOptions(input_split_width=0)
# Numbers that no float has.
BOX = InputBox((Fraction(-1, 3), Fraction(-2, 7)), (Fraction(1, 3), Fraction(5, 7)))


def network(rng: np.random.Generator) -> Graph:
    def fill(shape: tuple[int, ...]) -> RationalArray:
        ninths = rng.integers(-9, 10, size=int(np.prod(shape)))
        return RationalArray.from_fractions([Fraction(int(n), 9) for n in ninths], shape)

    return stack(2, (int(rng.integers(2, 5)), int(rng.integers(2, 4))), 2, fill)


def least_output(graph: Graph) -> Fraction:
    """Return the least value of the first output over the box, from z3."""
    inputs = [z3.Real(f"x{i}") for i in range(2)]
    solver = z3.Optimize()
    for x, *ends in zip(inputs, BOX.lower, BOX.upper, strict=True):
        low, high = (z3.Q(end.numerator, end.denominator) for end in ends)
        solver.add(x >= low, x <= high)
    least = solver.minimize(node_values(graph, inputs, solver)[-1][0])
    assert solver.check() == z3.sat
    value = least.value()
    return Fraction(value.numerator_as_long(), value.denominator_as_long())


def excluded(bound: Fraction, *, strict: bool) -> Property:
    row = LinearConstraint((), ((0, Fraction(1)),), bound, strict)
    return Property(2, 2, (Case(BOX, (row,)),))


def is_certified(graph: Graph, prop: Property, result: Result) -> bool:
    document = json.loads(json.dumps(result.certificate()))
    return check_certificate(document, graph, prop).verdict is result.verdict


@pytest.mark.parametrize("options", [INPUTS, PHASES], ids=["inputs", "phases"])
@pytest.mark.parametrize("seed", range(8))
def test_the_least_output_is_reached_and_nothing_below_it(
    seed: int, options: EngineOptions
) -> None:
    graph = network(np.random.default_rng(seed))
    least = least_output(graph)
    hair = Fraction(1, 2**200)
    expected = {
        (least, True): Verdict.HOLDS,
        (least, False): Verdict.VIOLATED,
        (least - hair, False): Verdict.HOLDS,
        (least + hair, True): Verdict.VIOLATED,
    }

    for (bound, strict), verdict in expected.items():
        prop = excluded(bound, strict=strict)
        result = prove(graph, prop, options)
        assert result.verdict is verdict
        assert is_certified(graph, prop, result)
        if verdict is Verdict.HOLDS:
            assert result.statistics.calls["exact"]


def test_without_exact_multipliers_there_is_no_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = network(np.random.default_rng(0))
    result = prove(graph, excluded(least_output(graph), strict=True), PHASES)
    monkeypatch.setattr("encoders.farkas.exact_multipliers", lambda *_: None)

    with pytest.raises(RefusedError, match="finds no multipliers that show it"):
        result.certificate()
