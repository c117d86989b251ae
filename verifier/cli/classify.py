# SPDX-License-Identifier: Apache-2.0
"""``mucg4 classify``: what compression changed, neuron by neuron and in sum.

Weights alone do not tell how much harder the compressed network is to verify; with a property, the
widths of bounds over its inputs are put beside each other too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command, add_network
from verifier.cli.files import check_inputs
from verifier.cli.neuron_maps import choose_map, map_file
from verifier.network_file import Network

if TYPE_CHECKING:
    import argparse

    from verifier.bounds.bound_widths import BoundWidths
    from verifier.change.neuron_map import NeuronMap
    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console
    from verifier.ir.graph import Graph
    from verifier.report import Rows

    Pairs = dict[int, tuple[BoundWidths, BoundWidths | None]]
    """The layers' widths in the original, and in what stands for them."""


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
    parser.add_argument(
        "--property", type=Path, help="compare the bounds of neurons over its inputs too"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    file = map_file(arguments.neuron_map, arguments.compressed)
    check_inputs((arguments.original, arguments.compressed, file, arguments.property))
    from verifier.change.classify import classify
    from verifier.change.neuron_map import NeuronMap
    from verifier.report import change_text, lines

    original = Network.read(arguments.original).graph
    compressed = Network.read(arguments.compressed).graph
    chosen, how = choose_map(file, original, compressed)
    neuron_map = chosen or NeuronMap.identity(original)
    report = classify(original, compressed, neuron_map)
    rows = [("neuron map", how), ("change", str(report.kind)), ("treatment", str(report.treatment))]
    document = {"command": "classify", **report.json()}
    document["map"] = {"how": how, **document["map"]}
    if arguments.property is not None:
        pairs = _pairs((original, compressed), arguments.property, neuron_map)
        rows += _rows(pairs)
        for layer, (before, after) in pairs.items():
            widths = {"original": before.json(), "compressed": after.json() if after else None}
            document["layers"][layer]["bound_widths"] = widths
    console.answer(document, f"{change_text(report)}\n\n{lines(rows)}")
    return 0


def _pairs(networks: tuple[Graph, Graph], file: Path, neuron_map: NeuronMap) -> Pairs:
    """Return the widths of each layer's bounds in both networks.

    Raises:
        PropertyError: The property does not fit them.
    """
    from verifier.bounds.bound_widths import bound_widths
    from verifier.spec.vnnlib_reader import check_fits, read_vnnlib

    prop = read_vnnlib(file)
    for network in networks:
        check_fits(prop, network)
    before, after = (bound_widths(network, prop) for network in networks)
    targets: dict[int, set[int]] = {}
    for old, new in neuron_map.kept.items():
        targets.setdefault(old.layer, set()).add(new.layer)
    pairs: Pairs = {}
    for layer, widths in enumerate(before):
        # A layer that was divided among several, or is gone, has no counterpart.
        own = targets.get(layer, set())
        pairs[layer] = (widths, after[own.pop()] if len(own) == 1 else None)
    return pairs


def _rows(pairs: Pairs) -> Rows:
    rows: Rows = []
    for layer, (before, after) in pairs.items():
        names = {"mean width": "mean", "largest": "largest", "unstable": "unstable"}
        old, new = before.json(), {} if after is None else after.json()
        parts = [
            f"{text} {old[name]:.4g} -> {format(new[name], '.4g') if new else 'gone'}"
            for text, name in names.items()
        ]
        rows.append((f"bounds of layer {layer}", ", ".join(parts)))
    return rows
