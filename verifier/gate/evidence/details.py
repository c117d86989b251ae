# SPDX-License-Identifier: Apache-2.0
"""The parts of a report that list things: checks, networks, properties, points, certificates."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from verifier.gate.evidence.blocks import Cell, Facts, Heading, Section, Table, Text
from verifier.gate.evidence.figure import cores_by_fate
from verifier.gate.evidence.property_words import decimal
from verifier.report import seconds_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from verifier.gate.evidence.blocks import Block
    from verifier.gate.evidence.layout import Input, Layout, Place

MOST_VALUES = 16
_SPACE = "\N{NO-BREAK SPACE}"
_NONE = Cell("")


def checks(layout: Layout) -> Section:
    """Return what came of each check."""
    head = ("", "Network", "Property", "Verdict", "Judgement", "Time", "Cores of the proof")
    rows = tuple(_check_row(place) for place in layout.places)
    blocks: list[Block] = [
        Text(
            "N and P number the networks and properties listed below with their SHA-256. The "
            "judgement is what a verdict, with its certificate, means for the build. The last "
            "column says what became of the cores of the original's proof: kept as they were, "
            "repaired, or dropped."
        ),
        Table("Checks", head, (0.8, 2.4, 2.4, 1.1, 1.2, 1.1, 1.9), rows),
    ]
    reasons = [(place.id, Cell(place.check.reason)) for place in layout.places if _is_told(place)]
    if reasons:
        blocks += [Heading("Why checks are not passed"), Facts(tuple(reasons))]
    return Section("checks", "Checks", tuple(blocks))


def _is_told(place: Place) -> bool:
    return bool(place.check.reason) and place.check.verdict != "violated"


def _check_row(place: Place) -> tuple[Cell, ...]:
    check = place.check
    time = seconds_text(check.seconds) + (" (cached)" if check.is_cached else "")
    fates = cores_by_fate(check)
    cores = ", ".join(f"{number} {word}" for word, number in fates.items() if number)
    return (
        Cell(place.id),
        Cell(_with_id(place.network, str(check.question.subject))),
        Cell(_with_id(place.prop, check.question.prop)),
        Cell(check.verdict, check.verdict),
        Cell(str(check.judgement), str(check.judgement)),
        Cell(time),
        Cell(cores) if cores else _NONE,
    )


def _with_id(file: Input | None, name: str) -> str:
    return name if file is None else f"{file.id}  {name}"


def networks(layout: Layout) -> Section:
    """Return the networks that were verified."""
    text = (
        "The bytes in the pack are those that were verified (a file compressed with gzip is "
        "unpacked). Compare these with the files that you deploy."
    )
    return Section("networks", "Networks", (Text(text), _files("Networks", layout.networks)))


def properties(layout: Layout, words: Mapping[str, tuple[str, ...]]) -> Section:
    """Return the properties, in words."""
    blocks: list[Block] = [
        Text(
            "The words are a summary made from the property files. The texts in VNN-LIB, in the "
            "folder properties, are normative: they are what was verified."
        ),
        _files("Properties", layout.properties),
    ]
    rows = tuple((each.id, Cell(" ".join(words[each.id]))) for each in layout.properties)
    blocks += [Heading("In words (a summary)"), Facts(rows)]
    return Section("properties", "Properties", tuple(blocks))


def _files(title: str, files: Sequence[Input]) -> Table:
    rows = tuple(
        (
            Cell(each.id),
            Cell(each.name),
            Cell(each.path, "", True),
            Cell(f"{each.listed.size:,}".replace(",", " ")),
            Cell(each.listed.sha256, "", True),
        )
        for each in files
    )
    head = ("", "Name in the manifest", "File in the pack", "Bytes", "SHA-256")
    return Table(title, head, (0.8, 2.4, 2.4, 0.9, 3.6), rows)


def counterexamples(layout: Layout) -> Iterator[Section]:
    """Yield the inputs that violate a property, if there are any."""
    blocks: list[Block] = []
    for place in layout.places:
        found = place.check.counterexample
        if found is not None:
            blocks += _counterexample(place, found)
    if blocks:
        note = (
            "Each is an input in the input set with its exact output. A number with ≈ is rounded "
            "for reading; checks.json has all of them exactly, as fractions."
        )
        yield Section("counterexamples", "Counterexamples", (Text(note), *blocks))


def _counterexample(place: Place, found: Mapping[str, Any]) -> Iterator[Block]:
    problem = found["replay_problem"]
    rows = [
        ("Input", Cell(_values("X", found["input"]))),
        ("Exact output", Cell(_values("Y", found["output"]))),
        *((_runtime(run), Cell(_replay(run))) for run in found["replay"]),
    ]
    rows += [("Replay", Cell(f"failed: {problem}", "violated"))] if problem else []
    yield Heading(f"{place.id}  {place.check.name}")
    yield Facts(tuple(rows))


def _runtime(run: Mapping[str, Any]) -> str:
    return f"{run['runtime']}, {'optimised' if run['is_optimised'] else 'as it is'}"


def _replay(run: Mapping[str, Any]) -> str:
    if run["problem"]:
        return f"failed: {run['problem']}"
    outputs = ", ".join(f"{value:.8g}" for value in run["output"][:MOST_VALUES])
    more = ", …" if len(run["output"]) > MOST_VALUES else ""
    inside = "inside" if run["inside_box"] else "outside"
    shown = "violates" if run["is_violated"] else "does not violate"
    return (
        f"{run['float_type']}: the rounded input is {inside} the input set, and its output "
        f"{shown} the property: {outputs}{more}"
    )


def _values(letter: str, values: Sequence[str]) -> str:
    shown = [
        f"{letter}_{number}{_SPACE}{_equal(decimal(Fraction(value)))}"
        for number, value in enumerate(values[:MOST_VALUES])
    ]
    left = len(values) - MOST_VALUES
    return ", ".join(shown) + (f", and {left} more in checks.json" if left > 0 else "")


def _equal(number: str) -> str:
    return (number if number.startswith("≈") else f"= {number}").replace(" ", _SPACE)


def certificates(layout: Layout) -> Section:
    """Return what the checker said."""
    rows = []
    for place in layout.places:
        said = place.check.confirmation
        if said is None:
            continue
        word = str(said.certification)
        rows.append(
            (
                Cell(place.id),
                Cell(place.check.verdict),
                Cell(place.certificate, "", True) if place.certificate else _NONE,
                Cell(word, word),
                Cell(seconds_text(said.seconds)),
                Cell(said.reason) if said.reason else _NONE,
            )
        )
    text = (
        "A certificate holds all that is needed to prove its verdict again. The checker shares no "
        "reasoning with the search that found it and trusts nothing in it; it accounts for every "
        "rounding, or computes without any. It ran anew for every verdict of this report, also "
        "for those that were taken from an earlier run. checker.log has its words."
    )
    head = ("", "Proves", "File in the pack", "The checker says", "Time", "Reason")
    table = Table("Certificates", head, (0.8, 1, 2.4, 1.4, 0.9, 2.4), tuple(rows))
    none = Text("No check has a verdict, so there is none.")
    blocks = (Text(text), table if rows else none)
    return Section("certificates", "Certificates", blocks)
