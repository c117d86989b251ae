# SPDX-License-Identifier: Apache-2.0
"""Check the content of a certificate of ``holds``; ``checker`` says why this is a proof.

Regions form a forest. Only those that lead to some core are visited, depth first, so that bounds
are held along one path only. Then the clauses: what is known beforehand (some case has a solution;
thresholds of one input are in order), one clause for each confirmed core, and the steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from operator import neg
from typing import TYPE_CHECKING

from verifier.certificate.core_bound import refutes
from verifier.certificate.document import CaseAtom, PhaseAtom, ThresholdAtom
from verifier.certificate.exact_core import ExactMultipliers, exact_box, refutes_exactly
from verifier.certificate.regions import (
    Threshold,
    child_region,
    kept_region,
    root_region,
    tightened_region,
)
from verifier.certificate.unit_propagation import ClauseSet
from verifier.certificate.values import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from fractions import Fraction

    from verifier.certificate.document import Atom, CoreEntry, HoldsDocument
    from verifier.certificate.integer_matrix import Arithmetic
    from verifier.certificate.region_bounds import Region
    from verifier.certificate.regions import Phases
    from verifier.ir.graph import Graph
    from verifier.spec.property import Property

# Far above any search; it bounds what a hostile certificate can make the checker hold.
MOST_LITERALS = 4096


@dataclass
class Counts:
    """How much was confirmed so far.

    Attributes:
        progress: Called with the number of steps done and of all steps.
        total: Number of steps of all kinds.
        regions: Regions bounded.
        cores: Cores confirmed.
        clauses: Propositional steps confirmed.
    """

    progress: Callable[[int, int], None] | None
    total: int = 0
    regions: int = 0
    cores: int = 0
    clauses: int = 0

    def tell(self) -> None:
        """Call ``progress``."""
        if self.progress is not None:
            self.progress(self.regions + self.cores + self.clauses, self.total)


@dataclass(frozen=True)
class _PathStep:
    """One region on the current path, with its bounds; no bounds where it is empty."""

    number: int
    literals: tuple[int, ...]
    region: Region | None


class _Path:
    """The regions from a root to the one that is looked at, and what their literals demand."""

    def __init__(self, content: HoldsDocument) -> None:
        self._content = content
        self.steps: list[_PathStep] = []
        self.phases: Phases = {}
        self._variables: set[int] = set()

    @property
    def literals(self) -> list[int]:
        """The literals that cut the last region out of its root."""
        return [literal for step in self.steps for literal in step.literals]

    def demand(self, number: int) -> None:
        """Take on the literals of a region that will be the next step.

        Raises:
            RejectedError: The path is too long, or has the atom already.
        """
        for literal in self._content.regions[number].literals:
            if abs(literal) in self._variables:
                msg = f"region {number}: its path has atom {abs(literal) - 1} already"
                raise RejectedError(msg)
            if len(self._variables) >= MOST_LITERALS:
                msg = f"region {number}: its path has more than {MOST_LITERALS} literals"
                raise RejectedError(msg)
            self._variables.add(abs(literal))
            atom = self._content.atoms[abs(literal) - 1]
            if isinstance(atom, PhaseAtom):
                self.phases.setdefault(atom.layer, {})[atom.index] = literal > 0

    def retreat_to(self, parent: int) -> None:
        """Drop steps until the last one is the given region, or none is left."""
        while self.steps and self.steps[-1].number != parent:
            for literal in self.steps.pop().literals:
                self._variables.remove(abs(literal))
                atom = self._content.atoms[abs(literal) - 1]
                if isinstance(atom, PhaseAtom):
                    del self.phases[atom.layer][atom.index]


def check_holds(
    content: HoldsDocument, graph: Graph, prop: Property, arithmetic: Arithmetic, counts: Counts
) -> None:
    """Check everything, counting what is confirmed.

    Args:
        content: The certificate, with types and ranges checked.
        graph: The network, in normal form.
        prop: The property; as wide as the network.
        arithmetic: What multiplies matrices.
        counts: Is brought up to date along the way.

    Raises:
        RejectedError: Some step does not hold.
    """
    variables = _variables_of_cases(content.atoms, prop)
    walk = _Walk(content, graph, prop, arithmetic)
    counts.total = walk.region_count + len(content.cores) + len(content.clauses)
    core_clauses: list[list[int]] = []
    for path in walk.paths():
        counts.regions += 1
        for core in walk.confirmed_cores(path):
            core_clauses.append([-variables[core.case], *map(neg, path.literals)])
            counts.cores += 1
        counts.tell()
    known = ClauseSet(len(content.atoms))
    known.add(variables.values())
    for clause in [*_ordering(content.atoms), *core_clauses]:
        known.add(clause)
    _check_steps(content.clauses, known, counts)


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


class _Walk:
    """A depth-first walk over the regions that lead to some core."""

    def __init__(
        self, content: HoldsDocument, graph: Graph, prop: Property, arithmetic: Arithmetic
    ) -> None:
        self._content = content
        self._graph = graph
        self._cases = prop.cases
        self._arithmetic = arithmetic
        self._cores: dict[int, list[int]] = {}
        for number, core in enumerate(content.cores):
            self._cores.setdefault(core.region, []).append(number)
        self._children = self._needed_children()
        self.region_count = sum(map(len, self._children.values()))

    def _needed_children(self) -> dict[int, list[int]]:
        """Return the needed regions by parent, last one first; roots are the children of -1."""
        regions = self._content.regions
        needed: set[int] = set()
        for core_region in self._cores:
            region = core_region
            while region != -1 and region not in needed:
                needed.add(region)
                region = regions[region].parent
        children: dict[int, list[int]] = {}
        for region in sorted(needed, reverse=True):
            children.setdefault(regions[region].parent, []).append(region)
        return children

    def paths(self) -> Iterator[_Path]:
        """Yield, for each needed region, the path that ends in it; valid until the next one.

        The stack is our own, because a path may be longer than Python's.
        """
        path = _Path(self._content)
        waiting = list(self._children.get(-1, []))
        while waiting:
            number = waiting.pop()
            path.retreat_to(self._content.regions[number].parent)
            path.demand(number)
            literals = self._content.regions[number].literals
            path.steps.append(_PathStep(number, literals, self._bounded(number, path)))
            yield path
            waiting.extend(self._children.get(number, []))

    def _bounded(self, number: int, path: _Path) -> Region | None:
        """Return the region that comes next on a path, which has taken on its literals."""
        entry = self._content.regions[number]
        if not path.steps:
            box = self._cases[entry.case].box
            root = root_region(self._graph, box, entry.slopes, entry.alphas, self._arithmetic)
            if root is None or not entry.tightened:
                return root
            return tightened_region(root, entry.tightened)
        parent = path.steps[-1].region
        if parent is None:
            return None
        atoms = [self._content.atoms[abs(literal) - 1] for literal in entry.literals]
        layers = [atom.layer for atom in atoms if isinstance(atom, PhaseAtom)]
        cuts = list(self._thresholds(entry.literals))
        if entry.is_kept and not cuts:
            return kept_region(parent, layers, path.phases, entry.alphas)
        return child_region(parent, cuts, layers, path.phases, entry.alphas)

    def confirmed_cores(self, path: _Path) -> Iterator[CoreEntry]:
        """Check the cores of the region at the end of a path; yield each that holds.

        Raises:
            RejectedError: One does not hold.
        """
        for number in self._cores.get(path.steps[-1].number, []):
            core = self._content.cores[number]
            problem = self._problem(core, path)
            if problem:
                msg = f"core {number} (region {core.region}, case {core.case}): {problem}"
                raise RejectedError(msg)
            yield core

    def _problem(self, core: CoreEntry, path: _Path) -> str:
        """Return why a core does not hold, or nothing."""
        root = self._content.regions[path.steps[0].number].case
        region, phases = path.steps[-1].region, path.phases
        if self._cases[core.case].box != self._cases[root].box:
            return f"the root of its region has the box of case {root}, which is another one"
        if core.multipliers is not None and (key := _stray_mass(core.multipliers.masses, phases)):
            return f"it has a mass for neuron {key}, whose phase is not on the path"
        if region is None:
            return ""
        if core.multipliers is None:
            return "the region is not empty"
        case = self._cases[core.case]
        if isinstance(core.multipliers, ExactMultipliers):
            box = exact_box(case.box, self._thresholds(path.literals))
            is_refuted = refutes_exactly(region, box, case, core.multipliers, phases)
        else:
            is_refuted = refutes(region, case, core.multipliers, phases)
        return "" if is_refuted else "its multipliers do not refute the case"

    def _thresholds(self, literals: Iterable[int]) -> Iterator[Threshold]:
        """Yield what literals demand of inputs."""
        for literal in literals:
            atom = self._content.atoms[abs(literal) - 1]
            if isinstance(atom, ThresholdAtom):
                yield Threshold(atom.index, atom.value, literal > 0)


def _stray_mass(
    masses: Mapping[tuple[int, int], Fraction], phases: Phases
) -> tuple[int, int] | None:
    return next((key for key in masses if key[1] not in phases.get(key[0], {})), None)
