# SPDX-License-Identifier: Apache-2.0
"""Run a suite and write one line of JSON for each verification, as it comes.

Every row is one call in a warm process, without imports, reading and writing. It has two clocks:
the engine's own, which runs while other processes hold the machine, and the seconds that the
processor spent on the call, which ratios are made of. Each experiment runs in a worker process with
single-threaded linear algebra. Rows that a file already has are not run again, so an interrupted
suite goes on where it was; the originals' proofs are kept beside the file for that.
"""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.evidence import ACCEPTED, check_result
from benchmarks.subject import Subject
from benchmarks.timing import cpu_seconds, warm_up
from benchmarks.ways import SCRATCH, WAYS, reuse
from compression.registry import make_method
from verifier.change.match import infer_map
from verifier.ir.onnx_reader import read_onnx
from verifier.options import EngineOptions
from verifier.pipeline import Result, prove
from verifier.proof.store import read_proof, write_proof
from verifier.spec.vnnlib_reader import read_vnnlib
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from benchmarks.suites import Experiment, Suite, Variant
    from verifier.change.neuron_map import NeuronMap
    from verifier.ir.graph import Graph

ORIGINAL = "original"
Key = tuple[str, str, str]
Timed = tuple[Result, float]
"""A result and the CPU seconds it took."""


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
        """Seconds until the verdict, without minimising cores for later use."""
        return self.seconds - self.steps.get("minimize", 0.0)

    @property
    def deciding_cpu_seconds(self) -> float:
        """The processor's seconds until the verdict: minimising takes its share of the clock."""
        return self.cpu_seconds * (self.deciding_seconds / self.seconds if self.seconds else 1.0)


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


def run_suite(suite: Suite, out: Path, jobs: int) -> Iterator[str]:
    """Run what the file lacks, and yield a sentence on each experiment that ended.

    Args:
        suite: What to run.
        out: The file of rows; proofs go to a folder of that name with ``.proofs``.
        jobs: Number of worker processes.
    """
    done = {row.key for row in read_rows(out)}
    out.parent.mkdir(parents=True, exist_ok=True)
    # Workers inherit it before they import numpy, which reads it once.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        futures = {
            pool.submit(run_experiment, suite, experiment, out, done): experiment
            for experiment in suite.experiments
        }
        for number, future in enumerate(as_completed(futures), start=1):
            experiment = futures[future]
            name = f"{Path(experiment.network).stem} {Path(experiment.prop).stem}"
            yield f"{number}/{len(futures)} {name}: {future.result()} new rows"


def run_experiment(suite: Suite, experiment: Experiment, out: Path, done: Collection[Key]) -> int:
    """Append the rows of an experiment that are not done; return how many there were."""
    wanted = [
        variant
        for variant in experiment.variants
        if (experiment.network, experiment.prop, variant.name) not in done
    ]
    is_done = (experiment.network, experiment.prop, ORIGINAL) in done
    if is_done and not wanted:
        return 0
    run = _Run(suite, experiment, out)
    if not is_done:
        run.append(run.original())
    for variant in wanted:
        run.append(run.variant(variant))
    return len(wanted) + (not is_done)


class _Run:
    """One experiment under way."""

    def __init__(self, suite: Suite, experiment: Experiment, out: Path) -> None:
        self._suite, self._experiment, self._out = suite, experiment, out
        self._options = EngineOptions(timeout_seconds=suite.timeout_seconds, compiled=True)
        warm_up()
        self._verdict_only = replace(self._options, minimize=False)
        self._graph = read_onnx(suite.folder / experiment.network)
        self._property = read_vnnlib(suite.folder / experiment.prop)
        name = f"{Path(experiment.network).stem}-{Path(experiment.prop).stem}.proof"
        self._proof_file = out.with_suffix(".proofs") / name

    def original(self) -> Row:
        """Prove the original and keep its proof."""
        timed = cpu_seconds(lambda: prove(self._graph, self._property, self._options))
        proof = timed[0].proof
        self._proof_file.unlink(missing_ok=True)
        if proof is not None:
            self._proof_file.parent.mkdir(exist_ok=True)
            write_proof(proof, self._proof_file)
        return self._row(ORIGINAL, self._experiment.network, self._graph, timed)

    def variant(self, variant: Variant) -> Row:
        """Verify a variant, by reuse where there is a proof, and by the suite's other ways."""
        graph, neuron_map = self._compressed(variant)
        if not self._proof_file.exists():
            timed = cpu_seconds(lambda: prove(graph, self._property, self._verdict_only))
            return self._row(variant.name, variant.network, graph, timed)
        proof = read_proof(self._proof_file)
        subject = Subject(graph, self._property, self._graph, proof, neuron_map, self._verdict_only)
        others = {
            name: cpu_seconds(partial(WAYS[name], subject))
            for name in self._suite.ways
            # There is nothing to carry over but the counterexample, which reuse tries.
            if name == SCRATCH or proof.verdict is Verdict.HOLDS
        }
        timed = cpu_seconds(lambda: reuse(subject))
        return self._row(variant.name, variant.network, graph, timed, others)

    def append(self, row: Row) -> None:
        """Write a row; one short write, so that workers do not mix their lines."""
        with self._out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")

    def _compressed(self, variant: Variant) -> tuple[Graph, NeuronMap]:
        if variant.network:
            graph = read_onnx(self._suite.folder / variant.network)
            return graph, infer_map(self._graph, graph)
        result = make_method(variant.method, variant.options).apply(self._graph)
        return result.graph, result.neuron_map

    def _row(
        self,
        name: str,
        network: str,
        graph: Graph,
        timed: Timed,
        others: Mapping[str, Timed] | None = None,
    ) -> Row:
        expected = self._suite.expected.get((network, self._experiment.prop), "")
        reused = timed[0].reuse
        return Row(
            self._experiment.network,
            self._experiment.prop,
            name,
            str(expected),
            self._measure(graph, timed),
            {} if reused is None else reused.to_json(),
            {way: self._measure(graph, other) for way, other in (others or {}).items()},
        )

    def _measure(self, graph: Graph, timed: Timed) -> Measurement:
        result, seconds = timed
        cores = 0 if result.proof is None else len(result.proof.cores)
        is_checked = cores <= self._suite.most_cores
        started = time.perf_counter()
        certificate = check_result(graph, self._property, result) if is_checked else ""
        return Measurement(
            str(result.verdict),
            result.reason,
            round(result.seconds, 4),
            round(seconds, 4),
            cores,
            dict(result.statistics.calls),
            {step: round(value, 4) for step, value in result.statistics.seconds.items()},
            certificate,
            round(time.perf_counter() - started, 4),
        )
