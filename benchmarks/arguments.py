# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks' command lines have in common: the folder of data, and a proof to look at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.ir.onnx_reader import read_onnx
from verifier.options import EngineOptions
from verifier.pipeline import prove
from verifier.spec.vnnlib_reader import read_vnnlib

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from verifier.ir.graph import Graph
    from verifier.proof.muc import Core
    from verifier.spec.property import Property


@dataclass(frozen=True, eq=False)
class Proved:
    """A network with a property that holds.

    Attributes:
        graph: The network.
        prop: The property.
        cores: The leaves of its search, at least one.
    """

    graph: Graph
    prop: Property
    cores: Sequence[Core]


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the option for the folder of data."""
    parser.add_argument("--data", type=Path, help="by default what MUCG4_DATA names")


def data_folder(parser: argparse.ArgumentParser, choices: argparse.Namespace) -> Path:
    """Return the folder of data; without one, end with a message."""
    folder = choices.data or os.environ.get("MUCG4_DATA")
    if folder is None:
        parser.error("name the folder of benchmark networks with --data or MUCG4_DATA")
    return Path(folder)


def proved(
    parser: argparse.ArgumentParser, arguments: list[str] | None, network: str, prop: str
) -> Proved:
    """Prove what a command line names; without a proof by cores, end with a message.

    Args:
        parser: To which the options are added.
        arguments: The command line, by default the process's own.
        network: The network that is taken where none is named.
        prop: The property, likewise.
    """
    add_data(parser)
    parser.add_argument("--network", default=network)
    parser.add_argument("--property", default=prop)
    choices = parser.parse_args(arguments)
    folder = data_folder(parser, choices)
    graph, query = read_onnx(folder / choices.network), read_vnnlib(folder / choices.property)
    proof = prove(graph, query, EngineOptions(minimize=False)).proof
    if proof is None or not proof.cores:
        parser.error("the property has no proof by cores")
    return Proved(graph, query, proof.cores)
