# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.batches``: whole tables and a whole zoo by one command each.

Runs ``mucg4 batch`` as its users do, and holds what comes of it against the verdicts that are
published with the networks (the folder is named by MUCG4_DATA). A contradiction, an outcome that is
done twice, or a row that lacks makes it fail.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.markdown import insert_section, listed, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parents[1]
KILLS = 3
OUTCOMES_BEFORE_A_KILL = 40
SHORT_SECONDS = 20
PAIR_SECONDS = 5
WORDS = {"holds": "unsat", "violated": "sat"}
ZOO = """
timeout_seconds = 116
networks = ["onnx/*.onnx"]
properties = ["vnnlib/prop_[1-4].vnnlib"]

[[compressions]]
steps = [
    { method = "integer_quantisation", options = { bits = 16 } },
    { method = "integer_quantisation", options = { bits = 8 } },
    { method = "magnitude_pruning", options = { sparsity = 0.05 } },
]
[[compressions]]
method = "magnitude_pruning"
options = { sparsity = [0.05, 0.1] }

[[compressions]]
method = "neuron_pruning"
options = { fraction = "1/50" }
"""
FRONTIER = """
timeout_seconds = 60
networks = ["{network}"]
properties = [{properties}]

[[frontier]]
method = "magnitude_pruning"
options = {{ sparsity = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] }}

[[frontier]]
method = "integer_quantisation"
options = {{ bits = [16, 12, 10, 8, 7, 6, 5, 4] }}
"""


TEXTS = {
    "acasxu": """
## A whole table by one command

`mucg4 batch acasxu/instances.csv`, with two processes, killed three times on the way (SIGKILL) and
begun again: 186 queries, held against the published verdicts. What was stored before a kill has to
be the same to the digit afterwards, times included: nothing is done twice.
""",
    "tables": f"""
## Every table with published verdicts

The same for the other tables, with {SHORT_SECONDS} seconds for each query in place of their own
limits. *Error* is a network that is refused, for an operator that is not modelled.
""",
    "pairs": f"""
## Queries about two networks

VNN-LIB 2.0: ACAS Xu and its compression at the same input, whether an output differs by more than a
bound. Both networks are searched as one, with {PAIR_SECONDS} seconds for each query.
""",
    "zoo": """
## A zoo by one command

45 networks of ACAS Xu, properties 1 to 4, and 6 compressions of each: 16 bits, then 8 bits, then
5 % pruned, in a chain; 5 and 10 % pruned; 2 % of the neurons removed. Once by reuse, and once with
`--without-reuse`. Seconds are those of whole tasks, reading and the import gate included. By reuse,
an original's task also makes its proof fit for reuse; an original that is violated has no cores, so
its variants are verified from scratch, its counterexample first.
""",
    "frontier": """
## How far compression may go

`mucg4 batch --frontier`, magnitude pruning against bits, a grid of 63 variants of each network.
ACAS Xu 1_1 has to satisfy properties 1 to 4, the digits their seven that hold of the original.

![What was tried on ACAS Xu 1_1](images/frontier-acasxu.png)

![What was tried on the digits](images/frontier-digits.png)
""",
}


@dataclass
class Findings:
    """Rows of a table, and what is wrong."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def tell(self, what: str, measured: str) -> None:
        """Add a row."""
        self.rows.append((what, measured))
        print(f"{what}: {measured}", file=sys.stderr, flush=True)

    def check(self, what: str, *, is_right: bool) -> None:
        """Note what is wrong."""
        if not is_right:
            self.wrong.append(what)
            print(f"WRONG: {what}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Batch:
    """A batch run by the command line.

    Attributes:
        source: Table or manifest.
        folder: Where results and stored outcomes go.
        more: More options.
    """

    source: Path
    folder: Path
    more: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The command line."""
        program = (sys.executable, "-P", "-m", "verifier.cli.main", "batch", str(self.source))
        where = ("--results", str(self.folder / "results.csv"), "--format", "json")
        return [*program, *where, *self.more]

    @property
    def outcomes(self) -> dict[str, str]:
        """What is stored so far, with the seconds that each took."""
        file = self.folder / "results.work" / "outcomes.sqlite"
        if not file.exists():
            return {}
        with closing(sqlite3.connect(file, timeout=60.0)) as connection:
            try:
                return dict(connection.execute("SELECT digest, document FROM outcomes"))
            except sqlite3.OperationalError:  # The table is being made.
                return {}

    def run(self) -> tuple[list[dict[str, Any]], float]:
        """Run it to its end; return the questions with their answers, and seconds."""
        started = time.monotonic()
        done = subprocess.run(self.words, cwd=ROOT, stdout=subprocess.PIPE, check=False)
        document: dict[str, Any] = json.loads(done.stdout)
        (self.folder / "answer.json").write_bytes(done.stdout)
        questions: list[dict[str, Any]] = document["questions"]
        return questions, time.monotonic() - started

    def run_and_kill(self) -> None:
        """Begin it, and kill it as soon as so many more outcomes are stored."""
        enough = len(self.outcomes) + OUTCOMES_BEFORE_A_KILL
        with subprocess.Popen(self.words, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            while len(self.outcomes) < enough and process.poll() is None:
                time.sleep(0.1)
            process.send_signal(signal.SIGKILL)


def published(folder: Path) -> dict[tuple[str, str], str]:
    """Return the verdicts that are known of a table, ``sat`` or ``unsat``."""
    with (folder / "expected.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["onnx"], row["vnnlib"]): row["verdict"]
            for row in csv.DictReader(file)
            if row["verdict"] in ("sat", "unsat")
        }


def against(questions: Sequence[Mapping[str, Any]], known: Mapping[tuple[str, str], str]) -> Any:
    """Count answers that agree, that contradict, and that are none."""
    counts: Counter[str] = Counter()
    for question in questions:
        expected = known.get((question["network"], question["property"]))
        word = WORDS.get(question["verdict"])
        if word is None:
            counts[question["verdict"]] += 1
        elif expected is None:
            counts["nowhere published"] += 1
        else:
            counts["agree" if word == expected else "contradict"] += 1
    return counts


def acasxu(data: Path, folder: Path, findings: Findings) -> None:
    """The whole table of ACAS Xu, killed three times."""
    batch = Batch(data / "acasxu" / "instances.csv", folder)
    seen: list[dict[str, str]] = []
    started = time.monotonic()
    for _ in range(KILLS):
        batch.run_and_kill()
        seen.append(batch.outcomes)
    questions, _ = batch.run()
    seconds = time.monotonic() - started
    last = batch.outcomes
    # An outcome that was done again would have taken other seconds.
    is_repeated = any(last.get(key) != text for each in seen for key, text in each.items())
    counts = against(questions, published(data / "acasxu"))
    findings.tell("ACAS Xu, 186 queries", f"{listed(counts)}; {seconds:.0f} s with {KILLS} kills")
    findings.tell("outcomes stored at each kill", ", ".join(str(len(each)) for each in seen))
    findings.check("a query of ACAS Xu has no row", is_right=len(questions) == 186 == len(last))
    findings.check("an outcome was done again after a kill", is_right=not is_repeated)
    findings.check("a verdict on ACAS Xu is wrong", is_right=counts["agree"] == 186)


def tables(data: Path, folder: Path, findings: Findings) -> None:
    """Every other table that is published with verdicts."""
    for source in sorted(data.glob("*/instances.csv")):
        name = source.parent.name
        if name == "acasxu":
            continue
        own = folder / name
        own.mkdir()
        questions, seconds = Batch(source, own, ("--timeout", str(SHORT_SECONDS))).run()
        counts = against(questions, published(source.parent))
        findings.tell(f"{name}, {len(questions)} queries", f"{listed(counts)}; {seconds:.0f} s")
        findings.check(f"a verdict on {name} is wrong", is_right=not counts["contradict"])


def pairs(data: Path, folder: Path, findings: Findings) -> None:
    """Queries about two networks: a network and a compressed one at the same input."""
    source = data / "acasxu_compressed"
    for name in ("onnx", "vnnlib2"):
        shutil.copytree(source / name, folder / name)
    with (source / "pairs_expected.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "instances.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for row in rows:
            networks = f"[('f', '{row['onnx_f']}'), ('g', '{row['onnx_g']}')]"
            writer.writerow([networks, row["vnnlib2"], PAIR_SECONDS])
    known = {
        (f"{row['onnx_f']}, {row['onnx_g']}", row["vnnlib2"]): row["verdict"]
        for row in rows
        if row["verdict"] in WORDS.values()
    }
    questions, seconds = Batch(folder / "instances.csv", folder).run()
    counts = against(questions, known)
    findings.tell(f"pairs, {len(questions)} queries", f"{listed(counts)}; {seconds:.0f} s")
    findings.check("a verdict on a pair is wrong", is_right=not counts["contradict"])
    findings.check("a pair has no row", is_right=len(questions) == len(rows))


def zoo(data: Path, folder: Path, findings: Findings) -> None:
    """Networks, properties and compressions, with reuse and without."""
    for name in ("onnx", "vnnlib"):
        (folder / name).symlink_to(data / "acasxu" / name)
    source = folder / "zoo.toml"
    source.write_text(ZOO, encoding="utf-8")
    answers: list[dict[tuple[str, ...], Mapping[str, Any]]] = []
    spent: list[float] = []
    for name, more in (("by reuse", ()), ("from scratch", ("--without-reuse",))):
        own = folder / name.replace(" ", "_")
        own.mkdir()
        figures = ("--matrix", str(own / "zoo.html"), "--cactus", str(own / "zoo.png"))
        questions, seconds = Batch(source, own, (*more, *figures)).run()
        counts = Counter(question["verdict"] for question in questions)
        findings.tell(
            f"zoo, {len(questions)} questions, {name}", f"{listed(counts)}; {seconds:.0f} s"
        )
        answers.append({(q["network"], q["property"], *q["steps"]): q for q in questions})
        spent.append(seconds)
    findings.tell("whole command", f"{spent[1] / spent[0]:.1f} times as fast by reuse")
    _tell_of_variants(answers[0], answers[1], findings)
    findings.check(
        "reuse and scratch contradict each other",
        is_right=not any(
            {question["verdict"], answers[1][key]["verdict"]} == {"holds", "violated"}
            for key, question in answers[0].items()
        ),
    )


def _tell_of_variants(
    by_reuse: Mapping[tuple[str, ...], Mapping[str, Any]],
    from_scratch: Mapping[tuple[str, ...], Mapping[str, Any]],
    findings: Findings,
) -> None:
    """Tell the seconds of all tasks, by what became of the original: only what holds has cores."""
    for kind, words in (("", "originals"), ("holds", "hold"), ("violated", "are violated")):
        keys = [
            key
            for key, question in by_reuse.items()
            if bool(question["steps"]) == bool(kind) and kind in ("", by_reuse[key[:2]]["verdict"])
        ]
        name = f"variants of originals that {words}" if kind else words
        sums = [sum(run[key]["seconds"] for key in keys) for run in (by_reuse, from_scratch)]
        findings.tell(
            f"{name}, {len(keys)} questions",
            f"{sums[0]:.0f} s of two processes by reuse, {sums[1]:.0f} s from scratch: "
            f"{sums[1] / sums[0]:.1f} times as fast",
        )


def frontier(data: Path, folder: Path, findings: Findings) -> None:
    """The strongest compression of ACAS Xu 1_1 and of the digits model."""
    subjects = {
        "acasxu": (
            data / "acasxu",
            "onnx/ACASXU_run2a_1_1_batch_2000.onnx",
            ["vnnlib/prop_[1-4].vnnlib"],
        ),
        "digits": (
            ROOT / "examples" / "digits",
            "digits.onnx",
            ["properties/digit_[0-6]_*.vnnlib"],
        ),
    }
    for name, (place, network, properties) in subjects.items():
        own = folder / name
        own.mkdir()
        for part in {Path(path).parts[0] for path in (network, *properties)}:
            (own / part).symlink_to(place / part)
        named = ", ".join(f'"{pattern}"' for pattern in properties)
        source = own / "frontier.toml"
        source.write_text(FRONTIER.format(network=network, properties=named), encoding="utf-8")
        figure = own / f"frontier-{name}.png"
        batch = Batch(source, own, ("--frontier", str(figure)))
        _, seconds = batch.run()
        (found,) = json.loads((own / "answer.json").read_text())["frontiers"].values()
        best = found["strongest"]
        findings.check(f"no variant of {name} holds", is_right=best is not None)
        findings.tell(
            f"frontier of {name}, {len(found['tried'])} of 63 variants tried",
            f"{', '.join(best['steps'])}: {best['relative_size']:.1%} of the size; {seconds:.0f} s",
        )


STUDIES: dict[str, Callable[[Path, Path, Findings], None]] = {
    "acasxu": acasxu,
    "tables": tables,
    "pairs": pairs,
    "zoo": zoo,
    "frontier": frontier,
}


def main(arguments: list[str] | None = None) -> int:
    """Run studies, and print tables or put them into a page; 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__)
    parser.add_argument("studies", nargs="+", choices=STUDIES)
    parser.add_argument("--page", type=Path, help="a Markdown page to put the tables into")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="where figures are kept")
    choices = parser.parse_args(arguments)
    data = Path(os.environ["MUCG4_DATA"])
    wrong = 0
    for name in choices.studies:
        findings = Findings()
        with tempfile.TemporaryDirectory(prefix="mucg4-batches-") as folder:
            STUDIES[name](data, Path(folder), findings)
            if choices.figures is not None:
                for figure in Path(folder).rglob("*.png"):
                    shutil.copy(figure, choices.figures)
        text = f"{TEXTS[name].strip()}\n\n{table('what | measured', findings.rows)}"
        if choices.page is None:
            print(text)
        else:
            insert_section(choices.page, f"batches-{name}", text)
        wrong += len(findings.wrong)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
