# SPDX-License-Identifier: Apache-2.0
"""Minimised cores: still cores by z3's word, minimal for the stated theory, and covering."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.proof.small_proofs import (
    ON_INPUTS,
    ON_PHASES,
    assert_cores,
    drawn,
    unminimized,
)
from verifier.bounds.box import Box
from verifier.engine.cover import cover
from verifier.engine.evaluate import Query, evaluate
from verifier.engine.limits import Budget
from verifier.engine.minimize import KEEP, _merge, _Shrinking, minimize
from verifier.engine.region_tree import STRAIGHT, RegionTree
from verifier.ir.graph import Neuron
from verifier.proof.literals import HalfSpace, Phase
from verifier.proof.muc import Core, Multipliers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verifier.engine.problem import Problem
    from verifier.options import EngineOptions
    from verifier.proof.literals import Literal, Path
    from verifier.proof.muc import Leaf

SEEDS = range(40)
OPTIONS = pytest.mark.parametrize("options", [ON_INPUTS, ON_PHASES], ids=["inputs", "phases"])


def searched(options: EngineOptions) -> Iterator[tuple[Problem, list[Core]]]:
    """Yield what searches that had to split found."""
    for seed in SEEDS:
        problem, cores = unminimized(*drawn(seed), options)
        if len(cores) > 1:
            yield problem, cores


def margin_over(problem: Problem, core: Core, path: Path) -> float:
    """Evaluate a core's multipliers over the region of a path, bounded straight from the root."""
    region = RegionTree.of(problem, problem.group_of(core.case), [path], STRAIGHT).region(0)
    assert core.multipliers is not None
    bound = evaluate(problem, [Query(region, core.case)], [core.multipliers])
    return float(bound.value[0])


def implies(stronger: Literal, weaker: Literal) -> bool:
    """Tell whether every point that satisfies one literal satisfies another."""
    match stronger, weaker:
        case HalfSpace(i, c, True), HalfSpace(j, d, True):
            return i == j and c <= d
        case HalfSpace(i, c, False), HalfSpace(j, d, False):
            return i == j and c >= d
        case _:
            return stronger == weaker


def assert_covered(given: list[Core], cores: list[Core], leaves: list[Leaf]) -> None:
    """Assert that each given core's leaf is there, with a core that covers it."""
    assert [leaf.path for leaf in leaves] == [core.path for core in given]
    for leaf, before in zip(leaves, given, strict=True):
        for needed in cores[leaf.core].path:
            assert any(implies(literal, needed) for literal in leaf.path)
        assert cores[leaf.core].case == before.case
    assert {leaf.core for leaf in leaves} == set(range(len(cores)))


@OPTIONS
def test_minimized_cores_are_cores_of_which_each_leaf_has_one(options: EngineOptions) -> None:
    shortened = 0
    for problem, given in searched(options):
        cores, leaves = minimize(problem, given, Budget())

        assert_covered(given, cores, leaves)
        assert_cores(problem.graph, problem.prop, cores)
        assert cover(cores, len(problem.prop.cases)) is not None
        shortened += any(len(cores[leaf.core].path) < len(leaf.path) for leaf in leaves)
    assert shortened >= 2


@OPTIONS
def test_no_literal_can_be_dropped_without_losing_the_margin(options: EngineOptions) -> None:
    tried = 0
    for problem, given in searched(options):
        leaf_margin = {id(core.multipliers): core.margin for core in given}

        cores, _ = minimize(problem, given, Budget())

        for core in cores:
            enough = KEEP * leaf_margin[id(core.multipliers)]
            assert core.margin >= enough
            # Not equal: how a sum is rounded depends on the batch that it is in.
            assert core.margin == pytest.approx(margin_over(problem, core, core.path), 1e-9)
            for position in range(len(core.path)):
                shorter = core.path[:position] + core.path[position + 1 :]
                assert margin_over(problem, core, shorter) < enough
                tried += 1
    assert tried >= 20


def test_a_spent_budget_leaves_the_cores_as_they_were() -> None:
    for problem, given in searched(ON_PHASES):
        cores, leaves = minimize(problem, given, Budget(0.0))

        assert cores == given
        assert_covered(given, cores, leaves)


@pytest.mark.parametrize("trials", [0, 1, 5])
def test_only_so_many_literals_are_tried(trials: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    bound_paths = RegionTree.of

    def counted(problem: Problem, group: int, paths: Sequence[Path], stride: int) -> RegionTree:
        tried.append(len(paths))
        return bound_paths(problem, group, paths, stride)

    monkeypatch.setattr(RegionTree, "of", counted)
    monkeypatch.setattr("verifier.engine.region_tree.CHUNK", 2)
    for problem, given in chain(searched(ON_PHASES), searched(ON_INPUTS)):
        tried.clear()

        cores, leaves = minimize(problem, given, Budget(), trials)

        assert sum(tried) <= trials
        assert_covered(given, cores, leaves)
        assert_cores(problem.graph, problem.prop, cores)
        if trials == 0:
            assert cores == given


class FewLooks(Budget):
    """A budget that is spent after so many looks at it."""

    looks = 0

    @property
    def is_spent(self) -> bool:
        type(self).looks += 1
        return type(self).looks > 2


def test_a_budget_spent_on_the_way_leaves_cores_that_cover(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for problem, given in searched(ON_PHASES):
        monkeypatch.setattr(FewLooks, "looks", 0)

        cores, leaves = minimize(problem, given, FewLooks())

        assert_covered(given, cores, leaves)
        assert_cores(problem.graph, problem.prop, cores)
        assert cover(cores, len(problem.prop.cases)) is not None


def test_cores_of_empty_or_exactly_decided_regions_keep_all_of_their_literals() -> None:
    problem, given = next(searched(ON_PHASES))
    opaque = [Core(core.case, core.path, None, np.inf) for core in given]

    cores, leaves = minimize(problem, opaque, Budget())

    assert [core.path for core in cores] == [core.path for core in given]
    assert_covered(opaque, cores, leaves)


def test_nothing_is_left_of_nothing() -> None:
    problem, _ = next(searched(ON_INPUTS))

    assert minimize(problem, [], Budget()) == ([], [])


def test_a_core_without_literals_takes_every_leaf_of_its_case_and_no_other() -> None:
    halves = [HalfSpace(0, 0.0, below=below) for below in (True, False)]
    given = [Core(case, (half,), None, 1.0) for case in (0, 1) for half in halves]
    short = [Core(0, (), None, 1.0), *given[1:]]

    cores, leaves = _merge(given, short)

    assert [core.path for core in cores] == [(), (halves[0],), (halves[1],)]
    assert [leaf.core for leaf in leaves] == [0, 0, 1, 2]


def test_dropping_goes_by_the_margin_of_the_leaf() -> None:
    """The same core is kept whole or cut, as the margin of its leaf demands."""
    cut = 0
    for problem, given in searched(ON_INPUTS):
        demanding = [Core(c.case, c.path, c.multipliers, c.margin / KEEP) for c in given]

        as_is, _ = minimize(problem, given, Budget())
        kept, _ = minimize(problem, demanding, Budget())

        for core in kept:
            original = next(c for c in given if c.multipliers is core.multipliers)
            assert core.margin >= original.margin
        cut += sum(len(c.path) for c in as_is) < sum(len(c.path) for c in kept)
    assert cut >= 1


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (HalfSpace(0, 1.0, below=True), HalfSpace(0, 0.5, below=True)),
        (HalfSpace(0, -1.0, below=False), HalfSpace(0, 0.5, below=False)),
    ],
)
def test_a_wider_half_space_covers_a_narrower_one_but_not_the_reverse(
    wide: HalfSpace, narrow: HalfSpace
) -> None:
    phase = Phase(Neuron(0, 0), active=True)
    given = [Core(0, (wide, phase), None, 1.0), Core(0, (narrow,), None, 1.0)]

    widened, owners = _merge(given, [Core(0, (wide,), None, 1.0), given[1]])
    narrowed, others = _merge(given, [given[0], given[1]])

    assert (len(widened), [leaf.core for leaf in owners]) == (1, [0, 0])
    assert (len(narrowed), [leaf.core for leaf in others]) == (2, [0, 1])


def test_a_half_space_is_kept_untried_where_the_linear_function_pays_too_much_without_it() -> None:
    whole = Box(np.array([[-1.0, -1.0]]), np.array([[1.0, 1.0]]))
    path = (
        HalfSpace(0, 0.0, below=True),
        HalfSpace(1, 0.0, below=True),
        HalfSpace(0, -0.5, below=False),
        HalfSpace(1, -0.5, below=False),
        Phase(Neuron(0, 0), active=True),
    )
    core = Core(0, path, Multipliers(np.ones(1)), 1.0)
    # Its least value rises with the first input and falls with the second.
    state = _Shrinking(core, 0.5, 0, np.array([2.0, -2.0]))

    tried = []
    while state.seek(whole):
        tried.append(path[state.position])
        state.position += 1

    assert tried == [path[0], path[3], path[4]]
