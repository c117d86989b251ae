# SPDX-License-Identifier: Apache-2.0
"""``mucg4 supports``: which parts of VNN-LIB 2.0 queries are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command
from verifier.errors import UsageError
from verifier.spec.element_types import COMPUTER_TYPES

if TYPE_CHECKING:
    import argparse

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console

CAPABILITIES: dict[str, bool] = {
    "real": True,
    **dict.fromkeys(COMPUTER_TYPES, False),
    "multiple-inputs": True,
    "multiple-outputs": True,
    "hidden-nodes": True,
    "multiple-networks": True,
    "equal-to": True,
    "isomorphic-to": True,
    "initialized-inputs": False,
    "disjunctions": True,
    "strict-inequalities": True,
    "disequalities": True,
    "linear-arithmetic": True,
    "nonlinear-arithmetic": False,
    "unbounded-inputs": False,
    "serialise-assignments": True,
}
"""What a query may use, and whether it is answered then."""


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "supports", "Tell which kinds of queries are answered", run)
    parser.add_argument(
        "capabilities",
        nargs="*",
        metavar="CAPABILITY",
        help=f"what to tell of (default: all of them): {', '.join(CAPABILITIES)}",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    names: list[str] = arguments.capabilities or list(CAPABILITIES)
    unknown = next((name for name in names if name not in CAPABILITIES), None)
    if unknown is not None:
        msg = f"{unknown!r} is no capability that is known here; known: {', '.join(CAPABILITIES)}"
        raise UsageError(msg)
    supported = {name: CAPABILITIES[name] for name in names}
    rows = [f"{name} {'true' if flag else 'false'}" for name, flag in supported.items()]
    console.answer({"command": "supports", "supported": supported}, "\n".join(rows))
    return 0
