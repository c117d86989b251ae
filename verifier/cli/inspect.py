# SPDX-License-Identifier: Apache-2.0
"""``mucg4 inspect``: what a file is, as far as its own reader can tell.

A file goes through the reader that every other command reads it with, so what is refused here is
refused there, with the same message and the same exit status.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command, add_progress
from verifier.cli.files import check_inputs

if TYPE_CHECKING:
    import argparse

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console

KINDS = ("model", "property", "proof", "certificate", "neuron_map")


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "inspect", "Read a file and tell what it is", run)
    add_progress(parser)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--kind", choices=KINDS, required=True, help="what the file should be")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    file: Path = arguments.file
    check_inputs((file,))
    from verifier.cli.summaries import SUMMARIES
    from verifier.report import lines

    with console.status("inspect"):
        summary = SUMMARIES[arguments.kind](file)
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    size = file.stat().st_size
    document = {
        "command": "inspect",
        "kind": arguments.kind,
        "sha256": digest,
        "bytes": size,
        "summary": summary,
    }
    rows = [("kind", arguments.kind.replace("_", " ")), ("sha256", digest), ("bytes", str(size))]
    rows += [(name.replace("_", " "), _text(value)) for name, value in summary.items()]
    console.answer(document, lines(rows))
    return 0


def _text(value: object) -> str:
    """Return a value of a summary for people."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case dict():
            parts = {key.replace("_", " "): _text(part) for key, part in value.items()}
            return ", ".join(f"{key} {part}" for key, part in parts.items() if part)
        case float():
            return f"{value:.6g}"
        case list():
            return ("; " if value and isinstance(value[0], dict) else " ").join(map(_text, value))
        case _:
            return str(value)
