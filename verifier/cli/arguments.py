# SPDX-License-Identifier: Apache-2.0
"""What the commands' parsers share: errors as exceptions, and options that several have."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from verifier.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier.cli.console import Console

    Run = Callable[[argparse.Namespace, Console], int]


class Parser(argparse.ArgumentParser):
    """A parser that raises ``UsageError`` and takes options only by their full names.

    Abbreviations are refused because scripts that use them break when an option is added.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print.

        Raises:
            UsageError: Always.
        """
        msg = f"{message}\n{self.format_usage().rstrip()}"
        raise UsageError(msg)


class Commands(Protocol):
    """What ``add_subparsers`` of such a parser returns, as far as it is used here."""

    def add_parser(self, name: str, *, help: str, description: str) -> Parser:  # noqa: A002 - theirs
        """Add the parser of a command."""
        ...


def add_command(commands: Commands, name: str, summary: str, run: Run) -> Parser:
    """Add a command with the options that every command has."""
    parser = commands.add_parser(name, help=summary, description=f"{summary}.")
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="what to print on standard output; json is one object (default: text)",
    )
    parser.add_argument("--quiet", action="store_true", help="no notes and no progress line")
    parser.set_defaults(run=run)
    return parser


def add_progress(parser: Parser) -> None:
    """Add the option of commands that tell how they get on."""
    parser.add_argument(
        "--progress",
        choices=("auto", "json"),
        default="auto",
        help="auto: a live line on a terminal; json: for programs, one object a line on standard "
        "error, a few a second (default: auto)",
    )


def add_network(parser: Parser, name: str = "network", summary: str = "the network") -> None:
    """Add a positional ONNX file."""
    parser.add_argument(name, type=Path, metavar=f"{name.upper()}.onnx", help=summary)


def add_property(parser: Parser) -> None:
    """Add the positional property file."""
    parser.add_argument(
        "property", type=Path, metavar="PROPERTY.vnnlib", help="what must not happen, in VNN-LIB"
    )


def add_search_options(parser: Parser) -> None:
    """Add the options of a verification."""
    add_progress(parser)
    parser.add_argument("--certificate", type=Path, help="write the certificate of the verdict")
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="wall-clock limit (default: none)"
    )
    parser.add_argument(
        "--processes",
        type=count,
        default=usable_cores(),
        metavar="N",
        help="share long searches between so many processes (default: %(default)s, the cores that "
        "this process may use)",
    )
    parser.add_argument(
        "--accelerator",
        action="store_true",
        help="let long searches of wide networks use a GPU; needs torch",
    )
    parser.add_argument(
        "--isolation",
        type=short_text,
        metavar="TEXT",
        help="how this process is confined, in the words of who started it; recorded in the "
        "certificate",
    )
    parser.add_argument(
        "--semantics",
        choices=("real", "float32", "integer"),
        default="real",
        help="the arithmetic that the verdict is to be about; real is the only one modelled",
    )


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count(text: str) -> int:
    """Read a number of things, at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        msg = f"{text!r} is not a whole number above 0"
        raise argparse.ArgumentTypeError(msg)
    return value


def seconds(text: str) -> float:
    """Read a positive, finite number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        msg = f"{text!r} is not a positive number of seconds"
        raise argparse.ArgumentTypeError(msg)
    return value


def short_text(text: str) -> str:
    """Read a line that fits into a certificate."""
    from verifier.certificate.values import MOST_NOTE_CHARACTERS

    if not text.isprintable() or not 0 < len(text) <= MOST_NOTE_CHARACTERS:
        msg = f"{text[:40]!r} is not a line of 1 to {MOST_NOTE_CHARACTERS} printable characters"
        raise argparse.ArgumentTypeError(msg)
    return text


def check_semantics(semantics: str) -> None:
    """Refuse an arithmetic that is not modelled.

    Raises:
        UnsupportedError: Anything but ``real`` is asked for.
    """
    if semantics != "real":
        msg = (
            f"--semantics {semantics} is not modelled: verdicts are for real arithmetic on the "
            "weights as stored; leave the option out, or give --semantics real"
        )
        raise UnsupportedError(msg)
