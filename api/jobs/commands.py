# SPDX-License-Identifier: Apache-2.0
"""What a job runs: commands of the ``mucg4`` program, with the files that go in and come out.

The table at the foot has one function for each kind of job. Files have fixed names in the job's
own folder, so a command line says nothing that came from a stranger but the options of a
compression method, which the request's schema holds to harmless characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from api.schemas import FileKind

Files = Mapping[str, str | None]
"""SHA-256 of each input by what it is for: model, original, property, proof, ..."""

JSON = "application/json"
BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Output:
    """A file that a command writes.

    Attributes:
        name: What the artifact is called.
        file_name: Where it lies in the job's folder.
        media_type: Its media type.
        kind: As what other jobs can use it.
        is_certain: Whether the command has not done its work without it.
    """

    name: str
    file_name: str
    media_type: str = BINARY
    kind: FileKind | None = None
    is_certain: bool = False


class MissingInputError(Exception):
    """A file that a job needs is not there any more; the message names it."""


@dataclass(frozen=True)
class Command:
    """A command line, and its files.

    Attributes:
        words: The command line, without the program.
        inputs: What to copy into the job's folder first: SHA-256 by file name.
        outputs: What it may leave there.
        note: Said along with the answer.
    """

    words: tuple[str, ...]
    inputs: Mapping[str, str]
    outputs: tuple[Output, ...] = ()
    note: str = ""


PROOF = Output("proof", "original.proof", BINARY, FileKind.PROOF)
CERTIFICATE = Output("certificate", "certificate.json.gz", "application/gzip", FileKind.CERTIFICATE)
MODEL = Output("model", "compressed/model.onnx", BINARY, FileKind.MODEL, is_certain=True)
NEURON_MAP = Output(
    "neuron_map", "compressed/neuron_map.json", JSON, FileKind.NEURON_MAP, is_certain=True
)
REPORT = Output("compression_report", "compressed/report.json", JSON, is_certain=True)

NO_PROOF = "verified from scratch: the original has no proof of this property to reuse"


def command(kind: str, request: Mapping[str, Any], files: Files) -> Command:
    """Return what a job runs.

    Args:
        kind: Of the job.
        request: Its details.
        files: Its inputs, those that it needed other jobs for included.

    Raises:
        MissingInputError: One of them is not there.
    """
    return _COMMANDS[kind](request, files)


def inspection(kind: FileKind, file_name: str) -> tuple[str, ...]:
    """Return the command that tells what a file is."""
    return ("inspect", "--kind", kind, file_name, "--format", "json")


def _prove(request: Mapping[str, Any], files: Files) -> Command:
    words = ("prove", "model.onnx", "property.vnnlib", "--proof", PROOF.file_name)
    inputs = _inputs(files, model="model.onnx", property="property.vnnlib")
    return Command((*words, *_search_words(request)), inputs, (PROOF, CERTIFICATE))


def _reverify(request: Mapping[str, Any], files: Files) -> Command:
    inputs = _inputs(files, model="model.onnx", property="property.vnnlib")
    if files.get("proof") is None:
        words: tuple[str, ...] = ("prove", "model.onnx", "property.vnnlib")
        return Command((*words, *_search_words(request)), inputs, (CERTIFICATE,), NO_PROOF)
    words = ("reverify", "model.onnx", "property.vnnlib", "--proof", PROOF.file_name)
    words += ("--original", "original.onnx")
    inputs |= _inputs(files, original="original.onnx", proof=PROOF.file_name)
    if files.get("neuron_map") is not None:
        words += ("--neuron-map", "neuron_map.json")
        inputs |= _inputs(files, neuron_map="neuron_map.json")
    return Command((*words, *_search_words(request)), inputs, (CERTIFICATE,))


def _search_words(request: Mapping[str, Any]) -> tuple[str, ...]:
    # One process: the server runs as many jobs at once as it has workers.
    words: tuple[str, ...] = ("--certificate", CERTIFICATE.file_name, "--processes", "1")
    if request.get("timeout_seconds") is not None:
        words += ("--timeout", repr(float(request["timeout_seconds"])))
    return (*words, *_OUTPUT, "--progress", "json")


def _compress(request: Mapping[str, Any], files: Files) -> Command:
    words = ["compress", "original.onnx", "--method", request["method"], "--out", "compressed"]
    for name, value in request["options"].items():
        words += ["--option", f"{name}={value}"]
    inputs = _inputs(files, model="original.onnx")
    return Command((*words, *_OUTPUT), inputs, (MODEL, NEURON_MAP, REPORT))


def _classify(request: Mapping[str, Any], files: Files) -> Command:
    del request
    words: tuple[str, ...] = ("classify", "original.onnx", "model.onnx")
    inputs = _inputs(files, original="original.onnx", model="model.onnx")
    if files.get("neuron_map") is not None:
        words += ("--neuron-map", "neuron_map.json")
        inputs |= _inputs(files, neuron_map="neuron_map.json")
    if files.get("property") is not None:
        words += ("--property", "property.vnnlib")
        inputs |= _inputs(files, property="property.vnnlib")
    return Command((*words, *_OUTPUT), inputs)


def _check(request: Mapping[str, Any], files: Files) -> Command:
    del request
    words: tuple[str, ...] = ("certificate", "check", CERTIFICATE.file_name)
    words += ("--network", "model.onnx", "--property", "property.vnnlib")
    names = {"model": "model.onnx", "property": "property.vnnlib"}
    inputs = _inputs(files, certificate=CERTIFICATE.file_name, **names)
    return Command((*words, *_OUTPUT), inputs)


def _inputs(files: Files, **names: str) -> dict[str, str]:
    """Return which file goes where.

    Raises:
        MissingInputError: One is not there. Without it the command might find another in its place.
    """
    found = {}
    for what, name in names.items():
        if (sha256 := files[what]) is None:
            msg = f"the {what.replace('_', ' ')} that the job works on is not there any more"
            raise MissingInputError(msg)
        found[name] = sha256
    return found


_OUTPUT = ("--format", "json")
_COMMANDS: Mapping[str, Callable[[Mapping[str, Any], Files], Command]] = {
    "prove": _prove,
    "reverify": _reverify,
    "compress": _compress,
    "classify": _classify,
    "check": _check,
}
