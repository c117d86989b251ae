# SPDX-License-Identifier: Apache-2.0
"""What float64 says of regions and cores is true, whatever it rounded.

Points are evaluated in rationals and compared with the floats' exact values, without tolerance.
Weights of many magnitudes, and boxes of one point, are where rounding shows: there bounds are
attained. At the limits of the error bounds, numbers must be refused rather than believed.
"""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.certificate.cuts import Cut, cases_solved_by, cuts, multipliers, some_points
from tests.certificate.test_mutated_certificates_are_rejected import mutants
from tests.certificate.test_rounding_loses_next_to_nothing import FACTORS, scaled
from tests.certificate.tiny import check, half, split_on_a_phase, touching
from tests.generators import (
    networks,
    random_box,
    random_network,
    random_points,
    rationals,
    stack,
)
from tests.oracles import evaluate_naively
from verifier.certificate import float_network as limits
from verifier.certificate import holds
from verifier.certificate.checker import check_certificate, check_with
from verifier.certificate.core_bound import Multipliers
from verifier.certificate.document import CoreEntry
from verifier.certificate.float_network import (
    MOST,
    MOST_TERMS,
    UNDERFLOW,
    BeyondFloatsError,
    float_above,
    float_below,
    float_network,
)
from verifier.certificate.float_regions import float_root
from verifier.certificate.integer_matrix import PlainArithmetic
from verifier.certificate.judges import FloatJudge
from verifier.ir.evaluate import preactivations_exactly
from verifier.ir.fingerprint import fingerprint
from verifier.ir.rational import RationalArray
from verifier.spec.property import Case, InputBox, LinearConstraint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.certificate.float_bounds import FloatRegion
    from verifier.certificate.float_network import FloatLayer
    from verifier.ir.graph import Graph


def regions_of(cut: Cut) -> list[FloatRegion | None]:
    return cut.regions(FloatJudge(cut.graph, [Case(cut.box, ())]))


def assert_inside(region: FloatRegion, graph: Graph, point: Sequence[Fraction]) -> None:
    for x, lower, upper in zip(point, *region.box, strict=True):
        assert Fraction(float(lower)) <= x <= Fraction(float(upper))
    for bounds, values in zip(region.layers, preactivations_exactly(graph, point), strict=True):
        for value, lower, upper, size in zip(
            values, bounds.lower, bounds.upper, bounds.size, strict=True
        ):
            assert Fraction(float(lower)) <= value <= Fraction(float(upper))
            assert abs(value) <= Fraction(float(size)) * (1 + Fraction(1, 2**40))


@given(data=st.data())
def test_every_run_is_inside_the_bounds_of_each_region_it_is_in(data: st.DataObject) -> None:
    cut = data.draw(cuts())
    points = some_points(data, cut)

    for depth, region in enumerate(regions_of(cut)):
        for point in points:
            if cut.admits(depth, point):
                assert region is not None
                assert_inside(region, cut.graph, point)


@given(data=st.data())
def test_every_line_is_on_its_side_of_the_relu(data: st.DataObject) -> None:
    """Lines are linear between the ends of a neuron's bounds and 0, so those are looked at."""
    for region in filter(None, regions_of(data.draw(cuts()))):
        for bounds in region.layers:
            for neuron, ends in enumerate(zip(bounds.lower, bounds.upper, strict=True)):
                phase = bounds.demanded.get(neuron)
                for z in (Fraction(float(end)) for end in (*ends, 0.0)):
                    if ends[0] <= z <= ends[1] and not (phase is False and z > 0):
                        y = max(z, Fraction(0))
                        above = Fraction(float(bounds.upper_slopes[neuron])) * z
                        assert Fraction(float(bounds.lower_slopes[neuron])) * z <= y
                        assert y <= above + Fraction(float(bounds.intercepts[neuron]))


@given(data=st.data())
def test_no_multipliers_refute_a_case_with_a_solution(data: st.DataObject) -> None:
    cut = data.draw(cuts(max_literals=2))
    points = [p for p in some_points(data, cut) if cut.admits(len(cut.literals), p)]
    if not points:
        return
    case = data.draw(cases_solved_by(cut, data.draw(st.sampled_from(points))))
    judge = FloatJudge(cut.graph, [case])
    region = cut.regions(judge)[-1]

    assert region is not None
    phases = cut.phases(len(cut.literals))
    for _ in range(3):
        core = CoreEntry(0, 0, data.draw(multipliers(cut, len(case.constraints))))
        assert not judge.refutes(region, core, phases, [])


WITHIN_LIMITS = FACTORS | {"huge": (10**12, 10**8, Fraction(1, 10**15), 1)}


@pytest.mark.parametrize("skips", [0.0, 0.5])
@pytest.mark.parametrize("kind", WITHIN_LIMITS)
@pytest.mark.parametrize("seed", range(6))
def test_at_a_single_point_bounds_are_its_values_but_for_rounding(
    kind: str, skips: float, seed: int
) -> None:
    """No phase is open, so all that a bound can be off by is what was charged."""
    rng = np.random.default_rng(seed)
    graph = random_network(rng, 4, (12, 12, 8), 2, skip_probability=skips)
    graph = scaled(graph, [Fraction(f) for f in WITHIN_LIMITS[kind]])
    (point,) = random_points(rng, random_box(rng, 4, 1.0), 1)
    point = tuple(x / 3 for x in point)
    nothing = [frozenset[int]()] * 3

    region = float_root(float_network(graph), InputBox(point, point), [{}] * 3, nothing)

    assert region is not None
    assert_inside(region, graph, point)
    for bounds in region.layers:
        assert np.all(bounds.upper - bounds.lower <= 1e-12 * bounds.size.max())


@pytest.mark.parametrize("seed", range(20))
def test_a_case_of_a_point_is_refuted_just_below_its_value_only(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_network(rng, 3, (8, 8), 2, skip_probability=0.5)
    (point,) = random_points(rng, random_box(rng, 3, 1.0), 1)
    box, (value, *_) = InputBox(point, point), evaluate_naively(graph, point)
    size = 1 + abs(value)

    for shift, expected in ((-size / 2**36, True), (-size / 2**80, False), (Fraction(0), False)):
        row = LinearConstraint((), ((0, Fraction(1)),), value + shift)
        judge = FloatJudge(graph, [Case(box, (row,))])
        region = float_root(float_network(graph), box, [{}] * 2, [frozenset[int]()] * 2)
        core = CoreEntry(0, 0, Multipliers((Fraction(1),), {}, {}))
        assert region is not None
        assert judge.refutes(region, core, {}, []) is expected


def spread_floats() -> st.SearchStrategy[Fraction]:
    """Return floats of very different magnitudes, which cancel in sums now and then."""
    return st.builds(
        lambda digits, exponent: Fraction(digits) * Fraction(2) ** exponent,
        st.integers(-(2**53) + 1, 2**53 - 1),
        st.sampled_from([-90, -53, -53, -52, -30]),
    )


@given(data=st.data())
def test_weights_of_any_magnitude_give_bounds_that_hold(data: st.DataObject) -> None:
    graph = data.draw(networks(max_neurons=10, entries=spread_floats()))
    corner = tuple(data.draw(st.lists(rationals(2), min_size=3, max_size=3)))[: graph.input_width]
    box = InputBox(corner, tuple(x + data.draw(st.sampled_from([0, 0, 1])) for x in corner))
    layers = len(graph.relus)

    region = float_root(float_network(graph), box, [{}] * layers, [frozenset[int]()] * layers)

    assert region is not None
    for point in product(*zip(box.lower, box.upper, strict=True)):
        assert_inside(region, graph, point)


HUGE, TINY = Fraction(10) ** 400, 1 / Fraction(10) ** 400
EDGES = [
    *(Fraction(0), Fraction(1, 3), HUGE, TINY, Fraction(2) ** 1024, Fraction(2) ** -1074 / 3),
    *(Fraction(sys.float_info.max), Fraction(sys.float_info.max) + 1, Fraction(2**53 + 1)),
]


@given(value=st.one_of(st.fractions(), st.sampled_from([s * v for v in EDGES for s in (1, -1)])))
def test_a_float_below_is_the_largest_that_is_not_above(value: Fraction) -> None:
    below, above = float_below(value), float_above(value)

    assert below == -math.inf or Fraction(below) <= value
    assert below == sys.float_info.max or Fraction(math.nextafter(below, math.inf)) > value
    assert above == -float_below(-value)
    assert above == math.inf or value <= Fraction(above)


def single_weight(weight: Fraction) -> Graph:
    """Return ``y = relu(weight * x)``."""
    entries = iter([weight, Fraction(0), Fraction(1), Fraction(0)])
    return stack(1, [1], 1, lambda shape: RationalArray.from_fractions([next(entries)], shape))


BEYOND = [Fraction(math.nextafter(MOST, math.inf)), HUGE]


def test_weights_up_to_the_limit_are_taken_and_larger_ones_refused() -> None:
    assert float_network(single_weight(Fraction(-MOST))).layers[0].bias == [0.0]
    for weight in (sign * value for value in BEYOND for sign in (1, -1)):
        with pytest.raises(BeyondFloatsError):
            float_network(single_weight(weight))


def test_boxes_and_sizes_up_to_the_limit_are_taken_and_larger_ones_refused() -> None:
    def bounded(weight: Fraction, end: Fraction) -> FloatRegion | None:
        network = float_network(single_weight(weight))
        return float_root(network, InputBox((Fraction(0),), (end,)), [{}], [frozenset()])

    assert bounded(Fraction(1), Fraction(MOST)) is not None
    assert bounded(Fraction(MOST), Fraction(1)) is not None
    for weight, end in [(Fraction(1), x) for x in BEYOND] + [(Fraction(MOST), Fraction(2))]:
        with pytest.raises(BeyondFloatsError):
            bounded(weight, end)


def test_cases_up_to_the_limit_are_taken_and_larger_ones_refused() -> None:
    network = float_network(single_weight(Fraction(1)))
    box = InputBox((Fraction(0),), (Fraction(1),))

    def layer(value: Fraction) -> FloatLayer:
        return network.case_layer(Case(box, (LinearConstraint((), ((0, value),), value),)))

    assert layer(Fraction(MOST)).bias == [-MOST]
    for value in BEYOND:
        with pytest.raises(BeyondFloatsError):
            layer(value)


def test_sums_up_to_the_limit_are_taken_and_longer_ones_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph = random_network(np.random.default_rng(0), 30, (4,), 2)
    epsilon = float_network(graph).epsilon
    # Of 30 inputs and a bias, or of the parts of a constant beside; more is no harm.
    terms = round(epsilon * 2**51) - 64
    assert terms >= 31

    monkeypatch.setattr(limits, "MOST_TERMS", terms)
    assert float_network(graph).epsilon == epsilon
    monkeypatch.setattr(limits, "MOST_TERMS", terms - 1)
    with pytest.raises(BeyondFloatsError):
        float_network(graph)


def test_charges_for_underflow_exceed_what_the_limits_let_underflow() -> None:
    smallest_normal = Fraction(sys.float_info.min)
    most, terms = Fraction(MOST), Fraction(MOST_TERMS)

    # Each product may be replaced by 0, in a coefficient and in the magnitudes it is charged by.
    assert Fraction(UNDERFLOW) >= 1000 * terms * terms * smallest_normal * most


@pytest.mark.parametrize("weight", [1e300, sys.float_info.max, Fraction(10) ** 400])
@pytest.mark.parametrize("coefficient", [Fraction(1, 10**30), Fraction(1), Fraction(10**20)])
def test_multipliers_that_overflow_refute_nothing(
    weight: float | Fraction, coefficient: Fraction
) -> None:
    box = InputBox((Fraction(-1),), (Fraction(1),))
    # Solved by x = 1, for which y = 1: in the second row 1 - 1 is at most 0, just so.
    rows = (
        LinearConstraint((), ((0, -coefficient),), -coefficient),
        LinearConstraint(((0, coefficient),), ((0, -coefficient),), Fraction(0)),
    )
    judge = FloatJudge(single_weight(Fraction(1)), [Case(box, rows)])
    region = float_root(float_network(single_weight(Fraction(1))), box, [{}], [frozenset()])

    assert region is not None
    for weights in ((weight, 0.0), (0.0, weight), (weight, weight), (weight, 1.0)):
        for held in (0.0, weight):
            hints = Multipliers(weights, {(0, 0): (0.5, held)}, {})
            assert not judge.refutes(region, CoreEntry(0, 0, hints), {}, [])


def test_a_core_that_floats_confirm_is_not_judged_by_integers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def arithmetic() -> PlainArithmetic:
        asked.append(1)
        return PlainArithmetic()

    monkeypatch.setattr(holds, "fastest_arithmetic", arithmetic)

    assert check(split_on_a_phase()).accepted
    assert asked == []
    document, strict = touching()
    assert check(document, strict).accepted
    assert asked == [1]


def test_numbers_beyond_the_limits_are_left_to_the_integers() -> None:
    weights = [Fraction(2) ** 100, Fraction(2) ** 100, Fraction(0), Fraction(0)]
    weights += [Fraction(1, 2**100), -Fraction(1, 2**100), Fraction(0)]
    entries = iter(weights)

    def fill(shape: tuple[int, ...]) -> RationalArray:
        return RationalArray.from_fractions([next(entries) for _ in range(math.prod(shape))], shape)

    graph = stack(1, [2], 1, fill)
    document = split_on_a_phase() | {"network": fingerprint(graph)}
    with pytest.raises(BeyondFloatsError):
        FloatJudge(graph, half().cases)

    report = check_certificate(document, graph, half())

    assert report == check(split_on_a_phase())


def test_floats_accept_no_mutant_that_integers_reject() -> None:
    accepted = 0
    for name, proof, mutant in mutants(51, 6):
        report = check_certificate(mutant, proof.graph, proof.prop)
        alone = check_with(PlainArithmetic(), mutant, proof.graph, proof.prop)
        assert report.accepted == alone.accepted, name
        accepted += report.accepted

    assert accepted > 0
