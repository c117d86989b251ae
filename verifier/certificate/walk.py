# SPDX-License-Identifier: Apache-2.0
"""A depth-first walk over the regions of a certificate that lead to some cores.

Bounds are held along one path only. What a path or a core must be like whatever the bounds are is
checked here: no atom twice on a path, masses for the path's phases only, the case's box.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from verifier.certificate.document import PhaseAtom, ThresholdAtom
from verifier.certificate.judges import R
from verifier.certificate.regions import Threshold
from verifier.certificate.values import RejectedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from verifier.certificate.document import HoldsDocument
    from verifier.certificate.judges import Judge
    from verifier.certificate.regions import Phases
    from verifier.spec.property import Case

# Far above any search; it bounds what a hostile certificate can make the checker hold.
MOST_LITERALS = 4096


@dataclass(frozen=True)
class _PathStep(Generic[R]):
    """One region on the current path, with its bounds; no bounds where it is empty."""

    number: int
    literals: tuple[int, ...]
    region: R | None


class Path(Generic[R]):
    """The regions from a root to the one that is looked at, and what their literals demand."""

    def __init__(self, content: HoldsDocument) -> None:
        self._content = content
        self.steps: list[_PathStep[R]] = []
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


def needed_regions(content: HoldsDocument, cores: Iterable[int]) -> set[int]:
    """Return the regions on the paths to some cores."""
    needed: set[int] = set()
    for number in cores:
        region = content.cores[number].region
        while region != -1 and region not in needed:
            needed.add(region)
            region = content.regions[region].parent
    return needed


class Walk(Generic[R]):
    """The walk, with someone who bounds regions and judges cores."""

    def __init__(
        self,
        content: HoldsDocument,
        cases: Sequence[Case],
        judge: Judge[R],
        cores: Sequence[int],
    ) -> None:
        """Plan the walk.

        Args:
            content: The certificate.
            cases: The property's cases.
            judge: Bounds regions and judges cores.
            cores: The cores that the walk is for.
        """
        self._content = content
        self._cases = cases
        self._judge = judge
        self._cores: dict[int, list[int]] = {}
        for number in cores:
            self._cores.setdefault(content.cores[number].region, []).append(number)
        # By parent, last one first; roots are the children of -1.
        self._children: dict[int, list[int]] = {}
        for region in sorted(needed_regions(content, cores), reverse=True):
            self._children.setdefault(content.regions[region].parent, []).append(region)

    def paths(self) -> Iterator[Path[R]]:
        """Yield, for each needed region, the path that ends in it; valid until the next one.

        The stack is our own, because a path may be longer than Python's.

        Raises:
            RejectedError: A path is too long, or has an atom twice.
        """
        path: Path[R] = Path(self._content)
        waiting = list(self._children.get(-1, []))
        while waiting:
            number = waiting.pop()
            path.retreat_to(self._content.regions[number].parent)
            path.demand(number)
            literals = self._content.regions[number].literals
            path.steps.append(_PathStep(number, literals, self._bounded(number, path)))
            yield path
            waiting.extend(self._children.get(number, []))

    def _bounded(self, number: int, path: Path[R]) -> R | None:
        """Return the region that comes next on a path, which has taken on its literals."""
        entry = self._content.regions[number]
        if not path.steps:
            return self._judge.root(entry)
        parent = path.steps[-1].region
        if parent is None:
            return None
        atoms = [self._content.atoms[abs(literal) - 1] for literal in entry.literals]
        layers = [atom.layer for atom in atoms if isinstance(atom, PhaseAtom)]
        cuts = list(self._thresholds(entry.literals))
        return self._judge.child(parent, entry, cuts, layers, path.phases)

    def cores_at_the_end(self, path: Path[R]) -> list[int]:
        """Return the cores of the last region of a path."""
        return self._cores.get(path.steps[-1].number, [])

    def problem(self, number: int, path: Path[R]) -> str:
        """Return why a core of the last region of a path does not hold, or nothing.

        Raises:
            RejectedError: It would not hold whatever the bounds.
        """
        core = self._content.cores[number]
        place = f"core {number} (region {core.region}, case {core.case})"
        root = self._content.regions[path.steps[0].number].case
        if self._cases[core.case].box != self._cases[root].box:
            msg = (
                f"{place}: the root of its region has the box of case {root}, which is another one"
            )
            raise RejectedError(msg)
        masses = {} if core.multipliers is None else core.multipliers.masses
        if key := _stray_mass(masses, path.phases):
            msg = f"{place}: it has a mass for neuron {key}, whose phase is not on the path"
            raise RejectedError(msg)
        region = path.steps[-1].region
        if region is None:
            return ""
        if core.multipliers is None:
            return f"{place}: the region is not empty"
        thresholds = list(self._thresholds(path.literals))
        if self._judge.refutes(region, core, path.phases, thresholds):
            return ""
        return f"{place}: its multipliers do not refute the case"

    def _thresholds(self, literals: Iterable[int]) -> Iterator[Threshold]:
        """Yield what literals demand of inputs."""
        for literal in literals:
            atom = self._content.atoms[abs(literal) - 1]
            if isinstance(atom, ThresholdAtom):
                yield Threshold(atom.index, atom.value, literal > 0)


def _stray_mass(masses: Mapping[tuple[int, int], object], phases: Phases) -> tuple[int, int] | None:
    return next((key for key in masses if key[1] not in phases.get(key[0], {})), None)
