# SPDX-License-Identifier: Apache-2.0
"""Reads a zoo: networks, properties and compressions, each held against each other.

timeout_seconds = 116
networks = ["onnx/*.onnx"]
properties = ["vnnlib/prop_[1-4].vnnlib"]

[[compressions]]
method = "integer_quantisation"
options = { bits = [16, 8] }        # a list stands for each of its values

[[compressions]]                    # one after the other; each step is verified, too
steps = [
{ method = "integer_quantisation", options = { bits = 8 } },
{ method = "magnitude_pruning", options = { sparsity = [0.05, 0.1] } },
]

    [[frontier]]                        # for the search of the strongest: one axis, or two,
    method = "magnitude_pruning"        # each from weak to strong
    options = { sparsity = [0.1, 0.2, 0.3] }
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier.batch.manifest_reader import ManifestReader, read_toml, with_prefixes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from verifier.batch.question import Change, Step

MOST_AXES = 2
_KEYS = {"timeout_seconds", "networks", "properties", "compressions", "frontier"}


@dataclass(frozen=True)
class Zoo:
    """What a manifest says.

    Attributes:
        folder: What names are relative to.
        networks: Names of the original networks, sorted.
        properties: Names of the properties, sorted.
        variants: What is done to each network, without doing nothing; each is longer than another
            by one step, or has one step, and comes after that other.
        timeout_seconds: The limit of each verification.
        axes: For the search of the strongest compression: levels of each, from weak to strong.
    """

    folder: Path
    networks: tuple[str, ...]
    properties: tuple[str, ...]
    variants: tuple[tuple[Change, ...], ...]
    timeout_seconds: float
    axes: tuple[tuple[Step, ...], ...] = ()


def read_zoo(path: Path) -> Zoo:
    """Read a manifest.

    Raises:
        UsageError: It cannot be read, is malformed, or names what is not there.
    """
    document, _ = read_toml(path)
    reader = ManifestReader(path)
    reader.check_keys(document, _KEYS)
    return Zoo(
        path.parent,
        reader.files(document, "networks"),
        reader.files(document, "properties"),
        with_prefixes(reader.chains(document, "compressions")),
        reader.seconds(document, "timeout_seconds"),
        _axes(reader, document),
    )


def _axes(reader: ManifestReader, document: Mapping[str, Any]) -> tuple[tuple[Step, ...], ...]:
    """Return the levels of each axis."""
    key = "frontier"
    tables = reader.tables(document, key)
    if len(tables) > MOST_AXES:
        raise reader.wrong(key, f"{len(tables)} axes; there may be {MOST_AXES}")
    return tuple(
        tuple(reader.grid(table, f"{key} {number}")) for number, table in enumerate(tables, start=1)
    )
