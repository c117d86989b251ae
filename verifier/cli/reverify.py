# SPDX-License-Identifier: Apache-2.0
"""``mucg4 reverify``: verify a compressed network by reusing the proof of its original."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.cli.arguments import (
    add_command,
    add_network,
    add_property,
    add_search_options,
    check_semantics,
)
from verifier.cli.files import check_inputs, check_outputs
from verifier.cli.neuron_maps import choose_map, map_file
from verifier.cli.verification import chosen_options, record, result_json
from verifier.network_file import Network

if TYPE_CHECKING:
    import argparse

    from verifier.change.classify import ChangeReport
    from verifier.change.neuron_map import NeuronMap
    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console
    from verifier.pipeline import Result


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands, "reverify", "Verify a compressed network by reusing its original's proof", run
    )
    add_network(parser, "compressed", "the compressed network")
    add_property(parser)
    parser.add_argument("--proof", type=Path, required=True, help="the original's proof")
    parser.add_argument(
        "--original",
        type=Path,
        help="the original network: tells what changed, serves to infer a neuron map, and, where "
        "no file is to be written, lets a verdict rest on the differential margin alone",
    )
    parser.add_argument(
        "--neuron-map",
        type=Path,
        help="which original neuron is which compressed one (default: neuron_map.json beside the "
        "compressed network, else inferred with --original, else every neuron stayed in place)",
    )
    parser.add_argument(
        "--save-proof", type=Path, help="keep the proof of the compressed network, for the next one"
    )
    add_search_options(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    check_semantics(arguments.semantics)
    file = map_file(arguments.neuron_map, arguments.compressed)
    named = (arguments.compressed, arguments.property, arguments.proof, arguments.original)
    inputs = (*named, file)
    check_inputs(inputs)
    check_outputs((arguments.save_proof, arguments.certificate), inputs)
    from verifier.pipeline import reverify
    from verifier.proof.store import read_proof
    from verifier.spec.vnnlib_reader import read_vnnlib

    proof = read_proof(arguments.proof)
    prop = read_vnnlib(arguments.property)
    proof.check_property(prop)
    original = None if arguments.original is None else Network.read(arguments.original)
    if original is not None:
        proof.check_original(original.graph)
    network = Network.read(arguments.compressed)
    network.check(prop)
    neuron_map, how = choose_map(file, None if original is None else original.graph, network.graph)
    console.note(f"neuron map: {how}")
    change = _change(original, network, neuron_map)
    options = chosen_options(arguments)
    # A verdict that rests on the differential margin has neither a certificate nor a proof.
    wants_files = arguments.certificate is not None or arguments.save_proof is not None
    before = None if original is None or wants_files else original.graph
    with console.progress("reverify") as report:
        result = reverify(network.graph, prop, proof, neuron_map, options, report, original=before)
    result, problem = network.replay(result, prop)
    written = record(result, arguments.save_proof, arguments, console)
    document = result_json("reverify", result, prop, problem, original) | written.json()
    document |= _reuse_json(result, neuron_map, how, change)
    rows = [*_rows(how, change, problem), *written.rows()]
    from verifier.report import result_text

    console.answer(document, result_text(result, rows))
    return 0


def _change(
    original: Network | None, network: Network, neuron_map: NeuronMap | None
) -> ChangeReport | None:
    if original is None or neuron_map is None:
        return None
    from verifier.change.classify import classify

    return classify(original.graph, network.graph, neuron_map)


def _reuse_json(
    result: Result, neuron_map: NeuronMap | None, how: str, change: ChangeReport | None
) -> dict[str, Any]:
    from verifier.report import break_even_variants, change_json, is_transferred

    reuse: dict[str, Any] | None = None
    if result.reuse is not None:
        original = result.reuse.original_seconds
        even = break_even_variants(original, result.seconds, original)
        reuse = {**result.reuse.to_json(), "break_even_variants": even}
    return {
        "reuse": reuse,
        "by_differential_margin": is_transferred(result),
        "neuron_map": {
            "how": how,
            "source": "identity" if neuron_map is None else neuron_map.source,
            "confidence": None if neuron_map is None else neuron_map.confidence,
        },
        "change": None if change is None else change_json(change),
    }


def _rows(how: str, change: ChangeReport | None, problem: str) -> list[tuple[str, str]]:
    from verifier.report import change_summary

    rows = [("neuron map", how)]
    if change is not None:
        rows.append(("change", change_summary(change)))
    if problem:
        rows.append(("replay", f"failed: {problem}"))
    return rows
