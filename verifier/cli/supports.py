# SPDX-License-Identifier: Apache-2.0
"""``mucg4 supports``: what kinds of queries and networks are answered.

Options, answers and the names of theories are those of the VNN-LIB 2.0 standard (chapters *Theories
and Logics* and *Command-line Interface*), so that other tools can ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console


def _opset_versions() -> list[str]:
    from verifier.ir.onnx_model import FIRST_OPSET, LAST_OPSET

    return [str(FIRST_OPSET), str(LAST_OPSET)]


def _operators() -> list[str]:
    from verifier.ir.onnx_lowering import LOWERINGS

    return sorted(LOWERINGS)


CAPABILITIES: Mapping[str, tuple[str, Callable[[], list[str]]]] = {
    "onnx-opset-versions": ("first and last version of ONNX operators", _opset_versions),
    "onnx-element-types": ("element types that verdicts are sound for", lambda: ["real"]),
    "onnx-operators": ("ONNX operators", _operators),
    "vnnlib-versions": ("first and last version of VNN-LIB", lambda: ["1.0", "2.0"]),
    "hidden-node-theories": ("hidden nodes", lambda: ["NH", "H"]),
    "multiple-input-output-theories": ("several inputs and outputs", lambda: ["SIO", "MIO"]),
    "multiple-network-theories": (
        "several networks",
        lambda: ["SNET", "MENET", "MINET", "MNET"],
    ),
    "multiple-node-comparison-theories": (
        "comparisons of several nodes",
        lambda: ["SNC", "MNC"],
    ),
    "arithmetic-complexity-theories": ("arithmetic", lambda: ["BND", "OUTC", "LIN"]),
    "optimised-disjunctive-reasoning": (
        "whether disjunctions are more than so many queries",
        lambda: ["false"],
    ),
    "serialise-assignments": ("whether verify takes the option", lambda: ["true"]),
}
"""What may be asked for: what it is, and the lines of the answer."""


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "supports", "Tell which kinds of queries are answered", run)
    asked = parser.add_mutually_exclusive_group()
    for name, (meaning, _) in CAPABILITIES.items():
        asked.add_argument(
            f"--{name}", dest="capability", action="store_const", const=name, help=meaning
        )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    asked: str | None = arguments.capability
    names = [asked] if asked else list(CAPABILITIES)
    supported = {name: CAPABILITIES[name][1]() for name in names}
    if asked:
        text = "\n".join(supported[asked])
    else:
        text = "\n".join(f"{name}: {' '.join(lines)}" for name, lines in supported.items())
    console.answer({"command": "supports", "supported": supported}, text)
    return 0
