# SPDX-License-Identifier: Apache-2.0
"""``mucg4 classify``: what compression changed, neuron by neuron and in sum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command, add_network
from verifier.cli.files import check_inputs
from verifier.cli.networks import Network
from verifier.cli.neuron_maps import choose_map, map_file

if TYPE_CHECKING:
    import argparse

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "classify", "Tell what compression changed", run)
    add_network(parser, "original", "the original network")
    add_network(parser, "compressed", "the compressed network")
    parser.add_argument(
        "--neuron-map",
        type=Path,
        help="which original neuron is which compressed one (default: neuron_map.json beside the "
        "compressed network, else inferred)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    file = map_file(arguments.neuron_map, arguments.compressed)
    check_inputs((arguments.original, arguments.compressed, file))
    from verifier.change.classify import classify
    from verifier.change.neuron_map import NeuronMap
    from verifier.report import change_text, lines

    original = Network.read(arguments.original).graph
    compressed = Network.read(arguments.compressed).graph
    neuron_map, how = choose_map(file, original, compressed)
    report = classify(original, compressed, neuron_map or NeuronMap.identity(original))
    rows = [("neuron map", how), ("change", str(report.kind)), ("treatment", str(report.treatment))]
    document = {"command": "classify", **report.json()}
    document["map"] = {"how": how, **document["map"]}
    console.answer(document, f"{change_text(report)}\n\n{lines(rows)}")
    return 0
