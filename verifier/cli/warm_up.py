# SPDX-License-Identifier: Apache-2.0
"""``mucg4 warm-up``: compile now what is compiled on first use; nothing waits for it later."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command, add_progress

if TYPE_CHECKING:
    import argparse

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console


def register(commands: Commands) -> None:
    """Add the command."""
    summary = "Compile now what is compiled on first use, for later processes"
    parser = add_command(commands, "warm-up", summary, run)
    add_progress(parser)
    parser.epilog = (
        "NUMBA_CACHE_DIR names the folder to keep it in. A copy of that folder serves as well, on "
        "the same installation and kind of processor."
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    del arguments
    started = time.perf_counter()
    from verifier.bounds.warm_up import warm_up
    from verifier.report import lines, seconds_text

    with console.status("warm up"):
        warmth = warm_up()
    seconds = time.perf_counter() - started
    document = {
        "command": "warm-up",
        "seconds": round(seconds, 6),
        "folder": warmth.folder,
        "compiled": list(warmth.compiled),
        "loaded": list(warmth.loaded),
    }
    rows = [
        ("compiled", " ".join(warmth.compiled) or "nothing: everything was there"),
        ("kept in", warmth.folder or "no folder: numba finds none that it can write to"),
        ("time", seconds_text(seconds)),
    ]
    console.answer(document, lines(rows))
    return 0
