# SPDX-License-Identifier: Apache-2.0
"""Which cores of the original are valid on the compressed network, by their own multipliers?

A core is valid where its stored multipliers give a positive bound over its region, with bounds of
neurons that are computed anew on this network. Most of the time goes to those bounds. So there are
three tries, each for what the last one left: the core, and then its parts, with bounds straight
from the root, a region each; and both again with bounds along their paths.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.engine.limits import Progress
from verifier.engine.region_tree import ALONG, STRAIGHT, RegionTree, in_chunks
from verifier.engine.repair import Failed
from verifier.proof.muc import Core

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from verifier.engine.region import Region
    from verifier.engine.search import Search
    from verifier.proof.literals import Path
    from verifier.proof.muc import Multipliers


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

    def run(self, candidates: Sequence[Candidate]) -> None:
        """Try all candidates, as long as there is time."""
        groups: dict[int, list[Candidate]] = {}
        for candidate in candidates:
            group = self.search.problem.group_of(candidate.core.case)
            groups.setdefault(group, []).append(candidate)
        for group, members in groups.items():
            for chunk in in_chunks(members):
                if self.search.budget.is_spent:
                    return
                self._try(chunk, group)
                self.search.statistics.calls["re-validate"] += len(chunk)
                self.search.report(Progress("re-validate", self.valid, len(candidates)))

    def _try(self, chunk: Sequence[Candidate], group: int) -> None:
        """Try cores, then the parts of those that fail, then both along their paths."""
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
        regions = {
            key: region for key, region in (failed | open_parts).items() if key[0] in unsettled
        }
        if not self.search.problem.layers.wide:  # There bounds along a path are the same.
            regions = self._tried({key: (wholes | parts)[key] for key in regions}, group, ALONG)
        lost = 0
        for i in sorted(unsettled):
            left = [regions[i, n] for n in range(len(chunk[i].parts)) if (i, n) in regions]
            if (i, WHOLE) in regions and (left or i not in divided):
                self.failed.append(_failed(chunk[i], regions[i, WHOLE], left))
                lost += 1
        refuted_whole = len(chunk) - len(failed) + sum((i, WHOLE) not in regions for i in unsettled)
        self.valid += len(chunk) - lost
        self.in_parts += len(chunk) - lost - refuted_whole

    def _tried(self, cores: Mapping[_Key, Core], group: int, stride: int) -> dict[_Key, Region]:
        """Keep those cores that are refutations; return the others' regions."""
        if not cores:
            return {}
        paths = [core.path for core in cores.values()]
        tree = RegionTree.of(self.search.problem, group, paths, stride)
        margins = tree.margins(list(cores.values())).tolist()
        failed: dict[_Key, int] = {}
        for number, (key, core) in enumerate(cores.items()):
            margin = margins[number]
            if margin > 0.0:
                multipliers = None if margin == np.inf else core.multipliers
                self.cores.append(Core(core.case, core.path, multipliers, margin))
            else:
                failed[key] = number
        return dict(zip(failed, tree.regions(list(failed.values())), strict=True))


def _failed(candidate: Candidate, region: Region, left: list[Region]) -> Failed:
    """Return what is left to repair of a candidate: the parts given, or all of it."""
    core, own = candidate.core, candidate.parts
    is_leaf = any(part.path == core.path for part in own)
    is_lost = len(left) == len(own) <= FEW
    return Failed(core, region, [region] if is_leaf or is_lost else left)
