# SPDX-License-Identifier: Apache-2.0
"""``mucg4 certificate check``: the independent checker.

Status 0 means accepted, and nothing else does: a rejected certificate ends in status 3, like
everything that cannot be vouched for.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.arguments import Parser, add_command, add_progress
from verifier.cli.files import check_inputs
from verifier.network_file import Network

if TYPE_CHECKING:
    import argparse

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console

REJECTED = 3


def register(commands: Commands) -> None:
    """Add the command."""
    summary = "Work with certificates"
    group = commands.add_parser("certificate", help=summary, description=f"{summary}.")
    actions = group.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    parser = add_command(
        actions,
        "check",
        "Check a certificate independently of the engine, with no rounding left unaccounted for",
        run,
    )
    add_progress(parser)
    parser.add_argument("certificate", type=Path, metavar="CERTIFICATE")
    parser.add_argument("--network", type=Path, required=True, help="the network it is about")
    parser.add_argument("--property", type=Path, required=True, help="the property it is about")
    parser.add_argument(
        "--integers",
        action="store_true",
        help="have integers judge every core; by default float64 confirms those that it can, with "
        "all rounding charged",
    )
    parser.epilog = "Exit status: 0 accepted, 2 wrong usage, 3 rejected or refused."


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    check_inputs((arguments.certificate, arguments.network, arguments.property))
    from verifier.certificate.checker import check_certificate, check_with
    from verifier.certificate.format import read_certificate
    from verifier.certificate.integer_matrix import fastest_arithmetic
    from verifier.engine.limits import Progress
    from verifier.report import lines, seconds_text
    from verifier.spec.vnnlib_reader import check_fits, read_vnnlib

    document = read_certificate(arguments.certificate)
    prop = read_vnnlib(arguments.property)
    graph = Network.read(arguments.network).graph
    check_fits(prop, graph)
    started = time.perf_counter()
    with console.progress("check the certificate") as tell:

        def confirmed(done: int, steps: int) -> None:
            tell(Progress("check", done, steps - done))

        report = (
            check_with(fastest_arithmetic(), document, graph, prop, confirmed)
            if arguments.integers
            else check_certificate(document, graph, prop, confirmed)
        )
    seconds = time.perf_counter() - started
    answer = {
        "command": "certificate check",
        "accepted": report.accepted,
        "reason": report.reason,
        "seconds": round(seconds, 6),
    }
    rows = [("certificate", "accepted" if report.accepted else "rejected")]
    rows += [("reason", report.reason)] if report.reason else []
    console.answer(answer, lines([*rows, ("time", seconds_text(seconds))]))
    return 0 if report.accepted else REJECTED
