# SPDX-License-Identifier: Apache-2.0
"""Does a task: in this process, on whatever machine it runs.

A verification reads its files as every command does, runs the import gate, searches with compiled
loops and replays a counterexample. A worker does many tasks, and loads those loops once; on a new
machine it compiles them, which takes most of a minute: before the clock of its first task starts.
What refuses a file is an outcome, not an end of the worker.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.batch.task import Outcome, crash, failure
from verifier.errors import RefusedError, UsageError, VerifierError
from verifier.network_file import Network, counterexample_json
from verifier.options import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verifier.batch.task import Task
    from verifier.change.neuron_map import NeuronMap
    from verifier.ir.graph import Graph
    from verifier.pipeline import Result
    from verifier.spec.property import Property
    from verifier.spec.query import Query

SHORTEST_SECONDS = 0.001


def execute(task: Task) -> Outcome:
    """Do a task; what is wrong with its files becomes an outcome with an error."""
    with tempfile.TemporaryDirectory(prefix="mucg4-") as name:
        folder = Path(name)
        for file, content in task.files.items():
            (folder / file).write_bytes(content)
        try:
            return COMMANDS[task.command](folder, task.options)
        except (UsageError, RefusedError) as error:
            return failure(str(error).replace(f"{folder}/", ""))
        except VerifierError as error:
            return crash(str(error).replace(f"{folder}/", ""))


@dataclass(frozen=True)
class _Clock:
    """Counts from the start of a task: limits include reading."""

    started: float
    limit: float | None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> _Clock:
        return cls(time.monotonic(), options.get("timeout_seconds"))

    @property
    def left(self) -> float | None:
        if self.limit is None:
            return None
        return max(self.limit - self.spent, SHORTEST_SECONDS)

    @property
    def spent(self) -> float:
        return time.monotonic() - self.started


def _verify(folder: Path, options: Mapping[str, Any]) -> Outcome:
    """Verify ``model.onnx`` against ``property.vnnlib``, by reuse where there is ``base.proof``.

    What says which neuron is which is ``neuron_map.json``, or inferred from ``original.onnx``.

    Options: ``timeout_seconds``; ``keep``, whether a proof for reuse is made; ``certify``.
    """
    from verifier.bounds.warm_up import warm_up
    from verifier.pipeline import prove, reverify
    from verifier.proof.store import read_proof
    from verifier.spec.vnnlib_reader import read_vnnlib

    warm_up()
    clock = _Clock.of(options)
    prop = read_vnnlib(folder / "property.vnnlib")
    network = Network.read(folder / "model.onnx")
    network.check(prop)
    base = folder / "base.proof"
    engine = EngineOptions(clock.left, minimize=bool(options.get("keep")), compiled=True)
    if base.exists():
        neuron_map = _neuron_map(folder, network)
        result = reverify(network.graph, prop, read_proof(base), neuron_map, engine)
    else:
        result = prove(network.graph, prop, engine)
    result, problem = network.replay(result, prop)
    files, missing = _made(result, folder, options)
    document = _told(result, clock, problem) | {
        "reuse": None if result.reuse is None else result.reuse.to_json(),
        "cores": 0 if result.proof is None else len(result.proof.cores),
        "not_written": missing,
        "is_vacuous": not prop.cases,
    }
    return Outcome(document, files)


def _neuron_map(folder: Path, network: Network) -> NeuronMap | None:
    from verifier.change.match import infer_map
    from verifier.change.neuron_map import NeuronMap

    file, original = folder / "neuron_map.json", folder / "original.onnx"
    if file.exists():
        return NeuronMap.load(file)
    return infer_map(Network.read(original).graph, network.graph) if original.exists() else None


def _query(folder: Path, options: Mapping[str, Any]) -> Outcome:
    """Answer ``query.vnnlib``; ``networks`` gives a file for each name, or one without a name."""
    from verifier.bounds.warm_up import warm_up
    from verifier.pipeline import prove
    from verifier.query_networks import QueryNetworks
    from verifier.spec.vnnlib_reader import read_query

    warm_up()
    clock = _Clock.of(options)
    query = read_query(folder / "query.vnnlib")
    named = {name: folder / file for name, file in options["networks"].items()}
    networks = QueryNetworks.read(query, _by_declared_name(named, query))
    networks.check()
    engine = EngineOptions(clock.left, minimize=False, compiled=True)
    result = prove(networks.graph, query.property, engine)
    problem = ""
    if result.counterexample is not None:
        found, problem = networks.replayed(result.counterexample)
        result = replace(result, counterexample=found)
    return Outcome(_told(result, clock, problem))


def _by_declared_name(files: dict[str, Path], query: Query) -> dict[str, Path]:
    """Return the files of the networks that need one, by the names that the query gives them.

    Raises:
        UsageError: A network that is declared equal to another comes with another file.
    """
    if query.version == 1 or set(files) == {""}:
        return dict(zip([query.networks[0].name], files.values(), strict=True))
    for network in query.networks:
        path, other = files.get(network.name), files.get(network.equal_to)
        if path is None or other is None:
            continue
        if path.read_bytes() != other.read_bytes():
            msg = f"{network.name} is declared equal to {network.equal_to}, which is another file"
            raise UsageError(msg)
        del files[network.name]
    return files


def _compress(folder: Path, options: Mapping[str, Any]) -> Outcome:
    """Compress ``model.onnx`` by ``method`` with ``options``, a list of KEY=VALUE."""
    from compression.artefact import save
    from compression.registry import make_method

    method = make_method(options["method"], options["options"])
    network = Network.read(folder / "model.onnx")
    result = method.apply(network.graph)
    base = hashlib.sha256(network.content).hexdigest()
    made = save(result, folder / "made", base_sha256=base)
    files = {path.name: path.read_bytes() for path in (made.model, made.neuron_map)}
    return Outcome({"report": result.report.to_dict(), "sha256": made.sha256}, files)


def _check(folder: Path, options: Mapping[str, Any]) -> Outcome:
    """Have ``certificate.json.gz`` checked against ``model.onnx`` and ``property.vnnlib``.

    Options: ``counterexample``, if one was reported: ``input`` and ``output``, checked as well.
    """
    from verifier.certificate.checker import check_certificate
    from verifier.certificate.format import read_certificate
    from verifier.spec.vnnlib_reader import check_fits, read_vnnlib

    clock = _Clock.of(options)
    document = read_certificate(folder / "certificate.json.gz")
    prop = read_vnnlib(folder / "property.vnnlib")
    graph = Network.read(folder / "model.onnx").graph
    check_fits(prop, graph)
    report = check_certificate(document, graph, prop)
    told = {
        "accepted": report.accepted,
        "verdict": str(report.verdict),
        "reason": report.reason,
        "run_seconds": round(clock.spent, 6),
    }
    reported = options.get("counterexample")
    if reported is not None:
        told["is_counterexample"] = _is_counterexample(reported, graph, prop)
    return Outcome(told)


def _is_counterexample(reported: Mapping[str, Any], graph: Graph, prop: Property) -> bool:
    """Whether a reported point violates a property, with the reported output, exactly."""
    from verifier.spec.counterexample import replay_exactly

    try:
        x, y = (tuple(map(Fraction, reported[name])) for name in ("input", "output"))
        found = replay_exactly(graph, prop, x)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return False
    return found is not None and found.output == y


def _made(
    result: Result, folder: Path, options: Mapping[str, Any]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the proof and the certificate as far as they are wanted, and why one is missing."""
    from verifier.certificate.format import write_certificate
    from verifier.proof.store import write_proof

    files, missing = {}, {}
    if options.get("keep") and result.proof is not None:
        write_proof(result.proof, folder / "proof")
        files["proof"] = (folder / "proof").read_bytes()
    if options.get("certify") and result.proof is not None:
        try:
            write_certificate(result.certificate(), folder / "certificate.json.gz")
        except RefusedError as error:
            missing["certificate"] = str(error)
        else:
            files["certificate"] = (folder / "certificate.json.gz").read_bytes()
    return files, missing


def _told(result: Result, clock: _Clock, problem: str) -> dict[str, Any]:
    return {
        "verdict": str(result.verdict),
        "reason": result.reason,
        "semantics": str(result.semantics),
        "seconds": round(result.seconds, 6),
        "run_seconds": round(clock.spent, 6),
        "counterexample": counterexample_json(result.counterexample, problem),
    }


COMMANDS: Mapping[str, Callable[[Path, Mapping[str, Any]], Outcome]] = {
    "verify": _verify,
    "query": _query,
    "compress": _compress,
    "check": _check,
}
