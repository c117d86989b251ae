# SPDX-License-Identifier: Apache-2.0
"""The ``mucg4`` program: which command is meant, and how its end becomes an exit status.

    0    a verdict, an honest ``unknown``, or whatever else was asked for
    2    wrong usage: options, files that cannot be read or written, a property or a proof that
         does not fit
    3    refused: it cannot be answered soundly, or a certificate was not accepted
    4    internal error
    130  interrupted
    141  nobody reads standard output any more

A verdict is printed only with status 0. Commands import what they need when they run, so that
``mucg4 --version`` and a wrong option cost no more than the interpreter.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from typing import TYPE_CHECKING

from verifier.cli import (
    batch,
    certificate,
    check,
    classify,
    compress,
    demo,
    encode,
    evidence,
    inspect,
    keys,
    prove,
    reverify,
    serve,
    supports,
    verify,
    warm_up,
)
from verifier.cli.arguments import Parser
from verifier.cli.console import Console
from verifier.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = (
    demo,
    prove,
    reverify,
    verify,
    supports,
    batch,
    check,
    evidence,
    compress,
    classify,
    inspect,
    encode,
    certificate,
    serve,
    keys,
    warm_up,
)

USAGE, REFUSED, INTERNAL, INTERRUPTED, NOBODY_READS = 2, 3, 4, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status.

    Args:
        argv: The words after the program's name; by default those it was started with.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    # Read when numpy is imported, and by child processes: with more threads its library would start
    # them at once, to wait; what pays is shared between processes (engine/threads).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Read when onnxruntime is imported: without it, it would write an identifier of this machine
    # into the user's folder and report to its maker.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    console = Console.for_words(words)
    try:
        arguments = make_parser().parse_args(words)
        return int(arguments.run(arguments, console))
    except SystemExit as end:  # --help and --version end so.
        return int(end.code or 0)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a crash must not look like 0.
        return _failed(error, console)


def _failed(error: BaseException, console: Console) -> int:
    """Say what went wrong and return the exit status that stands for it."""
    kind = type(error).__name__
    match error:
        case UsageError():
            status, message = USAGE, str(error)
        case RefusedError():
            status, message = REFUSED, f"refused: {error}"
        case KeyboardInterrupt():
            status, message = INTERRUPTED, "interrupted"
        case BrokenPipeError():
            # Python would complain once more when it flushes standard output at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return NOBODY_READS
        case _:
            status, message = INTERNAL, f"internal error: {kind}: {error}; this is a bug"
            sys.stderr.write("".join(traceback.format_exception(error)))
    console.fail(message, kind, status)
    return status


def make_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="mucg4",
        description=(
            "Prove a property of a neural network once, then verify its compressed variants by "
            "reusing the proof."
        ),
        epilog="Exit status: 0 answered, 2 wrong usage, 3 refused, 4 internal error.",
    )
    parser.add_argument(
        "--version", action=_Told, tell=_versioned, help="print the version and exit"
    )
    # As the solver interface of VNN-LIB 2.0 asks.
    parser.add_argument("--name", action=_Told, tell=str, help="print the solver's name and exit")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    for command in COMMANDS:
        command.register(commands)
    return parser


class _Told(argparse.Action):
    """An option that prints a line and ends; what it prints is looked up only when asked for."""

    def __init__(
        self,
        option_strings: list[str],
        dest: str,
        help: str,  # noqa: A002 - theirs
        tell: Callable[[str], str],
    ) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)
        self._tell = tell

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        del namespace, values, option_string
        sys.stdout.write(f"{self._tell(parser.prog)}\n")
        parser.exit()


def _versioned(name: str) -> str:
    from verifier.version import version

    return f"{name} {version()}"


if __name__ == "__main__":
    sys.exit(main())
