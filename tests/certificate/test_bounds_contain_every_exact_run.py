# SPDX-License-Identifier: Apache-2.0
"""Whatever slopes, lower lines and multipliers a certificate names: bounds stay bounds, exactly.

Networks, boxes, literals and multipliers are random; points are evaluated in rationals. There is
no tolerance anywhere: a single rounding to the wrong side would show where bounds are attained.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.certificate.cuts import Cut, cases_solved_by, cuts, multipliers, some_points
from tests.oracles import evaluate_naively
from verifier.certificate.core_bound import Multipliers, refutes
from verifier.certificate.integer_matrix import Arithmetic, FlintArithmetic, PlainArithmetic
from verifier.certificate.judges import IntegerJudge
from verifier.certificate.scaled_network import FRACTION_BITS, ONE, power_of_two
from verifier.ir.evaluate import preactivations_exactly
from verifier.spec.property import Case, InputBox, LinearConstraint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.certificate.region_bounds import Region
    from verifier.ir.graph import Graph

ARITHMETICS: list[Arithmetic] = [PlainArithmetic(), FlintArithmetic()]


def regions_of(cut: Cut, arithmetic: Arithmetic) -> list[Region | None]:
    return cut.regions(IntegerJudge(cut.graph, [Case(cut.box, ())], arithmetic))


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=["plain", "flint"])
@given(data=st.data())
def test_every_run_is_inside_the_bounds_of_each_region_it_is_in(
    arithmetic: Arithmetic, data: st.DataObject
) -> None:
    cut = data.draw(cuts())
    points = some_points(data, cut)

    for depth, region in enumerate(regions_of(cut, arithmetic)):
        for point in points:
            if cut.admits(depth, point):
                assert region is not None
                assert_inside(region, cut.graph, point)


def assert_inside(region: Region, graph: Graph, point: Sequence[Fraction]) -> None:
    sides = zip(point, *region.box, strict=True)
    for i, (x, lower, upper) in enumerate(sides):
        value = region.network.scaled_input(i, x) * ONE
        assert int(lower) <= value <= int(upper)
    for layer, values in enumerate(preactivations_exactly(graph, point)):
        unit = power_of_two(region.network.exponents[layer + 1] - FRACTION_BITS)
        bounds = region.layers[layer]
        for value, lower, upper in zip(values, bounds.lower, bounds.upper, strict=True):
            assert int(lower) * unit <= value <= int(upper) * unit


@given(cut=cuts())
def test_flint_and_the_standard_library_find_the_same_bounds(cut: Cut) -> None:
    for plain, flint in zip(*(regions_of(cut, a) for a in ARITHMETICS), strict=True):
        assert (plain is None) == (flint is None)
        if plain is not None and flint is not None:
            assert plain.box == tuple([int(v) for v in side] for side in flint.box)
            for ours, theirs in zip(plain.layers, flint.layers, strict=True):
                assert ours.lower == [int(v) for v in theirs.lower]
                assert ours.upper == [int(v) for v in theirs.upper]


@given(cut=cuts())
def test_a_child_is_never_looser_than_its_parent(cut: Cut) -> None:
    regions = regions_of(cut, PlainArithmetic())
    for parent, child in pairwise(regions):
        if parent is not None and child is not None:
            for before, after in zip(parent.layers, child.layers, strict=True):
                assert all(a >= b for a, b in zip(after.lower, before.lower, strict=True))
                assert all(a <= b for a, b in zip(after.upper, before.upper, strict=True))


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=["plain", "flint"])
@given(data=st.data())
def test_no_multipliers_refute_a_case_with_a_solution(
    arithmetic: Arithmetic, data: st.DataObject
) -> None:
    """Each bound is what its row is worth at one point of the region, so that point solves all."""
    cut = data.draw(cuts(max_literals=2))
    points = [p for p in some_points(data, cut) if cut.admits(len(cut.literals), p)]
    if not points:
        return
    point = data.draw(st.sampled_from(points))
    case = data.draw(cases_solved_by(cut, point))
    region = regions_of(cut, arithmetic)[-1]

    assert region is not None
    phases = cut.phases(len(cut.literals))
    for _ in range(3):
        chosen = data.draw(multipliers(cut, len(case.constraints)))
        assert not refutes(region, case, chosen, phases)


@given(data=st.data())
def test_where_no_phase_is_open_the_bound_is_the_minimum(data: st.DataObject) -> None:
    """A case just below the least output is refuted, one just above is not: 2**-80 decides."""
    cut = data.draw(cuts(max_literals=0))
    corner = data.draw(st.sampled_from(some_points(data, cut)))
    point = InputBox(corner, corner)
    region = regions_of(cut._replace(box=point), FlintArithmetic())[0]
    (value, *_) = evaluate_naively(cut.graph, corner)

    assert region is not None
    for shift, expected in ((Fraction(-1, 2**80), True), (Fraction(0), False)):
        row = LinearConstraint((), ((0, Fraction(1)),), value + shift)
        chosen = Multipliers((Fraction(1),), {}, {})
        assert refutes(region, Case(point, (row,)), chosen, {}) is expected
