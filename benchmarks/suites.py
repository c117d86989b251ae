# SPDX-License-Identifier: Apache-2.0
"""Suites of experiments, read from data: ``benchmarks/suites/*.toml``.

An *experiment* is one original, one property and any number of variants of the original: the
property is proved for the original once and carried over to each variant. An experiment without
variants measures a proof from scratch. A suite lists experiments in one of three ways:

  * ``[[grid]]``: every network with every property, and every ``[[variant]]`` that a compression
    method makes;
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
class Suite:
    """A list of experiments.

    Attributes:
        name: The name of its file.
        title: For the page of results.
        text: What it measures, for the page of results.
        folder: Where its networks and properties are.
        timeout_seconds: For each single verification.
        compares: Whether each variant is also proved from scratch.
        most_cores: The largest proof whose certificate is checked: each core takes the exact
            checker tens of milliseconds.
        experiments: What to run.
        expected: Verdicts known from elsewhere, by network and property file.
    """

    name: str
    title: str
    text: str
    folder: Path
    timeout_seconds: float
    compares: bool
    most_cores: int
    experiments: tuple[Experiment, ...]
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
    document = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    folder = data / document["folder"]
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
        bool(document.get("compares", False)),
        int(document["most_cores"]),
        experiments,
        _expected(folder / "expected.csv"),
    )


def _grid(document: dict[str, Any]) -> tuple[Experiment, ...]:
    variants = tuple(
        Variant(entry["name"], entry["method"], tuple(entry.get("options", ())))
        for entry in document.get("variant", ())
    )
    return tuple(
        Experiment(network, prop, variants)
        for block in document["grid"]
        for network in block["networks"]
        for prop in block["properties"]
    )


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
    header, *rows = _rows(path)
    column = header.index("verdict")
    return {(row[0], row[1]): verdict_of(Answer(row[column])) for row in rows}


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
