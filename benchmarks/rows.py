# SPDX-License-Identifier: Apache-2.0
"""What a run of a suite leaves behind: one row for each network with each property."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.evidence import ACCEPTED
from benchmarks.ways import SCRATCH
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

ORIGINAL = "original"
FOR_REUSE = ("minimize", "deepen")
"""Steps of a proof that serve reuse, not the verdict."""
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Measurement:
    """One verification.

    Attributes:
        verdict: What was found.
        reason: Why unknown.
        seconds: By the engine's clock.
        cpu_seconds: Of the processor, for the whole call.
        cores: Cores of the proof, if there is one.
        calls: Theory calls by kind.
        steps: Seconds by step.
        certificate: ``accepted``, ``rejected: why``, ``refused: why``, or empty where none was
            written: there is no proof, or one with too many cores for the suite.
        certificate_seconds: To write and check it.
    """

    verdict: str
    reason: str
    seconds: float
    cpu_seconds: float
    cores: int
    calls: dict[str, int]
    steps: dict[str, float]
    certificate: str
    certificate_seconds: float

    @property
    def deciding_seconds(self) -> float:
        """Seconds until the verdict, without what is done to the proof for later use."""
        return self.seconds - sum(self.steps.get(step, 0.0) for step in FOR_REUSE)

    @property
    def deciding_cpu_seconds(self) -> float:
        """The processor's seconds until the verdict."""
        return self.cpu_seconds - sum(map(self.cpu_seconds_of, FOR_REUSE))

    def cpu_seconds_of(self, step: str) -> float:
        """The processor's seconds in a step: as large a share of them as of those by the clock."""
        share = self.steps.get(step, 0.0) / self.seconds if self.seconds else 0.0
        return self.cpu_seconds * share


@dataclass(frozen=True)
class Row:
    """One network with one property.

    Attributes:
        network: The original's file.
        prop: The property's file.
        variant: Which variant, or ``original``.
        expected: The verdict that is known from elsewhere, or empty.
        measured: The verification, of a variant by reuse if its original has a proof.
        reuse: What became of the original's cores; empty without a proof to reuse.
        others: The variant's verifications by the suite's other ways.
    """

    network: str
    prop: str
    variant: str
    expected: str
    measured: Measurement
    reuse: dict[str, Any]
    others: dict[str, Measurement]

    @property
    def verifications(self) -> tuple[Measurement, ...]:
        """The verifications by all ways."""
        return self.measured, *self.others.values()

    @property
    def scratch(self) -> Measurement | None:
        """The verification from scratch, in suites that have it."""
        return self.others.get(SCRATCH)

    @property
    def key(self) -> Key:
        """What distinguishes rows of a suite."""
        return self.network, self.prop, self.variant

    @property
    def agreement(self) -> str:
        """How the verdicts, the expected one and those by all ways, go together."""
        known = {self.expected, *(way.verdict for way in self.verifications)}
        if {Verdict.HOLDS, Verdict.VIOLATED} <= known:
            return "contradict"
        if self.measured.verdict == Verdict.UNKNOWN:
            return "unknown"
        return "agree" if self.expected == self.measured.verdict else "new"

    @property
    def is_wrong(self) -> bool:
        """Whether verdicts contradict each other, or a certificate was not accepted."""
        return self.agreement == "contradict" or any(
            way.certificate not in {"", ACCEPTED} for way in self.verifications
        )


def read_rows(path: Path) -> list[Row]:
    """Read the rows that a file has; a file that does not exist has none."""
    if not path.exists():
        return []
    rows: list[Row] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        measured = Measurement(**document.pop("measured"))
        others = {name: Measurement(**way) for name, way in document.pop("others").items()}
        rows.append(Row(**document, measured=measured, others=others))
    return rows
