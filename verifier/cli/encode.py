# SPDX-License-Identifier: Apache-2.0
"""``mucg4 encode``: the question as a formula, for any SMT solver."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command, add_network, add_property
from verifier.cli.files import check_inputs, check_outputs, write
from verifier.network_file import Network

if TYPE_CHECKING:
    import argparse

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "encode", "Write the formula for any SMT solver", run)
    add_network(parser)
    add_property(parser)
    parser.add_argument(
        "--smtlib", type=Path, required=True, help="where to write the SMT-LIB 2.6 script"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    inputs = (arguments.network, arguments.property)
    check_inputs(inputs)
    check_outputs((arguments.smtlib,), inputs)
    from encoders.smtlib import write_smtlib
    from verifier.report import lines
    from verifier.spec.vnnlib_reader import read_vnnlib

    prop = read_vnnlib(arguments.property)
    network = Network.read(arguments.network)
    digest = hashlib.sha256(network.content).hexdigest()
    comments = [
        f"network file {arguments.network.name}, sha256 {digest}",
        f"property file {arguments.property.name}",
    ]

    def write_script(place: Path) -> None:
        with place.open("w", encoding="utf-8", newline="\n") as stream:
            write_smtlib(network.graph, prop, stream, comments=comments)

    write(arguments.smtlib, write_script)
    document = {
        "command": "encode",
        "smtlib": str(arguments.smtlib),
        "logic": "QF_LRA",
        "neurons": network.graph.neuron_count,
        "cases": len(prop.cases),
    }
    rows = [
        ("formula", f"written to {arguments.smtlib}"),
        ("logic", "QF_LRA, SMT-LIB 2.6"),
        ("neurons", str(network.graph.neuron_count)),
        ("cases", str(len(prop.cases))),
        ("unsat means", "holds"),
        ("sat means", "violated"),
    ]
    console.answer(document, lines(rows))
    return 0
