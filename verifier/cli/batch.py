# SPDX-License-Identifier: Apache-2.0
"""``mucg4 batch``: verify many networks, variants and properties, and go on after a stop."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.cli.arguments import add_command, count, seconds, usable_cores
from verifier.cli.files import check_inputs, check_outputs, write
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from verifier.batch.frontier import Tried
    from verifier.batch.job import Job
    from verifier.batch.pool import Pool
    from verifier.batch.results import Result
    from verifier.batch.run import Run
    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console

    Work = Callable[[Run], Mapping[str, Sequence[Tried]]]


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
    _add_execution(parser)
    parser.add_argument(
        "--without-reuse", action="store_true", help="verify each variant from scratch, to compare"
    )
    parser.add_argument(
        "--frontier",
        type=Path,
        metavar="OUT.svg",
        help="search the strongest compressions of a zoo's axes [[frontier]] that satisfy all "
        "properties, instead, and draw what was tried",
    )
    parser.add_argument(
        "--matrix", type=Path, metavar="OUT.html", help="networks and properties as a page"
    )
    parser.add_argument(
        "--cactus", type=Path, metavar="OUT.svg", help="answers over time as a figure"
    )


def _add_execution(parser: argparse.ArgumentParser) -> None:
    """Add what says where work is done, and how long it may take."""
    parser.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="for each, in place of the source's"
    )
    parser.add_argument(
        "--processes",
        type=count,
        metavar="N",
        help="how many verifications at a time (default: one for each core; with Ray, for each of "
        "the cluster's)",
    )
    parser.add_argument(
        "--executor",
        choices=("local", "ray"),
        default="local",
        help="where to work: in processes of this machine, or on a Ray cluster (default: local)",
    )
    parser.add_argument(
        "--ray-address",
        default="",
        metavar="HOST:PORT",
        help="head of the Ray cluster (default: one of this machine, for this run)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    check_inputs((arguments.source,))
    outputs = (arguments.results, arguments.matrix, arguments.cactus, arguments.frontier)
    check_outputs(outputs, (arguments.source,))
    from verifier.batch.results import results_of
    from verifier.batch.run import Run
    from verifier.batch.store import opened
    from verifier.cli.batch_progress import shown

    work = _work(arguments, console)
    folder = arguments.work or arguments.results.with_suffix(".work")
    pool = _pool(arguments)
    try:
        with opened(folder) as store, shown("batch", is_quiet=console.is_quiet) as progress:
            going = Run(pool, store, progress)
            try:
                frontiers = work(going)
            except KeyboardInterrupt:
                console.note(f"what was done is kept in {folder}: the same command goes on there")
                raise
            finally:
                # Also of a run that was stopped.
                results = results_of(going.jobs, going.outcomes)
                _write(arguments, results)
    finally:
        pool.close()
    if frontiers:
        from verifier.batch.frontier_figure import draw

        write(arguments.frontier, partial(draw, frontiers))
    _answer(console, arguments, results, frontiers)
    return 3 if any(result.verdict == "error" for result in results) else 0


def _pool(arguments: argparse.Namespace) -> Pool:
    if arguments.executor == "local":
        from verifier.batch.pool import LocalPool

        if arguments.ray_address:
            msg = "--ray-address is for --executor ray"
            raise UsageError(msg)
        return LocalPool(arguments.processes or usable_cores())
    from verifier.batch.ray_pool import RayPool

    return RayPool(arguments.ray_address, arguments.processes)


def _work(arguments: argparse.Namespace, console: Console) -> Work:
    """Return what does the work that is asked for, once the source has been read.

    Raises:
        UsageError: The source makes no sense, or not with these options.
    """
    if arguments.source.suffix != ".toml":
        from verifier.batch.instances import jobs_of_instances

        if arguments.frontier is not None or arguments.without_reuse:
            msg = f"{arguments.source}: --frontier and --without-reuse are for zoos (.toml)"
            raise UsageError(msg)
        return partial(_do, jobs_of_instances(arguments.source, arguments.timeout))
    from verifier.batch.reuse import jobs_of_zoo
    from verifier.batch.zoo import read_zoo

    zoo = read_zoo(arguments.source)
    if arguments.timeout is not None:
        zoo = replace(zoo, timeout_seconds=arguments.timeout)
    if arguments.frontier is None:
        if zoo.axes:
            console.note("[[frontier]] is left out: it is searched with --frontier OUT.svg")
        return partial(_do, jobs_of_zoo(zoo, has_reuse=not arguments.without_reuse))
    from verifier.batch.frontier import find_frontiers

    if not zoo.axes or arguments.without_reuse:
        msg = f"{arguments.source}: --frontier needs [[frontier]], and goes by reuse"
        raise UsageError(msg)
    return partial(find_frontiers, zoo)


def _do(jobs: Sequence[Job], run: Run) -> dict[str, list[Tried]]:
    run.do(jobs)
    return {}


def _write(arguments: argparse.Namespace, results: Sequence[Result]) -> None:
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


def _answer(
    console: Console,
    arguments: argparse.Namespace,
    results: Sequence[Result],
    frontiers: Mapping[str, Sequence[Tried]],
) -> None:
    from verifier.batch.results import VERDICTS
    from verifier.report import lines

    counts = Counter(result.verdict for result in results)
    rows = [(word, str(counts[word])) for word in VERDICTS if counts[word]]
    rows += [_frontier_row(name, tried) for name, tried in frontiers.items()]
    rows += [("written to", str(arguments.results))]
    for result in results:
        if result.verdict == "error":
            console.note(f"{result.question}: {result.reason}")
    document = {
        "command": "batch",
        "results": str(arguments.results),
        "counts": {word: counts[word] for word in VERDICTS},
        "questions": [_question_json(result) for result in results],
        "frontiers": {name: _frontier_json(tried) for name, tried in frontiers.items()},
    }
    console.answer(document, lines(rows))


def _question_json(result: Result) -> dict[str, Any]:
    subject = result.question.subject
    return {
        "network": subject.network,
        "steps": [str(step) for step in subject.steps],
        "property": result.question.prop,
        "verdict": result.verdict,
        "reason": result.reason,
        "seconds": round(result.seconds, 6),
        "proof_reuse_rate": result.reuse_rate,
    }


def _frontier_json(tried: Sequence[Tried]) -> dict[str, Any]:
    from verifier.batch.frontier import strongest

    def variant(each: Tried) -> dict[str, Any]:
        steps = [str(step) for step in each.subject.steps]
        return {"steps": steps, "relative_size": each.size, "all_hold": each.holds}

    best = strongest(tried)
    return {
        "strongest": None if best is None else variant(best),
        "tried": [variant(each) for each in tried],
    }


def _frontier_row(name: str, tried: Sequence[Tried]) -> tuple[str, str]:
    from verifier.batch.frontier import strongest

    best = strongest(tried)
    if best is None:
        return "strongest", f"{Path(name).stem}: none that was tried satisfies all properties"
    how = best.subject.change or "the original"
    return "strongest", f"{Path(name).stem}: {how} ({best.size:.1%} of the size)"
