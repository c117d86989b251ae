# SPDX-License-Identifier: Apache-2.0
"""Underflow, overflow and cancellation: never a wrong refutation, never a NaN that proves.

Each named case is one in which plain float64 loses a term that decides the property.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.bounds import tangled_networks as tangled
from tests.bounds.escapes import anywhere, from_domains
from tests.bounds.tangled_networks import chain
from verifier.bounds import zonotope
from verifier.bounds.box import Box
from verifier.bounds.intersection import bound_property
from verifier.bounds.layers import HUGE, Layers
from verifier.bounds.relaxation import relax
from verifier.engine.evaluate import Query
from verifier.engine.problem import Problem
from verifier.engine.refute import refute
from verifier.engine.region import root
from verifier.errors import RefusedError, UnsupportedError
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.graph import Graph, Node
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray
from verifier.spec.property import Case, InputBox, LinearConstraint, Property

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE, ZERO = Fraction(1), Fraction(0)


def scalar(value: Fraction) -> RationalArray:
    return RationalArray.from_fractions([value], (1, 1))


def at_least(upper: Fraction, bound: Fraction) -> Property:
    """Return the property that is violated where the output is at least a bound."""
    constraint = LinearConstraint((), ((0, -ONE),), -bound)
    return Property(1, 1, (Case(InputBox((ZERO,), (upper,)), (constraint,)),))


def is_refuted(graph: Graph, prop: Property) -> bool:
    problem = Problem.of(graph, prop)
    (attempt,) = refute(problem, [Query(root(problem, 0), 0)], 100)
    return attempt.core is not None


def power(base: int, exponent: int) -> Fraction:
    return Fraction(base) ** exponent


LOST = {
    "two coefficients whose product is below the smallest float": (
        chain(power(10, 300), power(10, -200), power(10, -200)),
        ONE,
    ),
    "float32 weights, the smallest there are": (
        chain(power(2, 127), *[power(2, -149)] * 8),
        power(2, 127),
    ),
    "a weight below the smallest float": (
        chain(power(10, -330), power(10, 200)),
        power(10, 300),
    ),
    "an input below the smallest normal float": (
        chain(power(10, 300), ONE),
        power(2, -1074),
    ),
}


@pytest.mark.parametrize("name", LOST)
def test_a_lost_term_does_not_refute(name: str) -> None:
    graph, upper = LOST[name]
    largest = evaluate_exactly(graph, (upper,))[0]
    prop = at_least(upper, largest / 2)

    assert largest > 0
    assert not is_refuted(graph, prop)
    assert from_domains(graph, prop.cases[0].box, [(ZERO,), (upper,)]) == []


def test_weights_of_a_source_read_twice_are_summed_exactly() -> None:
    weights = (scalar(Fraction(1, 3)), scalar(Fraction(-1, 3) + power(10, -18)))
    graph = Graph(
        (
            Node("x", Input(), (), 1),
            Node("sum", Affine(weights, RationalArray.zeros((1,))), (0, 0), 1),
            Node("relu", Relu(), (1,), 1),
            Node("y", Affine((scalar(power(10, 18)),), RationalArray.zeros((1,))), (2,), 1),
        )
    )

    assert not is_refuted(graph, at_least(ONE, ONE))
    assert is_refuted(graph, at_least(ONE, Fraction(3, 2)))


def test_rounding_of_very_many_rows_is_counted() -> None:
    graph = chain(ONE, ONE)
    row = LinearConstraint((), ((0, Fraction(1, 3)),), Fraction(-1, 3))
    prop = Property(1, 1, (Case(InputBox((ZERO,), (ONE,)), (row,) * 10_000),))
    rows = Problem.of(graph, prop).groups[0].objectives[0]

    combined = rows.combine(np.zeros(1, dtype=np.intp), np.full((1, 10_000), 1.0))

    assert combined.magnitude[0] >= 10_000 * 10_000 / 64 / 3


@pytest.mark.parametrize(
    ("graph", "upper", "what"),
    [
        (chain(ONE, ONE), power(10, 308), "an input may be as large as 1e+308"),
        (chain(power(10, 200), ONE), power(10, 200), "a neuron of ReLU layer 0"),
        (chain(ONE, power(10, 302)), ONE, "an output"),
    ],
)
def test_values_that_may_overflow_are_refused(graph: Graph, upper: Fraction, what: str) -> None:
    with pytest.raises(RefusedError, match=what.replace("+", r"\+")):
        Problem.of(graph, at_least(upper, ONE))


@pytest.mark.parametrize(
    ("upper", "constraint", "what"),
    [
        (power(10, 400), LinearConstraint((), ((0, ONE),), ONE), "an end of the input box"),
        (ONE, LinearConstraint((), ((0, power(10, 5000)),), ONE), "a coefficient of output 0"),
        (ONE, LinearConstraint(((0, power(-10, 401)),), (), ONE), "a coefficient of input 0"),
        (ONE, LinearConstraint((), ((0, ONE),), power(10, 400)), "the right side of a constraint"),
    ],
)
def test_numbers_of_a_property_beyond_float64_are_refused(
    upper: Fraction, constraint: LinearConstraint, what: str
) -> None:
    prop = Property(1, 1, (Case(InputBox((ZERO,), (upper,)), (constraint,)),))

    with pytest.raises(RefusedError, match=rf"{what} is about 2\*\*\d+"):
        Problem.of(chain(ONE, ONE), prop)


def test_a_graph_that_is_not_in_normal_form_is_refused() -> None:
    identity = Affine((scalar(ONE),), RationalArray.zeros((1,)))
    graph = Graph(
        (Node("x", Input(), (), 1), Node("first", identity, (0,), 1), Node("y", identity, (1,), 1))
    )

    with pytest.raises(UnsupportedError, match="'y' is not in normal form"):
        Layers.of(graph)


def one_row(coefficient: Fraction, bound: Fraction) -> Property:
    """Return that a multiple of the output, for inputs between 0 and 1, exceeds a bound."""
    row = LinearConstraint((), ((0, coefficient),), bound)
    return Property(1, 1, (Case(InputBox((ZERO,), (ONE,)), (row,)),))


@pytest.mark.parametrize("exponent", [1001, 1010, 1023])
@pytest.mark.parametrize("place", ["coefficient", "bound", "both"])
def test_a_row_beyond_the_range_is_refused(place: str, exponent: int) -> None:
    large = power(2, exponent)
    coefficient = large if place != "bound" else ONE
    bound = -large if place != "coefficient" else -ONE

    with pytest.raises(RefusedError, match="a constraint of the property"):
        Problem.of(chain(ONE, ONE), one_row(coefficient, bound))


def test_a_row_that_grows_beyond_the_range_has_no_bound() -> None:
    problem = Problem.of(chain(ONE, ONE), one_row(power(2, 999) * Fraction(7, 4), -ONE))

    (attempt,) = refute(problem, [Query(root(problem, 0), 0)], 100)

    assert attempt.core is None
    assert attempt.bound.value[0] == -np.inf


@pytest.mark.parametrize("ends", [(np.nan, 1.0), (-1.0, np.nan), (np.nan, np.nan)])
def test_a_bound_that_is_not_a_number_leaves_the_phase_open(ends: tuple[float, float]) -> None:
    relaxation = relax(Box(np.array([[ends[0]]]), np.array([[ends[1]]])))

    assert relaxation.unstable[0, 0]
    assert np.isnan(relaxation.offset[0, 0])


def test_a_zonotope_that_overflows_leaves_the_intervals() -> None:
    limits = Box(np.array([[-1.0]]), np.array([[2.0]]))
    lost = Box(np.array([[np.nan]]), np.array([[np.nan]]))

    for both in (lost.intersection(limits), limits.intersection(lost)):
        assert (both.lower[0, 0], both.upper[0, 0]) == (-1.0, 2.0)


def test_zonotopes_near_the_end_of_the_range_stay_sound() -> None:
    rng = np.random.default_rng(4)
    layers = [Fraction(float(v)) for v in rng.uniform(0.5, 2.0, 6)]
    graph = chain(*layers, power(2, -20))
    huge = Fraction(HUGE) / 100
    box = InputBox((-huge,), (huge,))
    floats = Box.around(box.lower, box.upper)

    bounds, _, _ = bound_property(Layers.of(graph), floats)

    assert all(np.isfinite(b.upper).all() for b in zonotope.propagate(Layers.of(graph), floats))
    assert not any(np.isnan(b.lower).any() for b in bounds.preactivations)
    assert from_domains(graph, box, [box.lower, (ZERO,), box.upper]) == []


def test_the_box_around_exact_ends_is_the_smallest() -> None:
    ends: Sequence[Fraction] = [Fraction(1, 3), power(10, -400), -power(10, -400), ZERO]

    box = Box.around(ends, ends)

    for low, exact, high in zip(box.lower[0], ends, box.upper[0], strict=True):
        assert Fraction(float(low)) <= exact <= Fraction(float(high))
        assert low == high or np.nextafter(low, np.inf) == high
    assert not np.signbit(box.upper[0, 3])


@pytest.mark.slow
def test_no_value_escapes_networks_of_extreme_numbers() -> None:
    rng = np.random.default_rng(5)
    bounded = 0
    for _ in range(120):
        widths = [int(w) for w in rng.integers(1, 4, size=int(rng.integers(1, 6)))]
        graph = tangled.network(rng, tangled.extreme, widths=widths)
        scale = power(2, int(rng.choice([-1000, -500, 0, 300, 900])))
        box = tangled.some_box(rng, graph.input_width, scale)
        prop = tangled.some_property(rng, graph, box)
        try:
            Problem.of(graph, prop)
        except RefusedError:
            continue
        bounded += 1

        assert anywhere(rng, graph, prop, tangled.some_points(rng, box)) == []
    assert bounded > 15
