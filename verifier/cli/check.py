# SPDX-License-Identifier: Apache-2.0
"""``mucg4 check``: the gate of a build. Its exit status says whether everything was proved."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command, count, usable_cores
from verifier.cli.evidence import add_evidence_options, evidence_of
from verifier.cli.files import check_inputs, check_outputs, write

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console
    from verifier.gate.check import Report
    from verifier.gate.manifest import Manifest

CACHE = ".mucg4-cache"
OUTPUTS = {
    "json": "the report as JSON, as --format json prints it",
    "junit": "the report as JUnit XML, for services of continuous integration",
    "sarif": "what is not passed as SARIF 2.1.0, for code scanning",
    "gitlab": "what is not passed as GitLab's code quality JSON",
    "markdown": "the report as Markdown, for $GITHUB_STEP_SUMMARY for example",
}


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands, "check", "Stop a build unless all that a manifest asks for is proved", run
    )
    parser.add_argument(
        "manifest",
        type=Path,
        metavar="MANIFEST.toml",
        help="which networks, in which forms, have to satisfy which properties",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help=f"where outcomes are kept for the next run (default: {CACHE} beside the manifest)",
    )
    parser.add_argument(
        "--processes",
        type=count,
        metavar="N",
        help="how many verifications at a time (default: one for each core)",
    )
    for name, what in OUTPUTS.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write {what}")
    add_evidence_options(parser)
    parser.epilog = (
        "Exit status: 0 all proved (or allowed to be unknown), 1 violated, 2 wrong usage, "
        "3 inconclusive, 4 internal error."
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    check_inputs((arguments.manifest,))
    from verifier.gate.document import report_json
    from verifier.gate.manifest import read_manifest
    from verifier.gate.table import report_text

    manifest = read_manifest(arguments.manifest)
    outputs = {name: getattr(arguments, name) for name in OUTPUTS}
    check_outputs(outputs.values(), manifest.files)
    evidence = evidence_of(arguments)
    report = _checked(arguments, console, manifest, certify=evidence is not None)
    _write(report, outputs)
    if evidence is not None:
        evidence.write(report)
        console.note(f"the evidence pack is in {evidence.folder}")
    console.answer(report_json(report), report_text(report))
    return report.status


def _checked(
    arguments: argparse.Namespace, console: Console, manifest: Manifest, *, certify: bool
) -> Report:
    """Run what the manifest asks for."""
    from verifier.batch.pool import LocalPool
    from verifier.batch.store import opened
    from verifier.cli.batch_progress import shown
    from verifier.gate.gate import run_gate

    folder = arguments.cache or manifest.path.parent / CACHE
    pool = LocalPool(arguments.processes or usable_cores())
    try:
        with opened(folder) as store, shown("check", is_quiet=console.is_quiet) as progress:
            return run_gate(manifest, pool, store, progress, certify=certify)
    except KeyboardInterrupt:
        console.note(f"what was done is kept in {folder}: the same command goes on there")
        raise
    finally:
        pool.close()


def _write(report: Report, outputs: Mapping[str, Path | None]) -> None:
    """Write the report in the forms that are asked for, whatever the checks have come to."""
    from verifier.gate.outputs import WRITERS

    for name, path in outputs.items():
        if path is not None:
            write(path, partial(_text, text=WRITERS[name](report)))


def _text(place: Path, text: str) -> None:
    place.write_text(text, encoding="utf-8", newline="")
