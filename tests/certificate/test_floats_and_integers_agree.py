# SPDX-License-Identifier: Apache-2.0
"""Floats bound regions and cores by the rules that integers do: all they differ by is rounding.

A rule that floats got wrong to the safe side would be slow only, since integers would judge what
floats leave open; so it is looked for here. Networks are random: where a bound is 0, a neuron may
be open to one and not to the other.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.certificate.cuts import Cut, Literal
from tests.generators import random_box, random_network
from verifier.certificate.core_bound import Multipliers
from verifier.certificate.document import CoreEntry
from verifier.certificate.integer_matrix import PlainArithmetic
from verifier.certificate.judges import FloatJudge, IntegerJudge
from verifier.certificate.regions import Threshold, Tightened
from verifier.certificate.scaled_network import FRACTION_BITS, power_of_two
from verifier.spec.property import Case, LinearConstraint

if TYPE_CHECKING:
    from verifier.certificate.float_bounds import FloatRegion
    from verifier.certificate.region_bounds import Region

Rng = np.random.Generator
WIDTHS = (7, 6, 5)
NEURONS = [(layer, i) for layer, width in enumerate(WIDTHS) for i in range(width)]


def random_cut(rng: Rng, *, is_kept: bool) -> Cut:
    """Return a path of two phases and a threshold, with random slopes for everything."""
    graph = random_network(rng, 3, WIDTHS, 2, skip_probability=0.5)
    box = random_box(rng, 3, 1.5)
    middle = (box.lower[1] + 2 * box.upper[1]) / 3
    alphas = [
        [frozenset(np.flatnonzero(rng.random(width) < 0.5).tolist()) for width in WIDTHS]
        for _ in range(4)
    ]
    slopes = [
        {i: Fraction(rng.random()) for i in range(width) if rng.random() < 0.7} for width in WIDTHS
    ]
    tightened = [
        Tightened((0, 3), tuple(NEURONS[: 5 * layer]), rng.random((4, 5 * layer)).tolist())
        for layer in range(3)
    ]
    literals: list[Literal] = [(1, 0, True), Threshold(1, middle, is_upper=True), (2, 1, False)]
    kept = [is_kept, False, is_kept]
    return Cut(graph, box, slopes, literals, alphas, tightened if is_kept else [], kept)


def assert_same_bounds(floats: FloatRegion, integers: Region) -> None:
    for layer, (ours, theirs) in enumerate(zip(floats.layers, integers.layers, strict=True)):
        unit = power_of_two(integers.network.exponents[layer + 1] - FRACTION_BITS)
        for i, size in enumerate(ours.size):
            nearly = Fraction(float(size)) / 10**11
            assert abs(Fraction(float(ours.lower[i])) - theirs.lower[i] * unit) <= nearly
            assert abs(Fraction(float(ours.upper[i])) - theirs.upper[i] * unit) <= nearly


def some_multipliers(rng: Rng) -> Multipliers[float]:
    chosen = rng.random(len(NEURONS)) < 0.6
    return Multipliers(
        (rng.random(), rng.random()),
        {
            key: (rng.random(), float(rng.choice([0.0, 1.0])) * rng.random())
            for key, is_chosen in zip(NEURONS, chosen, strict=True)
            if is_chosen
        },
        {(1, 0): rng.random(), (2, 1): rng.random()},
    )


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_bounds_and_cores_are_those_of_integers_but_for_rounding(
    seed: int, *, is_kept: bool
) -> None:
    rng = np.random.default_rng(seed)
    cut = random_cut(rng, is_kept=is_kept)
    rows = tuple(
        LinearConstraint(
            ((0, Fraction(rng.normal())),),
            ((0, Fraction(rng.normal())), (1, Fraction(rng.normal()))),
            Fraction(0),
        )
        for _ in range(2)
    )
    judge = FloatJudge(cut.graph, [Case(cut.box, rows)])
    floats = cut.regions(judge)
    integers = cut.regions(IntegerJudge(cut.graph, [Case(cut.box, rows)], PlainArithmetic()))

    assert floats[0] is not None
    for depth, (ours, theirs) in enumerate(zip(floats, integers, strict=True)):
        assert (ours is None) == (theirs is None)
        if ours is None or theirs is None:
            continue
        assert_same_bounds(ours, theirs)
        phases = cut.phases(depth)
        chosen = some_multipliers(rng)
        masses = {(k, i): m for (k, i), m in chosen.masses.items() if i in phases.get(k, {})}
        chosen = Multipliers(chosen.rows, chosen.neurons, masses)
        value = judge.least_left_side(ours, CoreEntry(0, 0, chosen), phases)
        # Both rows move by the same, so that the weighted sum moves by ``value`` and a little.
        for shift, expected in ((-1e-9, True), (1e-9, False)):
            move = Fraction(value + shift * (1 + abs(value))) / sum(map(Fraction, chosen.rows))
            moved = tuple(LinearConstraint(r.inputs, r.outputs, r.bound + move) for r in rows)
            exact = IntegerJudge(cut.graph, [Case(cut.box, moved)], PlainArithmetic())
            assert exact.refutes(theirs, CoreEntry(0, 0, chosen), phases, []) is expected
