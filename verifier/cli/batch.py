# SPDX-License-Identifier: Apache-2.0
"""``mucg4 batch``: verify many networks, variants and properties, and go on after a stop."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.arguments import add_command, count, seconds, usable_cores
from verifier.cli.files import check_inputs, check_outputs, write

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from verifier.batch.job import Job
    from verifier.batch.results import Result
    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands, "batch", "Verify many networks, variants and properties, resumable", run
    )
    parser.add_argument(
        "source",
        type=Path,
        metavar="INSTANCES.csv|ZOO.toml",
        help="what to verify: a table of VNN-COMP, or a manifest of networks, properties and "
        "compressions",
    )
    parser.add_argument(
        "--results", type=Path, required=True, metavar="OUT.csv", help="the table to write"
    )
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="where outcomes are kept, so that a run that was stopped goes on (default: OUT.work)",
    )
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="for each, in place of the source's"
    )
    parser.add_argument(
        "--processes",
        type=count,
        default=usable_cores(),
        metavar="N",
        help="how many verifications at a time (default: %(default)s)",
    )
    parser.add_argument(
        "--without-reuse", action="store_true", help="verify each variant from scratch, to compare"
    )
    parser.add_argument(
        "--matrix", type=Path, metavar="OUT.html", help="networks and properties as a page"
    )
    parser.add_argument(
        "--cactus", type=Path, metavar="OUT.svg", help="answers over time as a figure"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    check_inputs((arguments.source,))
    outputs = (arguments.results, arguments.matrix, arguments.cactus)
    check_outputs(outputs, (arguments.source,))
    from verifier.batch.pool import LocalPool
    from verifier.batch.results import results_of
    from verifier.batch.run import Run
    from verifier.batch.store import opened
    from verifier.cli.batch_progress import shown

    jobs = _jobs(arguments)
    work = arguments.work or arguments.results.with_suffix(".work")
    pool = LocalPool(arguments.processes)
    try:
        with opened(work) as store, shown(jobs, is_quiet=console.is_quiet) as progress:
            going = Run(pool, store, progress)
            try:
                going.do(jobs)
            finally:
                results = results_of(jobs, going.outcomes)
                _write(arguments, results)
    finally:
        pool.close()
    _answer(console, arguments, results)
    return 3 if any(result.verdict == "error" for result in results) else 0


def _jobs(arguments: argparse.Namespace) -> list[Job]:
    if arguments.source.suffix == ".toml":
        from dataclasses import replace

        from verifier.batch.reuse import jobs_of_zoo
        from verifier.batch.zoo import read_zoo

        zoo = read_zoo(arguments.source)
        if arguments.timeout is not None:
            zoo = replace(zoo, timeout_seconds=arguments.timeout)
        return jobs_of_zoo(zoo, has_reuse=not arguments.without_reuse)
    from verifier.batch.instances import jobs_of_instances

    return jobs_of_instances(arguments.source, arguments.timeout)


def _write(arguments: argparse.Namespace, results: Sequence[Result]) -> None:
    """Write what there is, also of a run that was stopped."""
    from verifier.batch.results import results_csv

    title = arguments.source.resolve().parent.name
    table = results_csv(title, results)
    write(arguments.results, partial(_text, text=table))
    if arguments.matrix is not None:
        from verifier.batch.matrix import matrix_page

        write(arguments.matrix, partial(_text, text=matrix_page(title, results)))
    if arguments.cactus is not None:
        from verifier.batch.cactus import draw

        write(arguments.cactus, partial(draw, results))


def _text(place: Path, text: str) -> None:
    place.write_text(text, encoding="utf-8", newline="")


def _answer(console: Console, arguments: argparse.Namespace, results: Sequence[Result]) -> None:
    from verifier.batch.results import VERDICTS
    from verifier.report import lines

    counts = Counter(result.verdict for result in results)
    rows = [(word, str(counts[word])) for word in VERDICTS if counts[word]]
    rows += [("written to", str(arguments.results))]
    for result in results:
        if result.verdict == "error":
            console.note(f"{result.question}: {result.reason}")
    document = {
        "command": "batch",
        "results": str(arguments.results),
        "counts": {word: counts[word] for word in VERDICTS},
        "questions": [
            {
                "network": result.question.subject.network,
                "steps": [str(step) for step in result.question.subject.steps],
                "property": result.question.prop,
                "verdict": result.verdict,
                "reason": result.reason,
                "seconds": round(result.seconds, 6),
                "proof_reuse_rate": result.reuse_rate,
            }
            for result in results
        ],
    }
    console.answer(document, lines(rows))
