# SPDX-License-Identifier: Apache-2.0
"""Suites of experiments, read from data: ``benchmarks/suites/*.toml``.

An *experiment* is one original, one property and any number of variants of the original: the
property is proved for the original once and carried over to each variant. An experiment without
variants measures a proof from scratch. A suite lists experiments in one of three ways:

  * ``[[grid]]``: every network with every property, and every variant that a compression method
    makes: one for each ``[[variant]]``, and one for each value of a ``[[series]]``, in which a
    method is applied ever more strongly;
  * ``instances``: a file of networks and properties, all from scratch;
  * ``[published]``: a file of instances whose networks are variants made by others; a pattern
    tells each one's original from its name.
"""

from __future__ import annotations

import csv
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.ways import WAYS
from verifier.errors import UsageError
from verifier.verdict import Answer, Verdict, verdict_of

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "suites"


@dataclass(frozen=True)
class Variant:
    """A compressed network: made by a method, or found in a file.

    Attributes:
        name: What to call it in tables.
        method: The compression method; empty for a file.
        options: Its options as ``key=value``.
        network: The ONNX file, relative to the suite's folder of data; empty for a method.
    """

    name: str
    method: str = ""
    options: tuple[str, ...] = ()
    network: str = ""


@dataclass(frozen=True)
class Experiment:
    """One original with one property, and the variants to carry its proof over to.

    Attributes:
        network: The original's ONNX file, relative to the suite's folder of data.
        prop: The property's file, likewise.
        variants: In the order in which they are verified.
    """

    network: str
    prop: str
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True)
class Series:
    """Variants by one method, applied ever more strongly.

    Attributes:
        axis: What the values are, with their unit, for the axis of a plot.
        values: Name of each variant to its value, from the weakest to the strongest.
    """

    axis: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Suite:
    """A list of experiments.

    Attributes:
        name: The name of its file.
        title: For the page of results.
        text: What it measures, for the page of results.
        folder: Where its networks and properties are.
        timeout_seconds: For each single verification.
        ways: Ways by which each variant is verified beside reuse; see ``ways``.
        processes: How many processes a long search is shared between.
        rounds: How often each way verifies a variant; the run of median cost counts.
        most_cores: The largest proof whose certificate is checked: each core takes the exact
            checker tens of milliseconds.
        experiments: What to run.
        series: Which of the variants belong together, for plots.
        expected: Verdicts known from elsewhere, by network and property file.
    """

    name: str
    title: str
    text: str
    folder: Path
    timeout_seconds: float
    ways: tuple[str, ...]
    processes: int
    rounds: int
    most_cores: int
    experiments: tuple[Experiment, ...]
    series: tuple[Series, ...]
    expected: Mapping[tuple[str, str], Verdict]


def suite_names() -> tuple[str, ...]:
    """Return the names of all suites."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load_suite(name: str, data: Path) -> Suite:
    """Read a suite.

    Args:
        name: Which.
        data: The folder of benchmark networks and properties.

    Raises:
        UsageError: There is no such suite.
    """
    if name not in suite_names():
        msg = f"there is no suite {name!r}; there are: {', '.join(suite_names())}"
        raise UsageError(msg)
    return suite_of(name, (FOLDER / f"{name}.toml").read_text(encoding="utf-8"), data)


def suite_of(name: str, text: str, data: Path) -> Suite:
    """Return the suite that a text describes.

    Args:
        name: What to call it.
        text: What a file of suites has.
        data: The folder of benchmark networks and properties.

    Raises:
        UsageError: It asks for a way that does not exist.
    """
    document = tomllib.loads(text)
    folder = data / document["folder"]
    ways = tuple(document.get("ways", ()))
    if not WAYS.keys() >= set(ways):
        msg = f"suite {name!r} asks for ways {ways}; there are: {', '.join(WAYS)}"
        raise UsageError(msg)
    if "grid" in document:
        experiments = _grid(document)
    elif "instances" in document:
        _, *rows = _rows(folder / document["instances"])
        experiments = tuple(Experiment(network, prop) for network, prop, *_ in rows)
    else:
        experiments = _published(document, folder)
    return Suite(
        name,
        document["title"],
        document["text"].strip(),
        folder,
        float(document["timeout_seconds"]),
        ways,
        int(document.get("processes", 1)),
        int(document.get("rounds", 1)),
        int(document["most_cores"]),
        experiments,
        tuple(_series(entry)[0] for entry in document.get("series", ())),
        _expected(folder / "expected.csv"),
    )


def _grid(document: dict[str, Any]) -> tuple[Experiment, ...]:
    variants = tuple(
        Variant(entry["name"], entry["method"], tuple(entry.get("options", ())))
        for entry in document.get("variant", ())
    )
    for entry in document.get("series", ()):
        variants += _series(entry)[1]
    return tuple(
        Experiment(network, prop, variants)
        for block in document["grid"]
        for network in block["networks"]
        for prop in block["properties"]
    )


def _series(entry: dict[str, Any]) -> tuple[Series, tuple[Variant, ...]]:
    """Return a series and its variants: ``{}`` in the name and the options is the value."""
    variants = tuple(
        Variant(
            entry["name"].format(value),
            entry["method"],
            tuple(option.format(value) for option in entry["options"]),
        )
        for value in entry["values"]
    )
    values = zip((variant.name for variant in variants), map(float, entry["values"]), strict=True)
    return Series(entry["axis"], dict(values)), variants


def _published(document: dict[str, Any], folder: Path) -> tuple[Experiment, ...]:
    """Group the instances by original and property."""
    settings = document["published"]
    variants: dict[tuple[str, str], list[Variant]] = {}
    for network, prop, *_ in _rows(folder / settings["instances"]):
        match = re.fullmatch(settings["pattern"], network)
        if match is None:
            msg = f"{settings['instances']}: the pattern does not fit the network {network!r}"
            raise UsageError(msg)
        key = (match.expand(settings["original"]), prop)
        name = match.expand(settings["variant"])
        variants.setdefault(key, []).append(Variant(name, network=network))
    return tuple(
        Experiment(network, prop, tuple(members)) for (network, prop), members in variants.items()
    )


def _expected(path: Path) -> dict[tuple[str, str], Verdict]:
    if not path.exists():
        return {}
    header, *rows = _rows(path)
    column = header.index("verdict")
    return {(row[0], row[1]): verdict_of(Answer(row[column])) for row in rows}


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
