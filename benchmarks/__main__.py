# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks [SUITE ...]``: run suites, and put their tables into a page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.arguments import add_data, data_folder
from benchmarks.markdown import insert_section
from benchmarks.rows import read_rows
from benchmarks.runner import run_suite
from benchmarks.suites import load_suite, suite_names
from benchmarks.tables import section
from verifier.errors import UsageError

PAGE = Path("docs/benchmarks.md")


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; 1 if verdicts or certificates are wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="by default all")
    parser.add_argument("--out", type=Path, help="the file of results of a single suite")
    parser.add_argument(
        "--page",
        type=Path,
        help=f"a Markdown page to put the tables into, by default {PAGE} if no suite is named",
    )
    parser.add_argument("--jobs", type=int, default=2, help="worker processes, by default 2")
    add_data(parser)
    choices = parser.parse_args(arguments)
    names = choices.suites or list(suite_names())
    if not choices.suites and choices.page is None:
        choices.page = PAGE
    folder = data_folder(parser, choices)
    if choices.out is not None and len(names) > 1:
        parser.error("--out is for a single suite")
    wrong = 0
    for name in names:
        try:
            wrong += _run(name, folder, choices)
        except UsageError as error:
            parser.error(str(error))
    return 1 if wrong else 0


def _run(name: str, data: Path, choices: argparse.Namespace) -> int:
    """Run one suite; return how many rows are wrong."""
    suite = load_suite(name, data)
    out = choices.out or Path("build/benchmarks") / f"{name}.jsonl"
    for line in run_suite(suite, out, choices.jobs):
        print(f"{name}: {line}", file=sys.stderr, flush=True)
    rows = read_rows(out)
    images = choices.page.parent / "images" if choices.page else out.parent / "images"
    text = section(suite, rows, images)
    if choices.page is None:
        print(text)
    else:
        insert_section(choices.page, name, text)
    return sum(row.is_wrong for row in rows)


if __name__ == "__main__":
    sys.exit(main())
