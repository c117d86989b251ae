# SPDX-License-Identifier: Apache-2.0
"""Check the content of a certificate of ``holds``; ``checker`` says why this is a proof.

First the cores: float64 confirms those that hold whatever it rounded, and integers judge the rest.
Then the clauses: what is known beforehand (some case has a solution; thresholds of one input are in
order), one clause for each confirmed core, and the steps.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from operator import neg
from typing import TYPE_CHECKING

from verifier.certificate.document import CaseAtom, ThresholdAtom
from verifier.certificate.float_network import BeyondFloatsError
from verifier.certificate.integer_matrix import fastest_arithmetic
from verifier.certificate.judges import FloatJudge, IntegerJudge
from verifier.certificate.unit_propagation import ClauseSet
from verifier.certificate.values import RejectedError
from verifier.certificate.walk import Walk, needed_regions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

    from verifier.certificate.document import Atom, HoldsDocument
    from verifier.certificate.integer_matrix import Arithmetic
    from verifier.certificate.judges import Judge, R
    from verifier.ir.graph import Graph
    from verifier.spec.property import Property


@dataclass
class Counts:
    """How much was confirmed so far.

    Attributes:
        progress: Called with the number of steps done and of all steps.
        total: Number of steps of all kinds.
        bounded: Regions that were bounded, in either way.
        cores: Cores confirmed.
        clauses: Propositional steps confirmed.
    """

    progress: Callable[[int, int], None] | None
    total: int = 0
    bounded: set[int] = field(default_factory=set)
    cores: int = 0
    clauses: int = 0

    @property
    def regions(self) -> int:
        """Number of regions that were bounded."""
        return len(self.bounded)

    def tell(self) -> None:
        """Call ``progress``."""
        if self.progress is not None:
            self.progress(self.regions + self.cores + self.clauses, self.total)


def check_holds(
    content: HoldsDocument,
    graph: Graph,
    prop: Property,
    arithmetic: Arithmetic | None,
    counts: Counts,
) -> None:
    """Check everything, counting what is confirmed.

    Args:
        content: The certificate, with types and ranges checked.
        graph: The network, in normal form.
        prop: The property; as wide as the network.
        arithmetic: The integers that judge every core; without them float64 judges first, and the
            fastest integers what it leaves open.
        counts: Is brought up to date along the way.

    Raises:
        RejectedError: Some step does not hold.
    """
    variables = _variables_of_cases(content.atoms, prop)
    counts.total = len(needed_regions(content, range(len(content.cores))))
    counts.total += len(content.cores) + len(content.clauses)
    paths = _confirmed_paths(content, graph, prop, arithmetic, counts)
    known = ClauseSet(len(content.atoms))
    known.add(variables.values())
    for clause in _ordering(content.atoms):
        known.add(clause)
    for number, core in enumerate(content.cores):
        known.add([-variables[core.case], *map(neg, paths[number])])
    _check_steps(content.clauses, known, counts)


def _confirmed_paths(
    content: HoldsDocument,
    graph: Graph,
    prop: Property,
    arithmetic: Arithmetic | None,
    counts: Counts,
) -> dict[int, list[int]]:
    """Confirm every core; return the literals of the path to its region."""
    paths: dict[int, list[int]] = {}
    if arithmetic is None:
        # Where its error bounds end, floats confirm nothing more.
        with suppress(BeyondFloatsError):
            judge = FloatJudge(graph, prop.cases)
            for _ in _judged(content, prop, judge, paths, counts):
                pass
    if len(paths) < len(content.cores):
        integers = IntegerJudge(graph, prop.cases, arithmetic or fastest_arithmetic())
        for problem in _judged(content, prop, integers, paths, counts):
            raise RejectedError(problem)
    return paths


def _judged(
    content: HoldsDocument,
    prop: Property,
    judge: Judge[R],
    paths: dict[int, list[int]],
    counts: Counts,
) -> Iterator[str]:
    """Judge the cores that have no path yet; give them one, or yield what is wrong."""
    left = [number for number in range(len(content.cores)) if number not in paths]
    walk = Walk(content, prop.cases, judge, left)
    for path in walk.paths():
        counts.bounded.add(path.steps[-1].number)
        for number in walk.cores_at_the_end(path):
            problem = walk.problem(number, path)
            if problem:
                yield problem
            else:
                paths[number] = path.literals
                counts.cores += 1
        counts.tell()


def _variables_of_cases(atoms: Sequence[Atom], prop: Property) -> dict[int, int]:
    """Return the variable of each case."""
    variables = {
        atom.case: variable
        for variable, atom in enumerate(atoms, start=1)
        if isinstance(atom, CaseAtom)
    }
    for case in range(len(prop.cases)):
        if case not in variables:
            msg = f"atoms: case {case} of the property has no atom"
            raise RejectedError(msg)
    return variables


def _ordering(atoms: Sequence[Atom]) -> Iterator[list[int]]:
    """Yield ``x <= a implies x <= b`` for neighbouring thresholds ``a < b`` of each input."""
    thresholds: dict[int, list[tuple[Fraction, int]]] = {}
    for variable, atom in enumerate(atoms, start=1):
        if isinstance(atom, ThresholdAtom):
            thresholds.setdefault(atom.index, []).append((atom.value, variable))
    for values in thresholds.values():
        for (_, smaller), (_, larger) in pairwise(sorted(values)):
            yield [-smaller, larger]


def _check_steps(clauses: Sequence[Sequence[int]], known: ClauseSet, counts: Counts) -> None:
    if not clauses or clauses[-1]:
        msg = "clauses: the last one is not the empty clause"
        raise RejectedError(msg)
    for number, clause in enumerate(clauses):
        if not known.implies(clause):
            msg = f"clause {number}: it does not follow by unit propagation"
            raise RejectedError(msg)
        known.add(clause)
        counts.clauses += 1
        counts.tell()
