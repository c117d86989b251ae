# SPDX-License-Identifier: Apache-2.0
"""The cover question against trying every assignment, its proofs against naive propagation."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.engine.clauses import Clauses, Refutation
from verifier.engine.cover import cover
from verifier.errors import VerifierError
from verifier.ir.graph import Neuron
from verifier.proof.literals import HalfSpace, Literal, Path, Phase
from verifier.proof.muc import Core

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from verifier.engine.clauses import CasePath

NEURONS = [Neuron(0, 0), Neuron(0, 1), Neuron(1, 0)]
THRESHOLDS = [(0, -1.0), (0, 0.0), (0, 0.5), (1, 0.25)]
# A neuron equals the pair of its numbers, so the two kinds of atom get different keys.
Atom = tuple[str, int | Neuron | tuple[int, float]]
Cut = tuple[int, float]
Clause = tuple[int, ...]


def core(case: int, *path: Literal) -> Core:
    return Core(case, path, None, 1.0)


LITERALS = st.one_of(
    st.builds(Phase, st.sampled_from(NEURONS), st.booleans()),
    st.builds(
        lambda cut, below: HalfSpace(cut[0], cut[1], below),
        st.sampled_from(THRESHOLDS),
        st.booleans(),
    ),
)
SHORT_CORES = st.builds(
    lambda case, path: core(case, *path), st.integers(0, 1), st.lists(LITERALS, max_size=3)
)


def assignments() -> Iterator[dict[Atom, bool]]:
    """Yield every assignment of the atoms in which smaller thresholds imply larger ones."""
    for values in product([False, True], repeat=len(NEURONS) + len(THRESHOLDS)):
        keys: list[Atom] = [*(("phase", n) for n in NEURONS), *(("input", t) for t in THRESHOLDS)]
        chosen = dict(zip(keys, values, strict=True))
        if all(chosen["input", b] for a, b in ordered_pairs(THRESHOLDS) if chosen["input", a]):
            yield chosen


def is_true(literal: Literal, assignment: dict[Atom, bool]) -> bool:
    match literal:
        case Phase(neuron, active):
            return assignment["phase", neuron] == active
        case HalfSpace(index, threshold, below):
            return assignment["input", (index, threshold)] == below


def covered_by_brute_force(cores: Sequence[Core], cases: int) -> bool:
    """Tell whether under every assignment each case has a core whose literals are all true."""
    return all(
        any(c.case == case and all(is_true(x, chosen) for x in c.path) for c in cores)
        for chosen in assignments()
        for case in range(cases)
    )


def clauses_of(cores: Sequence[Core], cases: int, refutation: Refutation) -> list[Clause]:
    """Return the clauses over the refutation's numbering of atoms, written down anew."""
    keys = [key_of(atom) for atom in refutation.atoms]
    assert len(set(keys)) == len(keys)
    number = {key: n for n, key in enumerate(keys, start=1)}

    def negated(literal: Literal) -> int:
        match literal:
            case Phase(neuron, active):
                return -number["phase", neuron] if active else number["phase", neuron]
            case HalfSpace(index, threshold, below):
                variable = number["input", (index, threshold)]
                return -variable if below else variable

    cuts = [t for t in THRESHOLDS if ("input", t) in number]
    return [
        tuple(number["case", case] for case in range(cases)),
        *((-number["case", c.case], *(negated(x) for x in c.path)) for c in cores),
        *((-number["input", a], number["input", b]) for a, b in ordered_pairs(cuts)),
    ]


def key_of(atom: int | Neuron | tuple[int, float]) -> Atom:
    match atom:
        case Neuron():
            return "phase", atom
        case int():
            return "case", atom
        case _:
            return "input", atom


def ordered_pairs(cuts: Sequence[Cut]) -> Iterator[tuple[Cut, Cut]]:
    """Yield each two cuts of one input, the smaller threshold first."""
    for a, b in product(cuts, repeat=2):
        if a[0] == b[0] and a[1] < b[1]:
            yield a, b


def follows(known: Sequence[Clause], step: Clause) -> bool:
    """Reverse unit propagation: assume the step false, propagate until nothing or a conflict."""
    true = {-literal for literal in step}
    while True:
        units: set[int] = set()
        for clause in known:
            if any(literal in true for literal in clause):
                continue
            left = [literal for literal in set(clause) if -literal not in true]
            if not left:
                return True
            if len(left) == 1:
                units.add(left[0])
        if any(-literal in units for literal in units):
            return True
        if not units:
            return False
        true |= units


def assert_proof(cores: Sequence[Core], cases: int, refutation: Refutation) -> None:
    known = clauses_of(cores, cases, refutation)
    for step in refutation.steps:
        assert follows(known, step)
        known.append(step)
    assert refutation.steps[-1] == ()


def refutation_of(
    cores: Sequence[Core], cases: int, leaves: Mapping[CasePath, Path] | None = None
) -> Refutation | None:
    found = cover(cores, cases, leaves)
    return None if found is None else found.refutation()


@given(cores=st.lists(SHORT_CORES, max_size=12), cases=st.integers(1, 2))
def test_cores_cover_exactly_when_they_do_under_every_assignment(
    cores: list[Core], cases: int
) -> None:
    cores = [c for c in cores if c.case < cases]

    refutation = refutation_of(cores, cases)

    assert (refutation is not None) == covered_by_brute_force(cores, cases)
    if refutation is not None:
        assert_proof(cores, cases, refutation)


def tree(data: st.DataObject, case: int, path: Path, depth: int) -> list[Core]:
    """Return cores that cover a region, as a search leaves them: each without some literals."""
    if depth == 0 or data.draw(st.integers(0, 3)) == 0:
        kept = [x for x in path if data.draw(st.integers(0, 3)) > 0]
        return [core(case, *kept)]
    literal = data.draw(LITERALS)
    return [
        *tree(data, case, (*path, literal), depth - 1),
        *tree(data, case, (*path, literal.negated()), depth - 1),
    ]


@given(data=st.data(), cases=st.integers(1, 2))
def test_cores_of_a_search_tree_cover_until_one_is_taken_away(
    data: st.DataObject, cases: int
) -> None:
    cores = [c for case in range(cases) for c in tree(data, case, (), 3)]

    whole = refutation_of(cores, cases)
    assert whole is not None
    assert covered_by_brute_force(cores, cases)
    assert_proof(cores, cases, whole)

    del cores[data.draw(st.integers(0, len(cores) - 1))]
    assert (refutation_of(cores, cases) is not None) == covered_by_brute_force(cores, cases)


PATHS = st.lists(LITERALS, max_size=3).map(tuple)


@given(
    cores=st.lists(SHORT_CORES, max_size=8),
    leaves=st.dictionaries(st.tuples(st.just(0), PATHS), PATHS, max_size=8),
)
def test_leaves_are_a_hint_that_cannot_change_the_answer(
    cores: list[Core], leaves: dict[CasePath, Path]
) -> None:
    cores = [c for c in cores if c.case == 0]
    # Leaves that cores cover, and the other sides of all their splits.
    leaves |= {(0, c.path): c.path for c in cores}
    leaves |= {
        (0, (*path[:n], path[n].negated())): (path[n].negated(),)
        for _, path in list(leaves)
        for n in range(len(path))
    }

    covered = cover(cores, 1, leaves) is not None

    assert covered == covered_by_brute_force(cores, 1)


@given(data=st.data())
def test_a_tree_needs_no_solver(data: st.DataObject) -> None:
    """Each leaf names its core, which has lost some literals."""
    paths = whole_tree(data, (), 3)
    kept = {path: tuple(x for x in path if data.draw(st.booleans())) for path in paths}
    cores = [core(0, *short) for short in kept.values()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("verifier.engine.cover.refutation_of", lambda *_: None)
        covered = cover(cores, 1, {(0, path): short for path, short in kept.items()})
        partly = cover(cores[1:], 1, {(0, path): path for path in paths[1:]})

    assert covered is not None
    assert partly is None or covered_by_brute_force(cores[1:], 1)


def whole_tree(data: st.DataObject, path: Path, depth: int) -> list[Path]:
    if depth == 0 or data.draw(st.integers(0, 3)) == 0:
        return [path]
    literal = data.draw(LITERALS.filter(lambda x: x not in path and x.negated() not in path))
    sides = ((*path, side) for side in (literal, literal.negated()))
    return [leaf for side in sides for leaf in whole_tree(data, side, depth - 1)]


def test_a_property_without_cases_is_covered_by_nothing() -> None:
    refutation = refutation_of([], 0)

    assert refutation == Refutation((), ((),))


def test_thresholds_are_ordered_so_that_overlapping_halves_cover() -> None:
    low, high = HalfSpace(0, 0.5, below=True), HalfSpace(0, -1.0, below=False)

    overlapping = refutation_of([core(0, low), core(0, high)], 1)
    apart = refutation_of([core(0, low.negated()), core(0, high.negated())], 1)

    assert overlapping is not None
    assert_proof([core(0, low), core(0, high)], 1, overlapping)
    assert apart is None


def test_negative_zero_is_the_same_threshold_as_zero() -> None:
    halves = [core(0, HalfSpace(0, 0.0, below=True)), core(0, HalfSpace(0, -0.0, below=False))]

    refutation = refutation_of(halves, 1)

    assert refutation is not None
    assert_proof(halves, 1, refutation)


def test_an_input_and_a_neuron_of_the_same_numbers_are_different_atoms() -> None:
    found = Clauses(1)

    phase = found.variable(Phase(Neuron(0, 1), active=True))
    half_space = found.variable(HalfSpace(0, 1.0, below=True))

    assert phase != half_space
    assert found.variable(Phase(Neuron(0, 1), active=False)) == -phase


class LyingSolver:
    """A SAT solver that says UNSAT to everything and proves it at once."""

    def __init__(self, **_: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def solve(self) -> bool:
        return False

    def get_proof(self) -> list[str] | None:
        return None


def test_a_tree_of_cases_needs_steps_only_where_branches_meet() -> None:
    chain = [Phase(neuron, active=True) for neuron in NEURONS]
    comb = [core(0, *chain)]
    comb += [core(0, *chain[:n], literal.negated()) for n, literal in enumerate(chain)]
    full = [
        core(0, *(Phase(neuron, active) for neuron, active in zip(NEURONS, phases, strict=True)))
        for phases in product([False, True], repeat=len(NEURONS))
    ]

    assert [
        len(found.steps) for found in (refutation_of(comb, 1), refutation_of(full, 1)) if found
    ] == [1, 4]


def test_a_solver_that_lies_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pysat.solvers.Solver", LyingSolver)

    with pytest.raises(VerifierError, match="step 1 of the SAT solver's proof does not follow"):
        refutation_of([core(0, Phase(NEURONS[0], active=True))], 1)


def test_deletions_in_a_proof_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    proof = ["d 1 2 0", "-1 0", "0"]
    monkeypatch.setattr("pysat.solvers.Solver", LyingSolver)
    monkeypatch.setattr(LyingSolver, "get_proof", lambda _: proof)
    found = Clauses(1)
    for active in (True, False):
        found.add(core(0, Phase(NEURONS[0], active=active)))

    refutation = found.refute()

    assert refutation is not None
    assert refutation.steps == ((-1,), ())
