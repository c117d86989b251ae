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
from dataclasses import asdict, replace
from functools import cached_property, partial
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.evidence import check_result
from benchmarks.rows import ORIGINAL, Measurement, Row, read_rows
from benchmarks.subject import Subject
from benchmarks.timing import cpu_seconds, warm_up
from benchmarks.ways import PRODUCT, REPLAY, SCRATCH, WAYS, reuse
from compression.registry import make_method
from verifier.change.match import infer_map
from verifier.ir.onnx_reader import read_onnx
from verifier.options import EngineOptions
from verifier.pipeline import Result, prove
from verifier.proof.store import read_proof, write_proof
from verifier.spec.vnnlib_reader import read_vnnlib
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from benchmarks.rows import Key
    from benchmarks.suites import Experiment, Suite, Variant
    from benchmarks.ways import Way
    from verifier.change.neuron_map import NeuronMap
    from verifier.engine.clauses import CasePath
    from verifier.ir.graph import Graph

Timed = tuple[Result, float]
"""A result and the CPU seconds it took."""


def run_suite(suite: Suite, out: Path, jobs: int) -> Iterator[str]:
    """Run what the file lacks, and yield a sentence on each experiment that ended.

    Args:
        suite: What to run.
        out: The file of rows; proofs go to a folder of that name with ``.proofs``.
        jobs: Number of processes; experiments that share their searches share these too.
    """
    done = {row.key for row in read_rows(out)}
    out.parent.mkdir(parents=True, exist_ok=True)
    # Workers inherit it before they import numpy, which reads it once.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    workers = max(jobs // suite.processes, 1)
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
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
        self._options = EngineOptions(
            timeout_seconds=suite.timeout_seconds, compiled=True, processes=suite.processes
        )
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
        leaves = self._leaves if proof.verdict is Verdict.HOLDS else ()
        subject = Subject(
            graph, self._property, self._graph, proof, leaves, neuron_map, self._verdict_only
        )
        possible = {SCRATCH} if proof.verdict is not Verdict.HOLDS else set(WAYS)
        if not leaves:
            possible.discard(REPLAY)
        ways = {name: WAYS[name] for name in self._suite.ways if name in possible}
        others = self._in_turns({**ways, PRODUCT: reuse}, subject)
        product = others.pop(PRODUCT)
        return self._row(variant.name, variant.network, graph, product, others)

    @cached_property
    def _leaves(self) -> tuple[CasePath, ...]:
        """Leaves of a plain search of the original, if they are asked for and it ends."""
        if REPLAY not in self._suite.ways:
            return ()
        proof = prove(self._graph, self._property, self._verdict_only).proof
        return () if proof is None else tuple((core.case, core.path) for core in proof.cores)

    def _in_turns(self, ways: Mapping[str, Way], subject: Subject) -> dict[str, Timed]:
        """Verify in every way, in turns, and return the run of median cost of each."""
        runs: dict[str, list[Timed]] = {name: [] for name in ways}
        for _ in range(self._suite.rounds):
            for name, way in ways.items():
                runs[name].append(cpu_seconds(partial(way, subject)))
        return {name: median_run(part) for name, part in runs.items()}

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


def median_run(runs: Sequence[Timed]) -> Timed:
    """Return the run of median cost, of those that came to a verdict if any did.

    Raises:
        RuntimeError: They came to different verdicts.
    """
    decided = [run for run in runs if run[0].verdict is not Verdict.UNKNOWN] or runs
    if len({result.verdict for result, _ in decided}) > 1:
        msg = "one way came to different verdicts of one variant"
        raise RuntimeError(msg)
    return sorted(decided, key=itemgetter(1))[(len(decided) - 1) // 2]
