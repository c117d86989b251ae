# SPDX-License-Identifier: Apache-2.0
"""Results in words, for people; programs read the JSON that stands beside them.

One fact a line, the name on the left, in the words of docs/glossary.md.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

from verifier.verdict import Semantics, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from verifier.change.classify import ChangeReport
    from verifier.pipeline import Result
    from verifier.spec.counterexample import Counterexample, Replay

Rows = list[tuple[str, str]]

LABEL_WIDTH = 24
LINE_WIDTH = 100

MEANINGS = {
    Verdict.HOLDS: "no input in the set violates the property",
    Verdict.VIOLATED: "the input below violates the property",
    Verdict.UNKNOWN: "neither was shown",
}
ARITHMETIC = {Semantics.REAL: "real arithmetic on the weights as stored"}


def result_text(result: Result, extra: Rows | None = None) -> str:
    """Return a result for people.

    Args:
        result: What to tell.
        extra: More lines for the summary, such as the files that were written.
    """
    rows: Rows = [("verdict", f"{result.verdict}: {MEANINGS[result.verdict]}")]
    if result.reason:
        rows.append(("reason", result.reason))
    rows.append(("semantics", f"{result.semantics}: {ARITHMETIC[result.semantics]}"))
    rows.append(("time", seconds_text(result.seconds)))
    if result.proof is not None and result.verdict is Verdict.HOLDS:
        rows.append(("cores", str(len(result.proof.cores))))
    if is_transferred(result):
        rows.append(
            ("basis", "differential margin: the networks differ by less than the proof spares")
        )
    parts = [lines(rows + (extra or []))]
    if result.counterexample is not None:
        parts.append(counterexample_text(result.counterexample))
    if result.reuse is not None:
        parts.append(reuse_text(result))
    return "\n\n".join(parts)


def is_transferred(result: Result) -> bool:
    """Whether the verdict rests on the differential margin, and so has no proof of its own."""
    return result.verdict is Verdict.HOLDS and result.proof is None


def reuse_text(result: Result) -> str:
    """Return what became of the original's cores, and when reuse has paid for the proof."""
    reuse = result.reuse
    if reuse is None or reuse.cores == 0:
        found = result.counterexample is not None
        why = "a counterexample was found first" if found else "the original's proof has none"
        return lines([("cores", f"none was used: {why}")])
    rows: Rows = [
        ("cores of the original", str(reuse.cores)),
        ("  valid", f"{reuse.valid}  (proof reuse rate {reuse.proof_reuse_rate:.1%})"),
        ("  repaired", str(reuse.repaired)),
        ("  dropped", str(reuse.dropped)),
        ("  vacuous", str(reuse.vacuous)),
        ("with lost literals", f"{reuse.untranslatable}  (untranslatable)"),
        ("residual subproblems", str(reuse.residual_subproblems)),
    ]
    if reuse.gave_up:
        rows.append(("gave up on reuse", "a sample of cores said that a fresh search is cheaper"))
    rows.append(("break-even", _break_even_text(reuse.original_seconds, result.seconds)))
    return lines(rows)


def break_even_variants(original: float, reuse: float, scratch: float) -> int | None:
    """Return the number of variants after which a proof that was made for reuse has paid.

    It is the least ``n`` with ``original + n * reuse <= n * scratch``, all in seconds, or nothing
    where reuse is not the faster one.

    Args:
        original: Cost of the original's proof.
        reuse: Cost of one variant by reuse.
        scratch: Cost of one variant from scratch.
    """
    saved = scratch - reuse
    return max(math.ceil(original / saved), 1) if saved > 0 else None


def _break_even_text(original: float, reuse: float) -> str:
    # Nobody has verified this variant from scratch; the original's cost stands for it.
    number = break_even_variants(original, reuse, original)
    basis = f"taking {seconds_text(original)}, what the original cost, for one from scratch"
    if number is None:
        return f"never at this cost, {basis}"
    return f"after {number} variants like this, {basis}"


def counterexample_text(counterexample: Counterexample, most: int | None = None) -> str:
    """Return a counterexample: the point, the exact output, and what runs in floats say.

    Args:
        counterexample: What to tell.
        most: How many of its inputs, and how many of its outputs, are told; by default all.
    """
    rows: Rows = [
        ("counterexample input", numbers_text(counterexample.input, most)),
        ("exact output", numbers_text(counterexample.output, most)),
    ]
    rows += [("replay", replay_text(run)) for run in counterexample.replay]
    if counterexample.replay and not counterexample.is_confirmed_in_floats:
        text = "the network as run in floats does not violate the property at this point"
        rows.append(("disagreement", text))
    return lines(rows)


def replay_text(replay: Replay) -> str:
    """Return what one run in floats says."""
    graph = "optimised graph" if replay.is_optimised else "graph as stored"
    where = f"{replay.runtime}, {replay.float_type}, {graph}"
    if replay.problem:
        return f"failed ({where}): {replay.problem}"
    verdict = "violated" if replay.is_violated else "not violated"
    outside = "" if replay.inside_box else "; the input, rounded, leaves the input set"
    return f"{verdict} ({where}){outside}"


def change_text(change: ChangeReport) -> str:
    """Return what compression changed, by layer and in sum."""
    return change.table()


def change_summary(change: ChangeReport) -> str:
    """Return what compression changed in one line."""
    return f"{change.kind}; {change.treatment}"


def change_json(change: ChangeReport) -> dict[str, Any]:
    """Return the change without its list of neurons, which is as long as the network is wide."""
    document = change.json()
    del document["neurons"]
    return document


def lines(rows: Rows) -> str:
    """Return names and values in two columns; long values go on below themselves."""
    indent = " " * LABEL_WIDTH
    out: list[str] = []
    for name, value in rows:
        wrapped = textwrap.wrap(
            value, LINE_WIDTH - LABEL_WIDTH, break_long_words=False, break_on_hyphens=False
        )
        first, *rest = wrapped or [""]
        out.append(f"{name:<{LABEL_WIDTH}}{first}".rstrip())
        out += [indent + line for line in rest]
    return "\n".join(out)


def seconds_text(seconds: float) -> str:
    """Return a duration with the digits that matter."""
    if seconds < 1.0:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"


def ratio_text(ratio: float) -> str:
    """Return how many times faster something is."""
    return f"{ratio:.{1 if ratio < 10.0 else 0}f}\N{MULTIPLICATION SIGN}"


def numbers_text(values: Sequence[Fraction], most: int | None = None) -> str:
    """Return rationals as decimals; the exact ones stand in the JSON."""
    shown = " ".join(f"{float(value):.6g}" for value in values[:most])
    left = 0 if most is None else len(values) - most
    return f"{shown} ... and {left} more" if left > 0 else shown
