# SPDX-License-Identifier: Apache-2.0
"""``mucg4 prove``: verify a property of a network, and keep the proof if that is wanted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.arguments import (
    add_command,
    add_network,
    add_property,
    add_search_options,
    check_semantics,
)
from verifier.cli.files import check_inputs, check_outputs
from verifier.cli.verification import chosen_options, record, result_json
from verifier.network_file import Network

if TYPE_CHECKING:
    import argparse

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "prove", "Verify a property, and keep the proof for reuse", run)
    add_network(parser, summary="the original network")
    add_property(parser)
    parser.add_argument("--proof", type=Path, help="where to keep the proof for reuse")
    add_search_options(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    check_semantics(arguments.semantics)
    inputs = (arguments.network, arguments.property)
    check_inputs(inputs)
    check_outputs((arguments.proof, arguments.certificate), inputs)
    from verifier.pipeline import prove
    from verifier.report import result_text
    from verifier.spec.vnnlib_reader import read_vnnlib

    prop = read_vnnlib(arguments.property)
    network = Network.read(arguments.network)
    network.check(prop)
    options = replace(chosen_options(arguments), minimize=arguments.proof is not None)
    with console.progress("prove") as report:
        result = prove(network.graph, prop, options, report)
    result, problem = network.replay(result, prop)
    written = record(result, arguments.proof, arguments, console)
    document = result_json("prove", result, prop, problem) | {
        "cores": 0 if result.proof is None else len(result.proof.cores),
        **written.json(),
    }
    rows = written.rows() + ([("replay", f"failed: {problem}")] if problem else [])
    console.answer(document, result_text(result, rows))
    return 0
