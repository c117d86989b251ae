# SPDX-License-Identifier: Apache-2.0
"""The runs of ``mucg4 demo``: prove, compress, re-verify with and without reuse, check.

Everything is measured while nothing else runs in this process; only then are the certificates
checked, several at a time. What is verified are the files as written, not what they were made
from. Both ways of verifying a variant get the same network and the same options, and search one
after the other, so that a slow moment of the machine hits both.
"""

from __future__ import annotations

import csv
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.files import write
from verifier.errors import VerifierError
from verifier.network_file import Network
from verifier.options import EngineOptions
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from verifier.pipeline import Result
    from verifier.spec.property import Property

    Show = Callable[[str], None]

MOST_CHECKERS = 4


@dataclass(frozen=True)
class Variant:
    """A compression of the example's network.

    Attributes:
        folder: Name of its folder.
        title: What to call it.
        method: The compression method.
        options: Its options.
    """

    folder: str
    title: str
    method: str
    options: tuple[str, ...]


VARIANTS = (
    Variant("int8", "8-bit weights", "integer_quantisation", ("bits=8",)),
    Variant("pruned", "30 % of weights pruned", "magnitude_pruning", ("sparsity=0.3",)),
    Variant("smaller", "1 of 8 neurons removed", "neuron_pruning", ("fraction=1/8", "scope=layer")),
)


@dataclass(frozen=True, eq=False)
class Question:
    """One property of the example.

    Attributes:
        path: Its file.
        label: The digit that must be recognised.
        epsilon: How far each pixel may be off, as written in the index.
        prop: The property.
    """

    path: Path
    label: int
    epsilon: str
    prop: Property

    @property
    def name(self) -> str:
        """What to call it."""
        return f"digit {self.label}, ε = {self.epsilon}"


@dataclass(frozen=True, eq=False)
class Run:
    """One property of one network.

    Attributes:
        question: The property.
        result: By reuse, or from scratch for the original.
        scratch: From scratch.
        certificate: The certificate of ``result``, if it has one.
    """

    question: Question
    result: Result
    scratch: Result
    certificate: Path | None


@dataclass(frozen=True, eq=False)
class Subject:
    """One network with all its runs.

    Attributes:
        title: What to call it.
        network: Its file.
        runs: One for each property.
    """

    title: str
    network: Path
    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        """Verification time over all properties, by reuse where there is any."""
        return sum(run.result.seconds for run in self.runs)

    @property
    def scratch_seconds(self) -> float:
        """Verification time over all properties, from scratch."""
        return sum(run.scratch.seconds for run in self.runs)

    @property
    def speedup(self) -> float:
        """How many times faster reuse is, over all properties."""
        return self.scratch_seconds / self.seconds


def example_folder() -> Path:
    """Return the folder of the example: inside an installed package, else in the source tree."""
    bundled = Path(__file__).with_name("demo_data")
    return bundled if bundled.is_dir() else Path(__file__).parents[2] / "examples" / "digits"


def questions(folder: Path) -> tuple[Question, ...]:
    """Return the example's properties."""
    from verifier.spec.vnnlib_reader import read_vnnlib

    with (folder / "properties" / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    paths = [folder / "properties" / row["file"] for row in rows]
    return tuple(
        Question(path, int(row["label"]), row["epsilon"], read_vnnlib(path))
        for path, row in zip(paths, rows, strict=True)
    )


def prove_original(network: Network, asked: Sequence[Question], out: Path, show: Show) -> Subject:
    """Prove every property of the original and keep the proofs."""
    from verifier.pipeline import prove
    from verifier.proof.store import write_proof

    folder = _made(out / "original")
    # Once without the clock: the first run loads the linear programming solver.
    prove(network.graph, asked[0].prop)
    runs = []
    for question in asked:
        show(f"original: prove {question.name}")
        network.check(question.prop)
        result = prove(network.graph, question.prop)
        if result.proof is not None:
            place = folder / f"{question.path.stem}.proof"
            write(place, partial(write_proof, result.proof))
        runs.append(Run(question, result, result, _certificate(result, question, folder)))
    return Subject("original", network.path, tuple(runs))


def reverify_variant(variant: Variant, original: Subject, out: Path, show: Show) -> Subject:
    """Compress the original, then verify the file with and without reuse."""
    from compression.artefact import save
    from compression.registry import make_method
    from verifier.change.neuron_map import NeuronMap
    from verifier.pipeline import prove, reverify

    folder = _made(out / variant.folder)
    method = make_method(variant.method, variant.options)
    artefact = save(method.apply(Network.read(original.network).graph), folder)
    network = Network.read(artefact.model)
    neuron_map = NeuronMap.load(artefact.neuron_map)
    runs = []
    for before in original.runs:
        question = before.question
        network.check(question.prop)
        show(f"{variant.title}: {question.name}, from scratch")
        scratch = prove(network.graph, question.prop, EngineOptions(minimize=False))
        result = scratch
        if before.result.proof is not None:
            show(f"{variant.title}: {question.name}, by reuse")
            result = reverify(network.graph, question.prop, before.result.proof, neuron_map)
        _compare(variant, question, result, scratch)
        runs.append(Run(question, result, scratch, _certificate(result, question, folder)))
    return Subject(variant.title, artefact.model, tuple(runs))


def check_certificates(subjects: Sequence[Subject], show: Show) -> dict[Path, str]:
    """Return why each certificate was rejected, empty where it was accepted."""
    tasks = [
        (run.certificate, subject.network, run.question.path)
        for subject in subjects
        for run in subject.runs
        if run.certificate is not None
    ]
    workers = min(os.cpu_count() or 1, MOST_CHECKERS)
    reasons: dict[Path, str] = {}
    # A fresh interpreter for each checker: it shares nothing with the engine of this process.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for certificate, reason in pool.map(_checked, tasks):
            reasons[certificate] = reason
            show(f"certificates: {len(reasons)} of {len(tasks)} checked")
    return reasons


def _checked(task: tuple[Path, Path, Path]) -> tuple[Path, str]:
    from verifier.certificate.checker import check_certificate
    from verifier.certificate.format import read_certificate
    from verifier.ir.onnx_reader import read_onnx
    from verifier.spec.vnnlib_reader import read_vnnlib

    certificate, network, prop = task
    document = read_certificate(certificate)
    report = check_certificate(document, read_onnx(network), read_vnnlib(prop))
    return certificate, "" if report.accepted else report.reason


def _compare(variant: Variant, question: Question, result: Result, scratch: Result) -> None:
    known = {result.verdict, scratch.verdict} - {Verdict.UNKNOWN}
    if len(known) > 1:
        msg = (
            f"{variant.title}, {question.name}: {result.verdict} by reuse, {scratch.verdict} from "
            "scratch"
        )
        raise VerifierError(msg)


def _certificate(result: Result, question: Question, folder: Path) -> Path | None:
    from verifier.certificate.format import write_certificate

    if result.proof is None:
        return None
    place = folder / f"{question.path.stem}.certificate"
    write(place, partial(write_certificate, result.certificate()))
    return place


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
