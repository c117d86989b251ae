# SPDX-License-Identifier: Apache-2.0
"""``mucg4 demo``: the main job on bundled real input, with a picture of the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command, add_progress
from verifier.cli.files import write
from verifier.errors import UsageError, VerifierError

if TYPE_CHECKING:
    import argparse

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console

DEFAULT_FOLDER = Path("mucg4-demo")


def register(commands: Commands) -> None:
    """Add the command."""
    summary = "Prove, compress and re-verify a bundled network, and draw the result"
    parser = add_command(commands, "demo", summary, run)
    add_progress(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="FOLDER",
        help=f"where to write everything (default: {DEFAULT_FOLDER})",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    out: Path = arguments.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{out}: cannot be made: {error.strerror}"
        raise UsageError(msg) from error
    from verifier.cli import demo_picture, demo_runs, demo_table
    from verifier.network_file import Network

    example = demo_runs.example_folder()
    network = Network.read(example / "digits.onnx")
    with console.status("demo") as show:
        asked = demo_runs.questions(example)
        original = demo_runs.prove_original(network, asked, out, show)
        variants = [
            demo_runs.reverify_variant(variant, original, out, show)
            for variant in demo_runs.VARIANTS
        ]
        rejected = demo_runs.check_certificates([original, *variants], show)
        show("draw the picture")
        picture = out / "demo.png"
        write(picture, lambda path: demo_picture.draw(original, variants, rejected, path))
    document = {
        "command": "demo",
        **demo_table.document(original, variants, rejected),
        "picture": str(picture),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    write(out / "demo.json", lambda path: path.write_text(text, encoding="utf-8"))
    table = demo_table.text(original, variants, rejected)
    console.answer(document, f"{table}\n\npicture: {picture}\nall files: {out}")
    failures = {str(path): reason for path, reason in rejected.items() if reason}
    if failures:
        msg = f"the checker rejects what the engine made: {failures}"
        raise VerifierError(msg)
    return 0
