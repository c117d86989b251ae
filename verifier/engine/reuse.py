# SPDX-License-Identifier: Apache-2.0
"""Verify a compressed network by carrying over the cores of its original's proof.

Cheapest step first, each only for what the last one left:

 1. *translate* every core through the neuron map;
 2. *re-validate* all of them in batches: bounds of their regions on the compressed network, then
    one evaluation of the stored multipliers (``revalidate``). A core that is not positive here is
    not used, but the leaves that it stands for are tried by theirs. On a wide network the box was
    tightened with the original's slopes; where most cores fail, it is with its own;
 3. *repair*: the triangle program on the core's region, then on those of the leaves that failed
    too. A sample decides whether repair pays at all; where it does not, reuse gives up early and a
    fresh search starts;
 4. *residual*: search the leaves that nothing refuted, from the attempts that failed there;
 5. *cover*: do the cores that are left and those that were learned refute everything?

Soundness does not rest on the map, the stored proof or the translation: every core that counts
was evaluated on the compressed network, and the cover is decided on those cores alone.
Completeness: where the translated leaves do not cover everything (a wrong map, a lost literal),
the search starts once more from the whole property.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from verifier.engine.attack import attack
from verifier.engine.cover import Cover, cover
from verifier.engine.limits import TIME_LIMIT
from verifier.engine.repair import Failed, Repair
from verifier.engine.revalidate import Candidate, Part, Revalidation
from verifier.engine.search import ATTACKS, Outcome, Search, whole
from verifier.engine.translate import Translation
from verifier.proof.literals import covers
from verifier.verdict import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from verifier.change.neuron_map import NeuronMap
    from verifier.engine.clauses import CasePath
    from verifier.engine.limits import Progress, ProgressFn
    from verifier.proof.literals import Path
    from verifier.proof.muc import Core
    from verifier.proof.store import Proof

SAMPLE = 24
"""Failed cores that are repaired to see whether it pays."""
MANY = 512
"""Cores from which a larger attack comes first. On wide networks a core costs hardly more than a
start of an attack."""
STALE = 0.5
"""Where a larger share of the cores fails, the slopes that tightened the original's box may be to
blame. Where fewer do, repairing them costs less than slopes of its own, and most fail with those
too."""
PAYS = 0.05
"""Repair goes on where at least this share of the sample could be repaired. It is a small one: what
cannot be repaired still costs less to search from its leaves than from the top."""


@dataclass(eq=False)
class ReuseReport:
    """What became of the original's cores.

    Attributes:
        cores: Cores of the original's proof.
        valid: Still valid by stored multipliers: their own, or those of all of their leaves.
        in_parts: Those of them of which only the leaves are.
        repaired: Valid with new multipliers, or with dropped literals added back.
        dropped: Neither.
        untranslatable: Lost a literal because its neuron has no counterpart (whatever became of
            them afterwards).
        vacuous: About a branch that the compressed network does not have.
        residual_subproblems: Regions that had to be searched.
        gave_up: Whether a fresh search was cheaper than repairing.
        original_seconds: What the original's proof cost.
    """

    cores: int = 0
    valid: int = 0
    in_parts: int = 0
    repaired: int = 0
    dropped: int = 0
    untranslatable: int = 0
    vacuous: int = 0
    residual_subproblems: int = 0
    gave_up: bool = False
    original_seconds: float = 0.0

    @property
    def proof_reuse_rate(self) -> float:
        """Share of the original's cores that are valid without repair, vacuous ones aside."""
        relevant = self.cores - self.vacuous
        return self.valid / relevant if relevant else 1.0

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "cores": self.cores,
            "valid": self.valid,
            "in_parts": self.in_parts,
            "repaired": self.repaired,
            "dropped": self.dropped,
            "untranslatable": self.untranslatable,
            "vacuous": self.vacuous,
            "residual_subproblems": self.residual_subproblems,
            "proof_reuse_rate": round(self.proof_reuse_rate, 6),
            "gave_up": self.gave_up,
            "original_seconds": round(self.original_seconds, 6),
        }


@dataclass(eq=False)
class Reuse:
    """One verification by reuse.

    Attributes:
        search: The search that residual subproblems go to; it brings problem, budget and counters.
        proof: The original's proof, of a property that holds.
        neuron_map: From the original's neurons to the compressed network's.
        report: Filled in as the run goes.
        cover: The cores that cover everything, once they are found to do so.
    """

    search: Search
    proof: Proof
    neuron_map: NeuronMap
    report: ReuseReport = field(default_factory=ReuseReport)
    cover: Cover | None = None

    def run(self) -> Outcome:
        """Verify; the outcome's cores are all valid on the compressed network."""
        self.search.problem = self.search.problem.for_work(2 * len(self.proof.cores))
        self.search.report = partial(self._tell, self.search.report)
        self.report.cores = len(self.proof.cores)
        self.report.original_seconds = self.proof.seconds
        timing = self.search.statistics.timing
        with timing("counterexample"):
            point = self._attacked()
        if point is not None:
            return Outcome(Answer.SAT, (), point)
        with timing("translate"):
            candidates = self._translate()
            tree = _tree(candidates)
        with timing("re-validate"):
            checked, point = self._revalidated(candidates)
        self.report.valid, self.report.in_parts = checked.valid, checked.in_parts
        if point is not None:
            return Outcome(Answer.SAT, tuple(checked.cores), point)
        if self.search.budget.is_spent:
            return Outcome(Answer.UNKNOWN, tuple(checked.cores), reason=TIME_LIMIT)
        with timing("repair"):
            repair = self._repair(checked.failed)
        self.report.repaired = repair.repaired
        self.report.dropped = len(checked.failed) - repair.repaired
        if self.report.gave_up:
            return self._from_scratch()
        cores = [*checked.cores, *repair.cores]
        with timing("residual"):
            self.report.residual_subproblems = len(repair.open)
            self.search.cores.extend(cores)
            outcome = self.search.run((), repair.open)
        if outcome.answer is not Answer.UNSAT:
            return outcome
        with timing("cover"):
            self.cover = self._covered(outcome.cores, tree)
        return outcome if self.cover is not None else self._from_scratch()

    def _tell(self, report: ProgressFn, progress: Progress) -> None:
        """Report, with what is known of the original's cores from earlier steps."""
        known = {
            name: getattr(self.report, name)
            for name in ("valid", "repaired", "dropped")
            if getattr(progress, name) is None
        }
        report(replace(progress, **known))

    def _attacked(self) -> tuple[Fraction, ...] | None:
        """Attack as a search does early on, where that costs little beside re-validation."""
        problem = self.search.problem
        if len(self.proof.cores) < MANY or problem.layers.wide:
            return None
        _, starts, steps = ATTACKS[0]
        return attack(problem, self.search.options.seed, steps, starts)

    def _translate(self) -> list[Candidate]:
        """Return the unchecked translations of all cores, without the vacuous ones.

        A core is tried where its leaves are, as far as they share their literals: that region is
        smaller than the core's own, and shares its prefixes with its neighbours, so that bounding
        it costs a fraction. (Unless that lost a literal that the core needs: then the core is tried
        as it is.)
        """
        widths = self.search.problem.layers.widths
        translation = Translation(self.neuron_map, self.proof.layer_widths, widths)
        parts: list[list[Part]] = [[] for _ in self.proof.cores]
        for leaf in self.proof.leaves:
            path = translation.path(leaf.path)
            if path is not None:
                multipliers = partial(translation.multipliers, leaf.multipliers)
                parts[leaf.core].append(Part(path[0], multipliers))
        candidates: list[Candidate] = []
        for original, own in zip(self.proof.cores, parts, strict=True):
            translated = translation.core(original)
            if translated is None:
                self.report.vacuous += 1
                continue
            core, lost = translated
            self.report.untranslatable += lost
            shared = _shared([part.path for part in own])
            if own and shared != core.path and covers(core.path, shared):
                core = replace(core, path=shared)
            candidates.append(Candidate(core, own))
        return candidates

    def _revalidated(
        self, candidates: list[Candidate]
    ) -> tuple[Revalidation, tuple[Fraction, ...] | None]:
        """Re-validate, or find a counterexample.

        Where most cores fail by the slopes of the original's box, they are tried by own ones.
        """
        checked = Revalidation(self.search)
        point = checked.run(candidates)
        is_stale = point is None and len(checked.failed) > STALE * len(candidates)
        if is_stale and self._ascend():
            checked = Revalidation(self.search)
            point = checked.run(candidates)
        return checked, point

    def _ascend(self) -> bool:
        """Tighten the box with slopes of its own; tell whether it had the original's."""
        is_theirs = bool(self.proof.tightened) and self.search.problem.layers.wide
        if is_theirs:
            self.search.problem = self.search.problem.ascended()
        return is_theirs

    def _repair(self, failed: list[Failed]) -> Repair:
        """Repair the failed cores; decide from a sample whether it pays."""
        repair = Repair(self.search)
        # Every k-th failed core, so that the sample is spread over the whole tree.
        chosen = range(0, len(failed), max(len(failed) // SAMPLE, 1))[:SAMPLE]
        repair.run([failed[i] for i in chosen], len(failed))
        rest = [part for i, part in enumerate(failed) if i not in set(chosen)]
        mostly_failed = len(failed) > len(self.proof.cores) // 2
        if rest and mostly_failed and repair.repaired < PAYS * len(chosen):
            self.report.gave_up = True
            return repair
        repair.run(rest, len(failed))
        return repair

    def _covered(self, cores: Sequence[Core], tree: dict[CasePath, Path]) -> Cover | None:
        """Return the cores as a cover, if they are one; the original's tree may show it."""
        own = {(core.case, core.path): core.path for core in cores}
        cases = len(self.search.problem.prop.cases)
        return cover(cores, cases, tree | own)

    def _from_scratch(self) -> Outcome:
        """Search the whole property, keeping nothing."""
        self._ascend()
        problem = self.search.problem
        self.search.cores.clear()
        self.report.residual_subproblems += len(problem.groups)
        with self.search.statistics.timing("scratch"):
            outcome = self.search.run(whole(problem))
            if outcome.answer is Answer.UNSAT:
                self.cover = cover(outcome.cores, len(problem.prop.cases))
        return outcome


def _tree(candidates: Iterable[Candidate]) -> dict[CasePath, Path]:
    """Return case and path of all leaves, with the path of their core."""
    return {(c.core.case, part.path): c.core.path for c in candidates for part in c.parts}


def _shared(paths: Sequence[Path]) -> Path:
    """Return the literals that paths begin with together."""
    if not paths:
        return ()
    first = min(paths, key=len)
    for depth, literal in enumerate(first):
        if any(path[depth] != literal for path in paths):
            return first[:depth]
    return first
