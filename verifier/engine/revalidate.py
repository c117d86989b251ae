# SPDX-License-Identifier: Apache-2.0
"""Which cores of the original are valid on the compressed network, by their own multipliers?

A core is valid where its stored multipliers give a positive bound over its region, with bounds of
neurons that are computed anew on this network. Most of the time goes to those bounds. So there are
three tries, each for what the last one left: the core, and then its parts, with bounds straight
from the root, a region each; and both again with bounds along their paths.

Where many cores fail, there may be a counterexample, and it is rather where they fail by most. So
it is looked for there, a few steps from where their linear functions are least. Of a large proof a
sample comes first, spread over all of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.engine.attack import Guess, descend_within
from verifier.engine.limits import Progress
from verifier.engine.region_tree import ALONG, CHUNK, STRAIGHT, RegionTree, in_chunks
from verifier.engine.repair import Failed
from verifier.proof.muc import Core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from fractions import Fraction

    from numpy.typing import NDArray

    from verifier.engine.region import Region
    from verifier.engine.search import Search
    from verifier.proof.literals import Path
    from verifier.proof.muc import Multipliers

    Array = NDArray[np.float64]

SAMPLE = 64
"""About how many cores of a large proof are tried before the others."""
SUSPICIOUS = 8
"""How many cores of a chunk have to fail for a look at counterexamples."""
LOOKS = 64
"""From how many points a counterexample is looked for at most, and in how many steps each."""
STEPS = 6
WHOLE = -1
_Key = tuple[int, int]
"""Number of a candidate, and that of one of its parts, or ``WHOLE``."""
FEW = 4
"""Where so few parts fail all, splits of the original are not worth keeping: the region is searched
anew as a whole, split for the network at hand."""


@dataclass(frozen=True, eq=False)
class Part:
    """A leaf that a core stands for, or a part of one.

    Attributes:
        path: Its literals.
        multipliers: Returns what may refute it where the core's multipliers fail, if there is
            something; most are never asked.
    """

    path: Path
    multipliers: Callable[[], Multipliers | None]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A core on the compressed network, not yet checked there.

    Attributes:
        core: The core.
        parts: The leaves it stands for, without vacuous ones.
    """

    core: Core
    parts: Sequence[Part]


@dataclass(eq=False)
class Revalidation:
    """The re-validation of some cores.

    Attributes:
        search: Brings the problem, the budget and the counters.
        cores: Refutations here, with their margins: of whole cores and of parts.
        valid: Number of cores that are refuted, as a whole or part by part.
        in_parts: Number of those that are refuted part by part.
        failed: The others, as far as there was time.
    """

    search: Search
    cores: list[Core] = field(default_factory=list)
    valid: int = 0
    in_parts: int = 0
    failed: list[Failed] = field(default_factory=list)

    def run(self, candidates: Sequence[Candidate]) -> tuple[Fraction, ...] | None:
        """Try all candidates, as long as there is time; stop at a counterexample and return it."""
        groups, tried = defaultdict[int, list[Candidate]](list), 0
        for candidate in candidates:
            group = self.search.problem.group_of(candidate.core.case)
            groups[group].append(candidate)
        for group, members in groups.items():
            for chunk in _sample_first(members):
                if self.search.budget.is_spent:
                    return None
                point = self._look(self._try(chunk, group))
                if point is not None:
                    return point
                self.search.statistics.calls["re-validate"] += len(chunk)
                tried += len(chunk)
                left = len(candidates) - tried
                self.search.report(Progress("re-validate", tried, left, valid=self.valid))
        return None

    def _look(self, opened: Sequence[_Open]) -> tuple[Fraction, ...] | None:
        """Look for a counterexample where cores of a chunk failed by most."""
        if len(opened) < SUSPICIOUS:
            return None
        worst = sorted(opened, key=lambda part: part.margin)[:LOOKS]
        with self.search.statistics.timing("counterexample"):
            return descend_within(self.search.problem, [part.guess for part in worst], STEPS)

    def _try(self, chunk: Sequence[Candidate], group: int) -> list[_Open]:
        """Try cores, then the parts of those that fail, then both along their paths.

        Returns:
            The cores that failed.
        """
        wholes = {(i, WHOLE): candidate.core for i, candidate in enumerate(chunk)}
        failed = self._tried(wholes, group, STRAIGHT)
        parts = {
            (i, n): replace(
                core, path=part.path, multipliers=part.multipliers() or core.multipliers
            )
            for i, _ in failed
            for core in (chunk[i].core,)
            for n, part in enumerate(chunk[i].parts)
            if part.path != core.path
        }
        open_parts = self._tried(parts, group, STRAIGHT)
        divided = {
            i for i, _ in parts if all(part.path != chunk[i].core.path for part in chunk[i].parts)
        }
        unsettled = {i for i, _ in failed} - (divided - {i for i, _ in open_parts})
        left = {key: part for key, part in (failed | open_parts).items() if key[0] in unsettled}
        if not self.search.problem.layers.wide:  # There bounds along a path are the same.
            left = self._tried({key: (wholes | parts)[key] for key in left}, group, ALONG)
        lost: list[_Open] = []
        for i in sorted(unsettled):
            own = [left[i, n].guess.region for n in range(len(chunk[i].parts)) if (i, n) in left]
            if (i, WHOLE) in left and (own or i not in divided):
                lost.append(left[i, WHOLE])
                self.failed.append(_failed(chunk[i], lost[-1].guess.region, own))
        refuted_whole = len(chunk) - len(failed) + sum((i, WHOLE) not in left for i in unsettled)
        self.valid += len(chunk) - len(lost)
        self.in_parts += len(chunk) - len(lost) - refuted_whole
        return lost

    def _tried(self, cores: Mapping[_Key, Core], group: int, stride: int) -> dict[_Key, _Open]:
        """Keep those cores that are refutations; return the others."""
        if not cores:
            return {}
        paths = [core.path for core in cores.values()]
        tree = RegionTree.of(self.search.problem, group, paths, stride)
        margins, slopes = tree.margins_and_slopes(list(cores.values()))
        failed: dict[_Key, int] = {}
        for number, (key, core) in enumerate(cores.items()):
            margin = float(margins[number])
            if margin > 0.0:
                multipliers = None if margin == np.inf else core.multipliers
                self.cores.append(Core(core.case, core.path, multipliers, margin))
            else:
                failed[key] = number
        regions = tree.regions(list(failed.values()))
        return {
            key: _Open.of(region, cores[key].case, margins[number], slopes[number])
            for (key, number), region in zip(failed.items(), regions, strict=True)
        }


@dataclass(frozen=True, eq=False)
class _Open:
    """A core or a part that is not refuted.

    Attributes:
        guess: Its region, and the point there where what its multipliers prove is least.
        margin: How much that is.
    """

    guess: Guess
    margin: float

    @classmethod
    def of(cls, region: Region, case: int, margin: float, slopes: Array) -> _Open:
        box = region.bounds.box
        return cls(Guess(region, case, np.where(slopes >= 0.0, box.lower[0], box.upper[0])), margin)


def _sample_first(candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    """Yield chunks; if there are several, a sample from all over comes before them."""
    if len(candidates) <= CHUNK:
        yield candidates
        return
    step = len(candidates) // SAMPLE
    yield candidates[::step]
    yield from in_chunks([part for i, part in enumerate(candidates) if i % step])


def _failed(candidate: Candidate, region: Region, left: list[Region]) -> Failed:
    """Return what is left to repair of a candidate: the parts given, or all of it."""
    core, own = candidate.core, candidate.parts
    is_leaf = any(part.path == core.path for part in own)
    is_lost = len(left) == len(own) <= FEW
    return Failed(core, region, [region] if is_leaf or is_lost else left)
