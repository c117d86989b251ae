# SPDX-License-Identifier: Apache-2.0
"""What ``prove`` and ``reverify`` return: verdict, reason, evidence; and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from tests.change.variants import edited, rearranged
from tests.generators import random_network, random_property
from tests.oracles import decide_by_phase_enumeration, evaluate_naively, violates
from tests.proof.small_proofs import ON_INPUTS, ON_PHASES, drawn, proof_of, proofs
from verifier.certificate.checker import check_certificate
from verifier.change.neuron_map import NeuronMap
from verifier.engine.search import Outcome
from verifier.errors import ProofMismatchError, PropertyError, VerifierError
from verifier.ir.fingerprint import fingerprint
from verifier.ir.graph import Neuron
from verifier.options import EngineOptions
from verifier.pipeline import Result, prove, reverify
from verifier.proof.muc import Core
from verifier.spec.fingerprint import property_fingerprint
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.verdict import Answer, Semantics, Verdict, verdict_of

if TYPE_CHECKING:
    from verifier.engine.limits import Progress
    from verifier.ir.graph import Graph

HOLDING = proofs(1, ON_INPUTS)[0]


def violated() -> tuple[Graph, Property]:
    """Return a network that violates a property."""
    graph = HOLDING.graph
    case = HOLDING.prop.cases[0]
    loose = tuple(replace(row, bound=row.bound + 100) for row in case.constraints)
    return graph, Property(2, 2, (Case(case.box, loose),))


def without_constraints(box: InputBox) -> Property:
    return Property(2, 2, (Case(box, ()),))


def assert_certified(graph: Graph, prop: Property, result: Result) -> None:
    report = check_certificate(json.loads(json.dumps(result.certificate())), graph, prop)
    assert report.accepted, report.reason
    assert report.verdict is result.verdict


def test_a_property_that_holds_comes_with_a_proof_and_a_certificate() -> None:
    graph, prop, _ = HOLDING

    result = prove(graph, prop)

    assert (result.verdict, result.reason, result.counterexample) == (Verdict.HOLDS, "", None)
    assert result.semantics is Semantics.REAL
    assert result.reuse is None
    assert result.proof is not None
    assert result.proof.network == fingerprint(graph)
    assert result.proof.prop == property_fingerprint(prop)
    assert result.proof.layer_widths == graph.layer_widths
    assert result.proof.verdict is Verdict.HOLDS
    assert result.proof.point is None
    assert 0.0 < result.proof.seconds <= result.seconds
    assert {"bound", "attack", "minimize", "cover"} <= result.statistics.seconds.keys()
    assert result.statistics.to_json()["calls"]["bound"] > 0
    assert_certified(graph, prop, result)


def test_a_violated_property_comes_with_a_counterexample_and_a_certificate() -> None:
    graph, prop = violated()

    result = prove(graph, prop)

    assert (result.verdict, result.reason) == (Verdict.VIOLATED, "")
    assert result.counterexample is not None
    assert violates(prop, graph, result.counterexample.input)
    assert result.proof is not None
    assert result.proof.verdict is Verdict.VIOLATED
    assert result.proof.point == result.counterexample.input
    assert (result.proof.cores, result.proof.leaves) == ((), ())
    assert_certified(graph, prop, result)


def test_no_time_leaves_the_verdict_open_with_a_reason_and_no_evidence() -> None:
    graph, prop, _ = HOLDING

    result = prove(graph, prop, EngineOptions(timeout_seconds=0.0))

    assert result.verdict is Verdict.UNKNOWN
    assert result.reason.startswith("time limit reached with")
    assert (result.proof, result.counterexample) == (None, None)
    with pytest.raises(VerifierError, match="no certificate: the verdict is unknown"):
        result.certificate()


def test_minimising_is_left_out_on_request() -> None:
    graph, prop, proof = HOLDING

    result = prove(graph, prop, EngineOptions(minimize=False))

    assert result.verdict is Verdict.HOLDS
    assert "minimize" not in result.statistics.seconds
    assert result.proof is not None
    assert [leaf.path for leaf in result.proof.leaves] == [c.path for c in result.proof.cores]
    assert len(result.proof.cores) >= len(proof.cores)
    assert_certified(graph, prop, result)


def test_a_property_without_cases_holds_of_itself() -> None:
    graph = HOLDING.graph
    prop = Property(2, 2, ())

    result = prove(graph, prop)
    assert result.proof is not None
    again = reverify(graph, prop, result.proof, original=graph)

    assert result.verdict is again.verdict is Verdict.HOLDS
    assert result.proof.cores == ()
    assert_certified(graph, prop, result)


def test_a_case_without_constraints_is_met_by_any_input() -> None:
    graph, prop, _ = HOLDING
    demanding_nothing = without_constraints(prop.cases[0].box)

    result = prove(graph, demanding_nothing)
    assert result.proof is not None
    again = reverify(graph, demanding_nothing, result.proof, original=graph)

    assert result.verdict is again.verdict is Verdict.VIOLATED
    assert_certified(graph, demanding_nothing, result)


def test_a_box_of_one_point_is_decided_by_the_output_there() -> None:
    rng = np.random.default_rng(0)
    met = set()
    for shift in (-1, 0, 1):
        graph = random_network(rng, 2, (4, 3), 2)
        point = (Fraction(1, 3), Fraction(-2, 7))
        box = InputBox(point, point)
        value = min(evaluate_naively(graph, point))
        rows = tuple(
            LinearConstraint((), ((j, Fraction(1)),), value + Fraction(shift, 8)) for j in (0, 1)
        )
        prop = Property(2, 2, tuple(Case(box, (row,)) for row in rows))

        result = prove(graph, prop)

        assert result.verdict is verdict_of(decide_by_phase_enumeration(graph, prop)[0])
        met.add(result.verdict)
    assert met == {Verdict.HOLDS, Verdict.VIOLATED}


def test_a_box_that_is_flat_in_one_input_is_decided_as_by_the_oracle() -> None:
    for seed in range(4):
        graph, prop = drawn(seed)
        flat = Property(2, 2, tuple(replace(c, box=flattened(c.box)) for c in prop.cases))

        result = prove(graph, flat)

        assert result.verdict is verdict_of(decide_by_phase_enumeration(graph, flat)[0])


def flattened(box: InputBox) -> InputBox:
    return InputBox((box.upper[0], box.lower[1]), box.upper)


def test_a_counterexample_of_the_original_is_tried_first() -> None:
    graph, prop = violated()
    before = prove(graph, prop)
    assert before.proof is not None
    variant = edited(graph, 0, lambda rows: rows[0].__setitem__(0, rows[0][0] * 2))

    result = reverify(variant, prop, before.proof)

    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample is not None
    assert result.counterexample.input == before.proof.point
    assert "attack" not in result.statistics.seconds
    assert result.reuse is not None
    assert result.reuse.cores == 0
    assert_certified(variant, prop, result)


def test_a_variant_that_mends_a_violation_is_proved_from_the_top() -> None:
    graph, prop = violated()
    before = prove(graph, prop)
    assert before.proof is not None

    def raise_outputs(rows: list[list[Fraction]]) -> None:
        signs = dict(prop.cases[0].constraints[0].outputs)
        for j, row in enumerate(rows):
            row[-1] += 300 * signs.get(j, Fraction(0))

    mended = edited(graph, len(graph.layer_widths), raise_outputs)

    result = reverify(mended, prop, before.proof, original=graph)

    assert result.verdict is Verdict.HOLDS
    assert decide_by_phase_enumeration(mended, prop)[0] is Answer.UNSAT
    assert_certified(mended, prop, result)


def test_no_time_after_a_violated_original_leaves_the_verdict_open() -> None:
    graph, prop, _ = HOLDING
    lie = replace(
        proof_of(graph, prop, []), verdict=Verdict.VIOLATED, point=prop.cases[0].box.lower
    )

    result = reverify(graph, prop, lie, options=EngineOptions(timeout_seconds=0.0))

    assert result.verdict is Verdict.UNKNOWN
    assert result.reason.startswith("time limit reached")


def test_a_variant_that_breaks_the_property_is_found_out() -> None:
    graph, prop, proof = HOLDING

    def lower_outputs(rows: list[list[Fraction]]) -> None:
        signs = dict(prop.cases[0].constraints[0].outputs)
        for j, row in enumerate(rows):
            row[-1] -= 300 * signs.get(j, Fraction(0))

    broken = edited(graph, len(graph.layer_widths), lower_outputs)

    result = reverify(broken, prop, proof, original=graph)

    assert result.verdict is Verdict.VIOLATED
    assert_certified(broken, prop, result)


def test_the_original_lends_its_margin_to_a_variant_that_hardly_changed() -> None:
    graph, prop, proof = HOLDING
    variant = edited(graph, 0, lambda rows: rows[0].__setitem__(0, rows[0][0] + Fraction(1, 10**9)))

    with_original = reverify(variant, prop, proof, original=graph)
    without = reverify(variant, prop, proof)

    assert with_original.verdict is without.verdict is Verdict.HOLDS
    assert with_original.proof is None
    assert with_original.reuse is not None
    assert with_original.reuse.proof_reuse_rate == 1.0
    with pytest.raises(VerifierError, match="rests on the differential margin"):
        with_original.certificate()
    assert without.proof is not None
    assert_certified(variant, prop, without)


def test_a_proof_of_another_property_or_original_is_a_mismatch() -> None:
    graph, prop, proof = HOLDING
    other_graph, other_prop = drawn(1)

    with pytest.raises(ProofMismatchError, match="prove this property first"):
        reverify(graph, other_prop, proof)
    with pytest.raises(ProofMismatchError, match="give the original it belongs to"):
        reverify(graph, prop, proof, original=other_graph)


def test_other_widths_need_a_map_and_the_map_must_fit() -> None:
    graph, prop, proof = HOLDING
    wider = random_network(np.random.default_rng(0), 2, (9, 9, 9), 2)
    beyond = NeuronMap({Neuron(0, 0): Neuron(0, 99)}, {})

    with pytest.raises(ProofMismatchError, match=r"ReLU layers of \(9, 9, 9\) neurons"):
        reverify(wider, prop, proof)
    with pytest.raises(ProofMismatchError, match="the neuron map names neuron 99"):
        reverify(graph, prop, proof, beyond)


def test_a_property_of_other_inputs_or_outputs_is_refused() -> None:
    _, prop, proof = HOLDING
    narrow = random_network(np.random.default_rng(0), 3, (4,), 1)
    prop_of_narrow = random_property(np.random.default_rng(0), narrow)

    with pytest.raises(PropertyError, match="declares 2 inputs, the network has 3"):
        prove(narrow, prop)
    with pytest.raises(PropertyError, match="declares 3 inputs, the network has 2"):
        prove(HOLDING.graph, prop_of_narrow)
    with pytest.raises(PropertyError, match="declares 2 inputs, the network has 3"):
        reverify(narrow, prop, replace(proof, layer_widths=(4,)))


def touching() -> tuple[Graph, Property]:
    """Return a network and a property that holds by nothing: the output is 0 and 0 is excluded."""
    graph = random_network(np.random.default_rng(0), 2, (3, 2), 2)
    zeroed = edited(graph, len(graph.layer_widths), zero_out)
    row = LinearConstraint((), ((0, Fraction(1)),), Fraction(0), strict=True)
    return zeroed, Property(2, 2, (Case(HOLDING.prop.cases[0].box, (row,)),))


def zero_out(rows: list[list[Fraction]]) -> None:
    for row in rows:
        row[:] = [Fraction(0)] * len(row)


def test_what_only_the_exact_solver_can_decide_has_an_exact_certificate() -> None:
    graph, prop = touching()
    expected = decide_by_phase_enumeration(graph, prop)[0]

    result = prove(graph, prop, ON_PHASES)

    assert result.verdict is verdict_of(expected) is Verdict.HOLDS
    assert result.statistics.calls["exact"] > 0
    assert result.proof is not None
    assert any(core.get("exact") for core in result.certificate()["cores"])
    assert_certified(graph, prop, result)
    again = reverify(graph, prop, result.proof, options=ON_PHASES, original=graph)
    assert again.verdict is Verdict.HOLDS


def test_the_exact_solver_of_the_margin_check_is_the_originals() -> None:
    """Widths differ, so bounds of the one network make no sense for the other."""
    graph, prop = touching()
    order = [list(range(width - (k == 0))) for k, width in enumerate(graph.layer_widths)]
    narrow, neuron_map = rearranged(graph, order)
    # Margins that make the first look succeed, and cores that make the second one search.
    boasting = proof_of(graph, prop, [Core(0, (), None, np.inf)])

    result = reverify(narrow, prop, boasting, neuron_map, ON_PHASES, original=graph)

    assert result.statistics.calls["exact"] > 0
    assert result.verdict is verdict_of(decide_by_phase_enumeration(narrow, prop)[0])


def test_cores_that_do_not_cover_are_an_internal_error_not_a_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph, prop, _ = HOLDING
    monkeypatch.setattr("verifier.engine.minimize.minimize", lambda *_: ([], []))

    with pytest.raises(VerifierError, match="do not cover the property"):
        prove(graph, prop)


@pytest.mark.parametrize("point", [None, HOLDING.prop.cases[0].box.lower])
def test_a_point_that_violates_nothing_is_an_internal_error_not_a_verdict(
    point: tuple[Fraction, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, prop, _ = HOLDING
    lie = Outcome(Answer.SAT, (), point)
    monkeypatch.setattr("verifier.engine.search.Search.run", lambda *_: lie)

    with pytest.raises(VerifierError, match="does not violate the property"):
        prove(graph, prop)


def test_results_of_the_same_run_are_the_same_but_for_the_time() -> None:
    graph, prop, proof = HOLDING

    one, other = (reverify(graph, prop, proof) for _ in range(2))

    assert one.statistics.calls == other.statistics.calls
    assert one.proof is not None
    assert other.proof is not None
    assert [paths(core) for core in one.proof.cores] == [paths(core) for core in other.proof.cores]


def paths(core: Core) -> tuple[object, ...]:
    return core.case, core.path, core.margin


def test_linear_algebra_has_one_thread_while_a_network_is_verified() -> None:
    heard: list[int] = []

    def listen(_: Progress) -> None:
        heard.extend(blas_threads().values())

    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        # Compiled loops bring linear algebra of their own.
        prove(HOLDING.graph, HOLDING.prop, EngineOptions(compiled=True), report=listen)
        after = blas_threads()

    assert set(heard) == {1}
    assert before.items() <= after.items()


def blas_threads() -> dict[str, int]:
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {pool["filepath"]: pool["num_threads"] for pool in pools}
