# SPDX-License-Identifier: Apache-2.0
"""The strongest compressions that still satisfy all properties.

Two axes, such as sparsity and bits, each with levels from weak to strong, make a grid of variants.
The walk starts at the weakest level of the first axis and the strongest of the second. Where all
properties are proved it goes on to the next level of the first; elsewhere it gives way by one level
on the second:

    bits   4  ✗
           8  ✓ → ✗
          16       ✓ → ✓ → ✗
        none                ✓ → ...
                0   5  10  20 %   pruned

So of n times m variants at most n + m + 1 are verified. That what is stronger than a variant which
fails would fail as well is assumed, but only to choose what is verified next; what is told to
satisfy the properties has been proved to. One axis alone is walked upwards until it fails.

Each variant reuses the proof of the one with the first axis alone, and that reuses the original's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from verifier.batch.question import Question, Subject
from verifier.batch.results import Result
from verifier.batch.reuse import jobs_with_bases, made_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verifier.batch.question import Change, Step
    from verifier.batch.run import Run
    from verifier.batch.task import Outcome
    from verifier.batch.zoo import Zoo

BITS_OF_ORIGINAL = 32
"""Bits of a number that no method has changed: sizes are compared with the network in float32."""


@dataclass(frozen=True)
class Tried:
    """A variant that was verified.

    Attributes:
        subject: The variant.
        results: One for each property.
        size: Bits of all numbers that are not zero, relative to those of the original in float32.
    """

    subject: Subject
    results: tuple[Result, ...]
    size: float

    @property
    def holds(self) -> bool:
        """Whether all properties are proved."""
        return all(result.verdict == "holds" for result in self.results)


class Walk:
    """The walk over the grid of one network.

    Args:
        axes: Levels of one or two compressions, each from weak to strong.
    """

    def __init__(self, axes: Sequence[tuple[Step, ...]]) -> None:
        self._first = axes[0]
        self._second = axes[1] if len(axes) > 1 else ()
        self._place: tuple[int, int] | None = (0, len(self._second))

    @property
    def steps(self) -> tuple[Step, ...] | None:
        """What is to be verified next: what is done to the original; None at the end."""
        if self._place is None:
            return None
        first, second = self._place
        return self._first[:first][-1:] + self._second[:second][-1:]

    def go_on(self, *, holds: bool) -> None:
        """Take the next step after a variant was verified."""
        if self._place is None:
            return
        first, second = self._place
        first, second = (first + 1, second) if holds else (first, second - 1)
        is_over = first > len(self._first) or second < 0
        self._place = None if is_over else (first, second)


def find_frontiers(zoo: Zoo, run: Run) -> dict[str, list[Tried]]:
    """Walk the grids of all networks side by side; return what was tried, by network.

    Args:
        zoo: Networks, properties and at least one axis.
        run: Does jobs.
    """
    bases = {(), *((step,) for step in zoo.axes[0])}
    walks = {name: Walk(zoo.axes) for name in zoo.networks}
    tried: dict[str, list[Tried]] = {name: [] for name in zoo.networks}
    while wanted := {n: walk.steps for n, walk in walks.items() if walk.steps is not None}:
        run.do(
            job
            for name, steps in wanted.items()
            for job in jobs_with_bases(
                replace(zoo, networks=(name,), variants=_with_prefixes(steps)), bases
            )
        )
        for name, steps in wanted.items():
            found = _tried(zoo, Subject(name, steps), run.outcomes)
            tried[name].append(found)
            walks[name].go_on(holds=found.holds)
    return tried


def _with_prefixes(steps: tuple[Change, ...]) -> tuple[tuple[Change, ...], ...]:
    return tuple(steps[:length] for length in range(1, len(steps) + 1))


def _tried(zoo: Zoo, subject: Subject, outcomes: Mapping[str, Outcome]) -> Tried:
    questions = [Question(subject, prop, zoo.timeout_seconds) for prop in zoo.properties]
    results = tuple(Result.of(question, outcomes[str(question)]) for question in questions)
    return Tried(subject, results, relative_size(subject, outcomes))


def relative_size(subject: Subject, outcomes: Mapping[str, Outcome]) -> float:
    """Return the bits of all numbers that are not zero, relative to the original in float32."""
    made = [
        outcomes[made_by(Subject(subject.network, steps))]
        for steps in _with_prefixes(subject.steps)
    ]
    if not made or any(outcome.error for outcome in made):
        return 1.0
    reports = [outcome.document["report"] for outcome in made]
    bits = [r["bits_per_number"] for r in reports if r["bits_per_number"] is not None]
    numbers = reports[-1]["sizes"]["compressed"]["nonzero_parameters"]
    original = reports[0]["sizes"]["original"]["nonzero_parameters"]
    width = bits[-1] if bits else BITS_OF_ORIGINAL
    return float(numbers * width) / float(original * BITS_OF_ORIGINAL)


def strongest(tried: Sequence[Tried]) -> Tried | None:
    """Return the smallest variant that satisfies all properties, if one does."""
    return min((each for each in tried if each.holds), key=lambda each: each.size, default=None)
