# SPDX-License-Identifier: Apache-2.0
"""Proof files made to mislead: readable ones lead to the oracle's verdict, others to an error.

The attack is taken away, so that nothing finds the counterexample before the forged cores count.
"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bounds.escapes import some_slopes
from tests.generators import stack
from tests.oracles import decide_by_phase_enumeration
from tests.proof.proof_files import document, save
from tests.proof.small_proofs import drawn, proof_of, proofs
from verifier import pipeline
from verifier.certificate.checker import check_certificate
from verifier.errors import CorruptFileError, ProofMismatchError, RefusedError
from verifier.ir.graph import Graph, Neuron
from verifier.ir.rational import RationalArray
from verifier.options import EngineOptions
from verifier.pipeline import reverify
from verifier.proof.literals import HalfSpace, Literal, Path, Phase
from verifier.proof.muc import Core, Leaf, Multipliers
from verifier.proof.store import Proof, read_proof, write_proof
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.verdict import Answer, Verdict, verdict_of

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from numpy.typing import NDArray

LARGEST = float(np.finfo(np.float32).max)
SMALLEST = float(np.finfo(np.float32).smallest_subnormal)


@pytest.fixture(autouse=True)
def without_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "attack", lambda *_: None)


def drawn_many() -> list[tuple[Graph, Property, Answer]]:
    """Return small problems with the oracle's answers, of both kinds in equal parts."""
    found: dict[Answer, list[tuple[Graph, Property, Answer]]] = {Answer.SAT: [], Answer.UNSAT: []}
    seed = 0
    while min(map(len, found.values())) < 2:
        graph, prop = drawn(seed)
        seed += 1
        if graph.neuron_count <= 6:
            answer, _ = decide_by_phase_enumeration(graph, prop)
            found[answer].append((graph, prop, answer))
    return [*found[Answer.SAT][:2], *found[Answer.UNSAT][:2]]


PROBLEMS = drawn_many()
MASSES = st.sampled_from([0.0, 0.5, 1.0, 3.0, 2.0**60, LARGEST, SMALLEST])


@st.composite
def forged_proofs(draw: st.DrawFn, graph: Graph, prop: Property) -> Proof:
    """Draw a proof that reads well and is false: any literals, multipliers, margins and leaves."""
    neurons = [Neuron(k, i) for k, width in enumerate(graph.layer_widths) for i in range(width)]
    thresholds = st.sampled_from([-1e308, -1.0, -0.0, 0.0, 5e-324, 0.3, 1e308])
    literals: st.SearchStrategy[Literal] = st.one_of(
        st.builds(Phase, st.sampled_from(neurons), st.booleans()),
        st.builds(HalfSpace, st.integers(0, prop.input_width - 1), thresholds, st.booleans()),
    )
    paths = st.lists(literals, max_size=4).map(without_repetition)
    chosen = st.sets(st.integers(0, len(neurons) - 1)).map(sorted)

    def core() -> Core:
        case = draw(st.integers(0, len(prop.cases) - 1))
        rows = len(prop.cases[case].constraints)
        margin = draw(st.sampled_from([0.0, 1e-300, 1.0, 1e300, np.inf]))
        if draw(st.integers(0, 5)) == 0:
            return Core(case, draw(paths), None, margin)
        return Core(case, draw(paths), multipliers(rows), margin)

    def multipliers(rows: int) -> Multipliers:
        lines, literals = draw(chosen), draw(chosen)
        return Multipliers(
            masses(rows),
            np.array(lines, dtype=np.intp),
            np.array([draw(st.sampled_from([0.0, 0.25, 1.0])) for _ in lines]),
            masses(len(lines)),
            np.array(literals, dtype=np.intp),
            masses(len(literals)),
        )

    def masses(count: int) -> NDArray[np.float64]:
        return np.array([draw(MASSES) for _ in range(count)], dtype=np.float64)

    def leaf() -> Leaf:
        place = draw(st.integers(0, len(cores) - 1))
        rows = len(prop.cases[cores[place].case].constraints)
        return Leaf(draw(paths), place, multipliers(rows) if draw(st.booleans()) else None)

    cores = [core() for _ in range(draw(st.integers(0, 5)))]
    leaves = [leaf() for _ in range(draw(st.integers(0, 4)) if cores else 0)]
    return proof_of(graph, prop, cores, leaves)


def without_repetition(path: list[Literal]) -> Path:
    """Return the path without what earlier literals decide: files that decide twice are refused."""
    kept: list[Literal] = []
    for literal in path:
        if literal not in kept and literal.negated() not in kept:
            kept.append(literal)
    return tuple(kept)


@pytest.mark.slow
@pytest.mark.parametrize("problem", range(4))
@pytest.mark.parametrize("width", [0, 12], ids=["phases", "inputs"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_a_forged_proof_leads_to_the_verdict_of_the_oracle(
    problem: int, width: int, tmp_path: FilePath, data: st.DataObject
) -> None:
    graph, prop, expected = PROBLEMS[problem]
    path = tmp_path / "proof"
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    slopes = tuple(some_slopes(rng, graph.neuron_count))
    forged = data.draw(forged_proofs(graph, prop))
    write_proof(replace(forged, tightened=(slopes,)), path)
    proof = read_proof(path)
    original = graph if data.draw(st.booleans()) else None

    result = reverify(
        graph, prop, proof, options=EngineOptions(input_split_width=width), original=original
    )

    assert result.verdict is verdict_of(expected)
    if result.proof is not None:
        assert_certified(graph, prop, result)


def assert_certified(graph: Graph, prop: Property, result: pipeline.Result) -> None:
    try:
        document = json.loads(json.dumps(result.certificate()))
    except RefusedError:
        return  # Decided by the exact solver alone.
    report = check_certificate(document, graph, prop)
    assert report.accepted, report.reason


def tent() -> tuple[Graph, Property]:
    """Return ``1 - relu(x) - relu(-x)`` on [-2, 2] with "never -1/2 or less", which is violated.

    Both neurons are active, or both inactive, at 0 alone, where the output is 1.
    """
    one = RationalArray.from_fractions([1, -1, 0, 0, -1, -1, 1], (7,))
    parts = iter([one[:2].reshape((2, 1)), one[2:4], one[4:6].reshape((1, 2)), one[6:]])
    graph = stack(1, [2], 1, lambda _: next(parts))
    constraint = LinearConstraint((), ((0, Fraction(1)),), Fraction(-1, 2))
    box = InputBox((Fraction(-2),), (Fraction(2),))
    return graph, Property(1, 1, (Case(box, (constraint,)),))


@pytest.mark.parametrize(("number", "why"), [(2, "about nothing"), (1, "")])
def test_a_neuron_that_does_not_exist_is_no_neuron(
    number: int, why: str, tmp_path: FilePath
) -> None:
    """Nor is it one of the next layer's, or all: false cores would cover, and the tent hold."""
    graph, prop = tent()
    assert decide_by_phase_enumeration(graph, prop)[0] is Answer.SAT
    cores = [
        Core(0, (Phase(Neuron(0, 1), active),), Multipliers(np.ones(1)), 1.0)
        for active in (True, False)
    ]
    head, columns = document(proof_of(graph, prop, cores))
    columns["path_atom"] = np.array([2 * number + 1, 2 * number])
    path = save(head, columns, tmp_path / "proof")

    if why:
        with pytest.raises(CorruptFileError, match=why):
            read_proof(path)
    else:
        assert reverify(graph, prop, read_proof(path)).verdict is Verdict.VIOLATED


FOREIGN = [
    (Core(99, (), None, 1.0), "core 1 of the proof is of case 99; the property has"),
    (Core(-1, (), None, 1.0), "core 1 of the proof is of case -1"),
    (Core(0, (), Multipliers(np.ones(9)), 1.0), "core 1 of the proof weighs 9 rows; case 0 has 1"),
    (Core(0, (), Multipliers(np.ones(0)), 1.0), "core 1 of the proof weighs 0 rows"),
    (Core(0, (HalfSpace(99, 0.0, below=True),), None, 1.0), "core 1 of the proof cuts input 99"),
    (Core(0, (HalfSpace(-1, 0.0, below=True),), None, 1.0), "core 1 of the proof cuts input -1"),
]


@pytest.mark.parametrize(("core", "message"), FOREIGN, ids=range(len(FOREIGN)))
def test_a_core_of_what_the_property_does_not_have_is_refused(core: Core, message: str) -> None:
    graph, prop, proof = proofs(1, EngineOptions())[0]
    forged = proof_of(graph, prop, [proof.cores[0], core])

    with pytest.raises(CorruptFileError, match=message):
        reverify(graph, prop, forged)


def test_a_leaf_or_a_point_of_what_the_property_does_not_have_is_refused() -> None:
    graph, prop, proof = proofs(1, EngineOptions())[0]
    stray = Leaf((HalfSpace(2, 0.0, below=True),), 0)
    leafy = proof_of(graph, prop, proof.cores, [*proof.leaves, stray])
    point = replace(proof, verdict=Verdict.VIOLATED, point=(Fraction(1),) * 3)

    with pytest.raises(CorruptFileError, match="leaf 3 of the proof cuts input 2; the property"):
        reverify(graph, prop, leafy)
    with pytest.raises(CorruptFileError, match="point has 3 inputs, not 2"):
        reverify(graph, prop, point)


def test_widths_that_are_not_the_networks_need_a_map() -> None:
    graph, prop, proof = proofs(1, EngineOptions())[0]
    wider = replace(proof, layer_widths=tuple(width + 1 for width in graph.layer_widths))

    with pytest.raises(ProofMismatchError, match="give a neuron map"):
        reverify(graph, prop, wider)


def test_a_path_of_hundreds_of_cuts_is_followed() -> None:
    graph, prop, proof = proofs(1, EngineOptions())[0]
    cuts = tuple(HalfSpace(0, 100.0 + k, below=True) for k in range(300))
    long = [replace(core, path=(*cuts, *core.path)) for core in proof.cores]

    result = reverify(graph, prop, proof_of(graph, prop, long))

    assert result.verdict is Verdict.HOLDS
    assert result.reuse is not None
    assert result.reuse.valid == len(long)


def test_a_claim_of_a_counterexample_is_checked_and_then_forgotten() -> None:
    for graph, prop, answer in PROBLEMS:
        lie = replace(
            proof_of(graph, prop, []), verdict=Verdict.VIOLATED, point=prop.cases[0].box.lower
        )

        result = reverify(graph, prop, lie)

        assert result.verdict is verdict_of(answer)
