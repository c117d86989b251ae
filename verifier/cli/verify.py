# SPDX-License-Identifier: Apache-2.0
"""``mucg4 verify``: the solver interface of VNN-LIB 2.0.

Standard output has the answer and nothing else: ``sat``, ``unsat``, ``unknown`` or ``timed-out`` on
a line, and after ``sat`` an assignment, unless that goes to files. A query asks for a violation, so
``unsat`` says that the property holds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command, add_progress, count, seconds, usable_cores
from verifier.cli.files import check_inputs
from verifier.errors import UsageError
from verifier.network_file import counterexample_json
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console
    from verifier.pipeline import Result
    from verifier.query_networks import QueryNetworks

TIMED_OUT = "timed-out"
SHORTEST_SECONDS = 0.001


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "verify", "Answer a query as VNN-LIB 2.0 asks of solvers", run)
    parser.add_argument("query", type=Path, metavar="QUERY.vnnlib", help="the query")
    parser.add_argument(
        "--network",
        dest="networks",
        type=_named_file,
        action="append",
        required=True,
        metavar="NAME=FILE",
        help="the ONNX file of a network that the query declares, once for each; one that is "
        "declared equal to another takes none",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="wall-clock limit for everything, reading included (default: none)",
    )
    parser.add_argument(
        "--serialise-assignments",
        type=Path,
        metavar="DIR",
        help="after sat, write each variable to DIR/NAME.pb, an ONNX tensor, and print none",
    )
    parser.add_argument(
        "--processes",
        type=count,
        default=usable_cores(),
        metavar="N",
        help="share long searches between so many processes (default: %(default)s)",
    )
    add_progress(parser)


def _named_file(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not (name and separator and path):
        msg = f"{text!r} is not NAME=FILE"
        raise argparse.ArgumentTypeError(msg)
    return name, Path(path)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    started = time.monotonic()
    files = dict(arguments.networks)
    if len(files) != len(arguments.networks):
        msg = "--network names one network twice"
        raise UsageError(msg)
    check_inputs((arguments.query, *files.values()))
    folder: Path | None = arguments.serialise_assignments
    if folder is not None and not folder.is_dir():
        msg = f"{folder}: there is no such folder"
        raise UsageError(msg)
    from verifier.options import EngineOptions
    from verifier.pipeline import prove
    from verifier.query_networks import QueryNetworks
    from verifier.spec.vnnlib_reader import read_query

    query = read_query(arguments.query)
    networks = QueryNetworks.read(query, files)
    networks.check()
    left = None
    if arguments.timeout is not None:
        left = max(arguments.timeout - (time.monotonic() - started), SHORTEST_SECONDS)
    options = EngineOptions(timeout_seconds=left, minimize=False, processes=arguments.processes)
    with console.progress("verify") as report:
        result = prove(networks.graph, query.property, options, report)
    _answer(console, result, networks, folder)
    return 0


def _answer(console: Console, result: Result, networks: QueryNetworks, folder: Path | None) -> None:
    """Print the answer, and say aloud what a reader of it should know."""
    from verifier.cli.assignment import Assignment

    word = answer_word(result)
    lines, found, problem = [word], result.counterexample, ""
    if result.reason:
        console.note(result.reason)
    if found is not None:
        found, problem = networks.replayed(found)
        assignment = Assignment.of(networks.query, found)
        if folder is None:
            lines.append(assignment.text())
        if problem:
            console.note(f"the replay in onnxruntime failed: {problem}")
        if not assignment.is_confirmed:
            console.note(
                "exact arithmetic and onnxruntime do not both find a violation at these values"
            )
        if folder is not None:
            assignment.write(folder)
    document = {
        "command": "verify",
        "answer": word,
        "verdict": str(result.verdict),
        "reason": result.reason,
        "semantics": str(result.semantics),
        "seconds": round(result.seconds, 6),
        "counterexample": counterexample_json(found, problem),
        "statistics": result.statistics.to_json(),
    }
    console.answer(document, "\n".join(lines))


def answer_word(result: Result) -> str:
    """Return the word that VNN-LIB has for a result."""
    from verifier.engine.limits import TIME_LIMIT

    match result.verdict:
        case Verdict.HOLDS:
            return "unsat"
        case Verdict.VIOLATED:
            return "sat"
        case Verdict.UNKNOWN:
            return TIMED_OUT if result.reason.startswith(TIME_LIMIT) else "unknown"
