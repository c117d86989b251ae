# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.peers``: other verifiers and ours, side by side in one run.

Each instance of a suite goes to each program in turn, as a whole process with the start-up in it,
so what is compared is what a user waits for and pays. Peers are named on the command line:

    python -m benchmarks.peers acasxu-scratch \
        --peer 'marabou=/path/to/Marabou {network} {property} --timeout={seconds}'

Programs that share no time limit may run a little beyond theirs; what comes later is not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.arguments import add_data, data_folder
from benchmarks.markdown import insert_section
from benchmarks.peer_report import Row, report
from benchmarks.processes import Command, Cost, run
from benchmarks.suites import load_suite
from verifier.errors import UsageError

if TYPE_CHECKING:
    from benchmarks.suites import Suite

OURS = Command(
    "mucg4",
    (
        str(Path(sys.executable).parent / "mucg4"),
        "prove",
        "{network}",
        "{property}",
        "--timeout",
        "{seconds}",
        "--quiet",
    ),
)


def main(arguments: list[str] | None = None) -> int:
    """Compare; 1 if our own program contradicts what is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("suite", nargs="?", default="acasxu-scratch")
    parser.add_argument("--peer", action="append", default=[], type=Command.parse)
    parser.add_argument("--out", type=Path, help="results; a run that was cut short goes on there")
    parser.add_argument("--page", type=Path, help="a Markdown page to put the comparison into")
    add_data(parser)
    choices = parser.parse_args(arguments)
    folder = data_folder(parser, choices)
    try:
        suite = load_suite(choices.suite, folder)
    except UsageError as error:
        parser.error(str(error))
    out = choices.out or Path("build/benchmarks") / f"peers-{suite.name}.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    programs = [OURS, *choices.peer]
    rows = _measure(suite, programs, out)
    images = choices.page.parent / "images" if choices.page else out.parent
    text = report(suite, rows, [program.name for program in programs], images)
    if choices.page is None:
        print(text)
    else:
        insert_section(choices.page, "peers", text)
    return int(any(row.is_wrong for row in rows if row.program == OURS.name))


def _measure(suite: Suite, programs: list[Command], out: Path) -> list[Row]:
    rows = _read(out)
    done = {(row.program, row.network, row.prop) for row in rows}
    pairs = [(e.network, e.prop) for e in suite.experiments]
    for number, (network, prop) in enumerate(pairs, start=1):
        for program in programs:
            if (program.name, network, prop) in done:
                continue
            line = program.line(suite.folder / network, suite.folder / prop, suite.timeout_seconds)
            expected = str(suite.expected.get((network, prop), ""))
            row = Row(program.name, network, prop, expected, run(line, suite.timeout_seconds))
            rows.append(row)
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row)) + "\n")
            cost = row.cost
            print(
                f"{number}/{len(pairs)} {Path(network).stem} {Path(prop).stem} {program.name}: "
                f"{cost.verdict} in {cost.cpu_seconds:.1f} CPU s",
                file=sys.stderr,
                flush=True,
            )
    return rows


def _read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    documents = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [Row(**{**document, "cost": Cost(**document["cost"])}) for document in documents]


if __name__ == "__main__":
    sys.exit(main())
