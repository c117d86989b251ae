# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.scaling``: what proof and reuse cost as networks, proofs and zoos grow.

Writes one line of JSON for each measurement, then a table and a figure.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.arguments import add_data, data_folder
from benchmarks.markdown import insert_section, listed, table
from benchmarks.scaling_figure import draw_scaling
from benchmarks.scaling_studies import OPTIONS, points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scaling_studies import Point

TEXT = """
## Cost against neurons, cores and variants

CPU seconds in one warm process. *Proof* is the original's, with what is done to its cores for
reuse; *from scratch* and *by reuse* are of its variants, without that.

* *Neurons*: classifiers of handwritten digits, trained as the example's is, with two ever wider
  layers and with one to five layers of 64 neurons; the variant has 8-bit weights. Properties are
  robustness of one image each of the digits 0, 1 and 2, up to 85 % of the least epsilon at which a
  gradient attack succeeds. The table has the medians over those that are proved within {limit:g} s.
* *Cores*: ACAS Xu networks, all of 300 neurons, with properties whose proofs differ in size; the
  variant has lost 1 % of its weights.
* *Variants*: ever more variants of one ACAS Xu network with one property, half with 8-bit weights,
  rounded in a different way each, half pruned by 0.25 to 4 %. Costs are of all variants together.

![CPU seconds against neurons, cores and variants](images/scaling.png)
""".strip()


def main(arguments: list[str] | None = None) -> int:
    """Measure; 1 if a verdict by reuse contradicts the one from scratch."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/scaling.jsonl"))
    parser.add_argument("--page", type=Path, help="a Markdown page to put the table into")
    add_data(parser)
    choices = parser.parse_args(arguments)
    folder = data_folder(parser, choices)
    choices.out.parent.mkdir(parents=True, exist_ok=True)
    found: list[Point] = []
    with choices.out.open("w", encoding="utf-8") as file:
        for point in points(folder):
            found.append(point)
            file.write(json.dumps(asdict(point)) + "\n")
            file.flush()
            print(f"{point.study}: {_line([point])}", file=sys.stderr, flush=True)
    images = (choices.page or choices.out).parent / "images"
    text = report(found, images)
    if choices.page is None:
        print(text)
    else:
        insert_section(choices.page, "scaling", text)
    return int(any(point.is_wrong for point in found))


def report(found: Sequence[Point], images: Path) -> str:
    """Return text and table, and draw the figure into ``scaling.png`` of a folder."""
    images.mkdir(parents=True, exist_ok=True)
    draw_scaling(found, images / "scaling.png")
    groups: dict[tuple[str, str, int], list[Point]] = {}
    for point in found:
        groups.setdefault((point.study, point.network, point.size), []).append(point)
    head = (
        "study | network | properties | size | cores | proof | from scratch | by reuse | "
        "times faster | verdicts by reuse"
    )
    lines = [(members[0].study, *_line(members)) for members in groups.values()]
    return f"{TEXT.format(limit=OPTIONS.timeout_seconds)}\n\n{table(head, lines)}\n"


def _line(members: Sequence[Point]) -> tuple[object, ...]:
    """Return the medians over the properties of one network."""
    first = members[0]
    proved = [point for point in members if point.verdicts]
    cells: list[object] = [first.network, ", ".join(str(p.prop) for p in members), first.size]
    if not proved:
        return (*cells, *"-----", "no proof")
    cores, proof, scratch, reuse = (
        median(values)
        for values in zip(*((p.cores, p.original, p.scratch, p.reuse) for p in proved), strict=True)
    )
    cells += [f"{cores:g}", *(f"{cost:.2f}" for cost in (proof, scratch, reuse))]
    verdicts = Counter(reused for point in proved for _, reused in point.verdicts)
    verdicts["no proof"] = len(members) - len(proved)
    return (*cells, f"{scratch / reuse:.1f}", listed(+verdicts))


if __name__ == "__main__":
    sys.exit(main())
