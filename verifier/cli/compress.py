# SPDX-License-Identifier: Apache-2.0
"""``mucg4 compress``: make a variant of a network."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.cli.arguments import add_command
from verifier.cli.files import check_inputs, check_outputs
from verifier.errors import UsageError
from verifier.network_file import Network

if TYPE_CHECKING:
    import argparse

    from compression.base import CompressionResult
    from compression.registry import MethodDescription
    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console

FILES = ("model.onnx", "neuron_map.json", "report.json")


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "compress", "Make a compressed variant of a network", run)
    parser.add_argument(
        "network", type=Path, nargs="?", metavar="NETWORK.onnx", help="the original network"
    )
    parser.add_argument("--list", action="store_true", help="name the methods and their options")
    parser.add_argument("--method", help="how to compress")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the method; may be repeated",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help=f"where to write {', '.join(FILES)}"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    if arguments.list:
        return _list(arguments, console)
    for name in ("network", "method", "out"):
        if getattr(arguments, name) is None:
            what = "the network" if name == "network" else f"--{name}"
            msg = f"compress: {what} is missing; `mucg4 compress --list` names the methods"
            raise UsageError(msg)
    check_inputs((arguments.network,))
    _check_folder(arguments.out, arguments.network)
    from compression.registry import make_method
    from verifier.report import lines

    method = make_method(arguments.method, arguments.option)
    network = Network.read(arguments.network)
    result = method.apply(network.graph)
    digest = _save(result, arguments.out, hashlib.sha256(network.content).hexdigest())
    report = result.report.to_dict()
    sizes = [report["sizes"][which] for which in ("original", "compressed")]
    rows = [
        ("method", " ".join([arguments.method, *arguments.option])),
        ("ReLU layers", " -> ".join(str(size["layer_widths"]) for size in sizes)),
        ("nonzero parameters", " -> ".join(str(size["nonzero_parameters"]) for size in sizes)),
        ("largest weight change", f"{max(d['max_abs'] for d in report['weight_delta']):.6g}"),
        ("written to", " ".join(str(arguments.out / name) for name in FILES)),
    ]
    files = {Path(name).stem: str(arguments.out / name) for name in FILES}
    document = {"command": "compress", "files": files, "sha256": digest, "report": report}
    console.answer(document, lines(rows))
    return 0


def _check_folder(folder: Path, network: Path) -> None:
    if folder.exists() and not folder.is_dir():
        msg = f"{folder}: is a file; --out takes a folder"
        raise UsageError(msg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made: {error.strerror}"
        raise UsageError(msg) from error
    check_outputs([folder / name for name in FILES], [network])


def _save(result: CompressionResult, folder: Path, base_sha256: str) -> str:
    """Write all files to a folder beside them first, so that none is ever half there."""
    from compression.artefact import save

    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".mucg4-") as name:
            artefact = save(result, Path(name), base_sha256=base_sha256)
            for path in (artefact.neuron_map, artefact.report, artefact.model):
                shutil.move(path, folder / path.name)
    except OSError as error:
        msg = f"{folder}: cannot be written: {error.strerror or error}"
        raise UsageError(msg) from error
    return artefact.sha256


def _list(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.network or arguments.method or arguments.option or arguments.out:
        msg = "compress: --list takes no network, --method, --option or --out"
        raise UsageError(msg)
    from compression.registry import describe_methods

    methods = describe_methods()
    document = {"command": "compress", "methods": [_method_json(method) for method in methods]}
    console.answer(document, "\n\n".join(_method_text(method) for method in methods))
    return 0


def _method_json(method: MethodDescription) -> dict[str, Any]:
    options = [option._asdict() for option in method.options]
    return {"name": method.name, "summary": method.summary, "options": options}


def _method_text(method: MethodDescription) -> str:
    options = [
        f"  {option.name}={option.default}\n      {option.summary}; {option.expects}"
        for option in method.options
    ]
    return "\n".join([f"{method.name}: {method.summary}", *options])
