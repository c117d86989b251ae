# SPDX-License-Identifier: Apache-2.0
"""Literals as sets of points: negation, implication, tightening and covering."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from verifier.ir.graph import Neuron
from verifier.proof.literals import (
    HalfSpace,
    Literal,
    Path,
    Phase,
    covers,
    implies,
    without_implied,
)

THRESHOLDS = (-1.0, -0.0, 0.0, 0.5)
LITERALS = st.one_of(
    st.builds(Phase, st.builds(Neuron, st.just(0), st.integers(0, 1)), st.booleans()),
    st.builds(HalfSpace, st.integers(0, 1), st.sampled_from(THRESHOLDS), st.booleans()),
)
PATHS = st.lists(LITERALS, max_size=5).map(tuple)

Sample = tuple[tuple[float, ...], tuple[float, ...]]
AXIS = (-2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0)
SAMPLES: tuple[Sample, ...] = tuple(
    product(product(AXIS, AXIS), product((-1.0, 0.0, 1.0), repeat=2))
)
"""Inputs and preactivations: every combination that the literals above can tell apart."""


def holds(literal: Literal, sample: Sample) -> bool:
    inputs, preactivations = sample
    if isinstance(literal, Phase):
        value = preactivations[literal.neuron.index]
        return value >= 0 if literal.active else value <= 0
    value = inputs[literal.input]
    return value <= literal.threshold if literal.below else value >= literal.threshold


def members(path: Path) -> set[Sample]:
    return {sample for sample in SAMPLES if all(holds(literal, sample) for literal in path)}


@given(literal=LITERALS)
def test_a_literal_and_its_negation_leave_no_point_out(literal: Literal) -> None:
    assert literal.negated().negated() == literal
    assert members((literal,)) | members((literal.negated(),)) == set(SAMPLES)


@given(stronger=LITERALS, weaker=LITERALS)
def test_implication_is_inclusion_of_points(stronger: Literal, weaker: Literal) -> None:
    assert implies(stronger, weaker) == (members((stronger,)) <= members((weaker,)))


@given(core=PATHS, path=PATHS)
def test_a_covered_path_has_only_points_of_the_core(core: Path, path: Path) -> None:
    if covers(core, path):
        assert members(path) <= members(core)


@given(path=PATHS, more=PATHS)
def test_a_core_covers_every_longer_path(path: Path, more: Path) -> None:
    assert covers(path, (*more, *path))
    assert covers((), path)


@given(path=PATHS)
def test_without_implied_literals_a_path_has_the_same_points_and_needs_each_literal_left(
    path: Path,
) -> None:
    short = without_implied(path)

    assert members(short) == members(path)
    for i, literal in enumerate(short):
        assert not any(implies(other, literal) for other in short[:i] + short[i + 1 :])
