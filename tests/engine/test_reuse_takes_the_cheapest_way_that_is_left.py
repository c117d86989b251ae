# SPDX-License-Identifier: Apache-2.0
"""Each way that a verification by reuse can take, and what it reports of it.

The proofs are made by hand, so that it is known which of their cores fail and why.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.oracles import decide_by_phase_enumeration
from tests.proof.small_proofs import (
    ON_INPUTS,
    ON_PHASES,
    Proved,
    assert_cores,
    drawn,
    proof_of,
    proofs,
    search,
)
from verifier.change.neuron_map import NeuronMap
from verifier.engine.limits import Budget
from verifier.engine.problem import Problem
from verifier.engine.reuse import PAYS, SAMPLE, Reuse, ReuseReport
from verifier.engine.revalidate import FEW
from verifier.ir.graph import Neuron
from verifier.options import EngineOptions
from verifier.pipeline import reverify
from verifier.proof.literals import HalfSpace, Phase
from verifier.proof.muc import Core, Leaf, Multipliers
from verifier.verdict import Answer, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.engine.search import Outcome
    from verifier.proof.literals import Path


def run(
    proved: Proved,
    cores: Sequence[Core],
    leaves: Sequence[Leaf] | None = None,
    neuron_map: NeuronMap | None = None,
    budget: Budget | None = None,
) -> tuple[Reuse, Outcome]:
    """Reuse a proof by the given cores on its own network."""
    graph, prop, _ = proved
    chosen = NeuronMap.identity(graph) if neuron_map is None else neuron_map
    proof = proof_of(graph, prop, cores, leaves)
    reuse = Reuse(
        search(Problem.of(graph, prop, input_split_width=0), ON_PHASES, budget), proof, chosen
    )
    outcome = reuse.run()
    report = reuse.report
    assert_cores(graph, prop, outcome.cores)
    if outcome.answer is Answer.UNSAT:
        assert reuse.cover is not None
        fates = report.valid + report.repaired + report.dropped + report.vacuous
        assert fates == report.cores == len(cores)
    return reuse, outcome


def useless(core: Core) -> Core:
    """Return the core with multipliers that refute nothing."""
    assert core.multipliers is not None
    return replace(core, multipliers=Multipliers(np.zeros_like(core.multipliers.rows)))


def test_a_core_whose_multipliers_fail_gets_new_ones_from_the_program() -> None:
    proved = proofs(1, ON_PHASES)[0]
    first, *others = proved.proof.cores

    reuse, outcome = run(proved, [useless(first), *others])

    assert outcome.answer is Answer.UNSAT
    assert (reuse.report.valid, reuse.report.repaired) == (len(others), 1)
    assert reuse.report.residual_subproblems == 0
    assert reuse.search.statistics.calls["repair"] == 1


def too_bold(proved: Proved) -> tuple[list[Core], list[Leaf]]:
    """Return one core of each case that claims everything, with the leaves it stands for."""
    bold: dict[int, Core] = {}
    leaves = []
    for leaf in proved.proof.leaves:
        core = proved.proof.cores[leaf.core]
        bold.setdefault(core.case, replace(core, path=()))
        leaves.append(Leaf(leaf.path, list(bold).index(core.case), core.multipliers))
    return list(bold.values()), leaves


def split_proofs() -> list[Proved]:
    """Return proofs of one case that split, so that nothing short of splitting refutes it."""
    return [p for p in proofs(15, ON_PHASES) if len(p.prop.cases) == 1][:3]


def test_a_core_that_claims_too_much_is_replaced_by_the_leaves_it_stood_for() -> None:
    for proved in split_proofs():
        cores, leaves = too_bold(proved)

        reuse, outcome = run(proved, cores, leaves)

        assert outcome.answer is Answer.UNSAT
        report = reuse.report
        assert (report.valid, report.in_parts, report.repaired, report.dropped) == (1, 1, 0, 0)
        assert len(outcome.cores) == len(leaves)
        assert report.residual_subproblems == 0


def test_leaves_whose_multipliers_fail_too_are_repaired() -> None:
    for proved in (p for p in split_proofs() if len(p.proof.leaves) > FEW):
        cores, leaves = too_bold(proved)
        nothing = Multipliers(np.zeros(len(proved.prop.cases[0].constraints)))
        useless = [replace(core, multipliers=nothing) for core in cores]

        reuse, outcome = run(proved, useless, [replace(leaf, multipliers=None) for leaf in leaves])

        assert outcome.answer is Answer.UNSAT
        report = reuse.report
        assert (report.valid, report.in_parts, report.repaired, report.dropped) == (0, 0, 1, 0)
        assert len(outcome.cores) == len(leaves)
        assert reuse.report.residual_subproblems == 0


def test_without_its_leaves_literals_a_core_is_dropped_and_its_region_searched() -> None:
    for proved in split_proofs():
        [core], _ = too_bold(proved)

        reuse, outcome = run(proved, [core], [Leaf((), 0)])

        assert outcome.answer is Answer.UNSAT
        assert (reuse.report.valid, reuse.report.repaired, reuse.report.dropped) == (0, 0, 1)
        assert reuse.report.residual_subproblems == 1


def test_one_leaf_beyond_repair_drops_the_core_and_that_leaf_alone_is_searched() -> None:
    for proved in split_proofs():
        cores, leaves = too_bold(proved)
        stuck = [*leaves[1:], Leaf((), 0)]

        reuse, outcome = run(proved, cores, stuck)

        assert outcome.answer is Answer.UNSAT
        assert reuse.report.dropped == 1
        assert reuse.report.residual_subproblems == 1


def test_a_leaf_that_no_program_refutes_drops_the_core() -> None:
    for proved in split_proofs():
        [core], _ = too_bold(proved)
        everywhere = [HalfSpace(0, 2.0**20 + far, below=True) for far in range(FEW + 1)]

        reuse, outcome = run(proved, [core], [Leaf((literal,), 0) for literal in everywhere])

        assert outcome.answer is Answer.UNSAT
        assert reuse.report.dropped == 1
        # What was learned below the leaves does not cover, so the search starts anew.
        assert reuse.report.residual_subproblems == FEW + 2


def test_a_core_whose_few_leaves_all_fail_is_searched_anew_as_a_whole() -> None:
    for proved in split_proofs():
        [core], _ = too_bold(proved)
        everywhere = [HalfSpace(0, 2.0**20 + far, below=True) for far in range(FEW)]

        reuse, outcome = run(proved, [core], [Leaf((literal,), 0) for literal in everywhere])

        assert outcome.answer is Answer.UNSAT
        assert (reuse.report.dropped, reuse.report.residual_subproblems) == (1, 1)


def test_missing_cores_are_made_up_for_by_a_search_from_the_top() -> None:
    for proved in split_proofs():
        kept = proved.proof.cores[1:]

        reuse, outcome = run(proved, kept)

        assert outcome.answer is Answer.UNSAT
        assert reuse.report.valid == len(kept)
        # No leaf is left to search, so the search starts anew, once.
        assert reuse.report.residual_subproblems == 1


def test_a_proof_without_cores_leaves_everything_to_the_search() -> None:
    proved = proofs(1, ON_PHASES)[0]

    reuse, outcome = run(proved, [])

    assert outcome.answer is Answer.UNSAT
    assert reuse.report.proof_reuse_rate == 1.0
    assert reuse.report.residual_subproblems == len(reuse.search.problem.groups)


def test_a_lost_literal_is_reported_and_the_core_claims_more_or_fails() -> None:
    seen = 0
    for proved in split_proofs():
        phases = [x for core in proved.proof.cores for x in core.path if isinstance(x, Phase)]
        neuron = phases[0].neuron
        kept = {n: n for n in NeuronMap.identity(proved.graph).kept if n != neuron}

        reuse, outcome = run(proved, proved.proof.cores, proved.proof.leaves, NeuronMap(kept, {}))

        assert outcome.answer is Answer.UNSAT
        assert reuse.report.untranslatable == sum(
            any(isinstance(x, Phase) and x.neuron == neuron for x in core.path)
            for core in proved.proof.cores
        )
        seen += reuse.report.residual_subproblems > 0
    assert seen > 0


def test_repair_is_given_up_when_a_sample_says_that_it_does_not_pay() -> None:
    proved = split_proofs()[0]
    [core], _ = too_bold(proved)
    many = [core] * (4 * SAMPLE)

    reuse, outcome = run(proved, many, [Leaf((), i) for i in range(len(many))])

    assert outcome.answer is Answer.UNSAT
    assert reuse.report.gave_up
    assert reuse.search.statistics.calls["repair"] == SAMPLE
    # One fresh search instead of one for each core.
    assert reuse.report.residual_subproblems == 1
    assert reuse.report.dropped == len(many)


def test_repair_goes_on_where_it_pays() -> None:
    proved = split_proofs()[0]
    cores = [useless(core) for core in proved.proof.cores]
    many = [cores[i % len(cores)] for i in range(4 * SAMPLE)]

    reuse, outcome = run(proved, many)

    assert outcome.answer is Answer.UNSAT
    assert not reuse.report.gave_up
    assert reuse.report.repaired == len(many)
    assert len(many) > SAMPLE > PAYS * SAMPLE


def test_few_failures_are_all_repaired_though_a_sample_could_not_be() -> None:
    """Giving up is for proofs of which most is gone."""
    proved = split_proofs()[0]
    [bold], _ = too_bold(proved)
    failing = [bold] * (2 * SAMPLE)
    valid = [proved.proof.cores[0]] * (3 * SAMPLE)

    reuse, outcome = run(proved, [*valid, *failing])

    assert outcome.answer is Answer.UNSAT
    assert not reuse.report.gave_up
    assert reuse.search.statistics.calls["repair"] == len(failing)


@pytest.mark.parametrize("looks", range(12))
def test_a_budget_spent_at_any_step_leaves_the_verdict_open_with_a_reason_or_right(
    looks: int,
) -> None:
    class FewLooks(Budget):
        left = looks

        @property
        def is_spent(self) -> bool:
            type(self).left -= 1
            return type(self).left < 0

    proved = split_proofs()[0]
    [bold], _ = too_bold(proved)
    cores = [bold, *map(useless, proved.proof.cores[1:])]

    reuse, outcome = run(proved, cores, [Leaf((), i) for i in range(len(cores))], budget=FewLooks())

    assert outcome.answer in {Answer.UNSAT, Answer.UNKNOWN}
    if outcome.answer is Answer.UNKNOWN:
        assert outcome.reason.startswith("time limit reached")
        assert reuse.cover is None


def test_no_time_at_all_gives_unknown_with_a_reason() -> None:
    graph, prop, proof = proofs(1, ON_INPUTS)[0]

    result = reverify(graph, prop, proof, options=EngineOptions(timeout_seconds=0.0))

    assert result.verdict is Verdict.UNKNOWN
    assert result.reason == "time limit reached"
    assert result.proof is None
    assert result.reuse is not None
    assert result.reuse.valid == 0


def test_the_residual_finds_the_counterexample_of_a_violated_variant() -> None:
    """Cores of a property that holds are no hindrance where it does not."""
    found = 0
    for seed in range(12):
        graph, prop = drawn(seed)
        if decide_by_phase_enumeration(graph, prop)[0] is not Answer.SAT:
            continue
        liars = [
            Core(case, (HalfSpace(0, 0.0, below=below),), Multipliers(np.ones(rows)), 1e9)
            for case, rows in enumerate(len(c.constraints) for c in prop.cases)
            for below in (True, False)
        ]
        proof = proof_of(graph, prop, liars)
        reuse = Reuse(search(Problem.of(graph, prop)), proof, NeuronMap.identity(graph))

        outcome = reuse.run()

        assert outcome.answer is Answer.SAT
        assert reuse.cover is None
        found += 1
    assert found >= 3


def test_a_search_from_the_top_finds_the_counterexample_too() -> None:
    seed = next(s for s in range(60) if decide_by_phase_enumeration(*drawn(s))[0] is Answer.SAT)
    graph, prop = drawn(seed)
    proof = proof_of(graph, prop, [])

    reuse = Reuse(search(Problem.of(graph, prop)), proof, NeuronMap.identity(graph))

    assert reuse.run().answer is Answer.SAT
    assert reuse.cover is None


def test_cores_are_looked_at_in_parts_of_one_group_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.engine.region_tree.CHUNK", 2)
    monkeypatch.setattr("verifier.bounds.tree.BATCH", 1)
    for proved in proofs(4, ON_INPUTS):
        reuse, outcome = run(proved, proved.proof.cores, proved.proof.leaves)

        assert outcome.answer is Answer.UNSAT
        assert reuse.report.valid == len(proved.proof.cores)


def test_the_rate_leaves_out_cores_of_branches_that_are_gone() -> None:
    report = ReuseReport(cores=10, valid=4, vacuous=2)

    assert report.proof_reuse_rate == 0.5
    assert ReuseReport(cores=3, vacuous=3).proof_reuse_rate == 1.0
    assert report.to_json() == {
        "cores": 10,
        "valid": 4,
        "in_parts": 0,
        "repaired": 0,
        "dropped": 0,
        "untranslatable": 0,
        "vacuous": 2,
        "residual_subproblems": 0,
        "proof_reuse_rate": 0.5,
        "gave_up": False,
        "original_seconds": 0.0,
    }


def test_a_core_of_one_leaf_is_tried_on_the_leafs_region() -> None:
    """The leaf has more literals, so a core that claims too much may hold there."""
    for proved in split_proofs():
        bold = [replace(core, path=()) for core in proved.proof.cores]
        leaves = [Leaf(core.path, i) for i, core in enumerate(proved.proof.cores)]

        reuse, outcome = run(proved, bold, leaves)

        assert outcome.answer is Answer.UNSAT
        assert reuse.report.valid == len(bold)
        assert [core.path for core in outcome.cores] == [leaf.path for leaf in leaves]


def test_a_core_is_tried_as_it_is_where_its_leaf_has_less() -> None:
    for proved in split_proofs():
        cores = proved.proof.cores

        reuse, outcome = run(proved, cores, [Leaf((), i) for i in range(len(cores))])

        assert outcome.answer is Answer.UNSAT
        assert [core.path for core in outcome.cores] == [core.path for core in cores]
        assert reuse.report.valid == len(cores)


def test_vacuous_leaves_are_not_searched() -> None:
    proved = split_proofs()[0]
    graph = proved.graph
    neuron = Neuron(0, 0)
    kept = {n: n for n in NeuronMap.identity(graph).kept if n != neuron}
    [bold], _ = too_bold(proved)
    paths: list[Path] = [(Phase(neuron, active=True),), (Phase(neuron, active=False),)]

    gone = NeuronMap(kept, {neuron: proved.prop.cases[0].box.lower[0] - 10**6})
    reuse, outcome = run(proved, [bold], [Leaf(path, 0) for path in paths], gone)

    # The inactive leaf is the whole region there; the active one does not exist.
    assert outcome.answer is Answer.UNSAT
    assert reuse.report.residual_subproblems == 1
