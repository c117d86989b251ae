# SPDX-License-Identifier: Apache-2.0
"""Reads the manifest of a gate: which networks, in which forms, have to satisfy which properties.

    timeout_seconds = 60                # of each verification
    unknown = "inconclusive"            # or "fail", or "allow": where neither was shown in time

    [[networks]]
    original = "models/digits.onnx"
    properties = ["properties/*.vnnlib"]
    variants = ["deployed/*/model.onnx"]    # files; neuron_map.json beside one is used

    [[networks.compressions]]           # made here, as ``mucg4 compress`` makes them
    method = "integer_quantisation"
    options = { bits = 8 }

What stands above the networks goes for all of them, unless one says otherwise.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from verifier.batch.manifest_reader import ManifestReader, read_toml, with_prefixes
from verifier.batch.question import Given
from verifier.batch.zoo import Zoo
from verifier.gate.judgement import Policy
from verifier.verdict import Semantics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from verifier.batch.question import Change

_DEFAULTS = {"timeout_seconds", "unknown"}
_WHOLE = {"semantics", "networks", *_DEFAULTS}
_NETWORK = {"original", "properties", "variants", "compressions", *_DEFAULTS}
_VARIANT = {"model", "neuron_map"}
_BESIDE = "neuron_map.json"


@dataclass(frozen=True)
class Entry:
    """A network of a manifest.

    Attributes:
        zoo: What is verified: the network, its variants, and what is on the way to them.
        shipped: What is judged: what was done to the network, empty for itself.
        policy: What is done where the answer is not known.
    """

    zoo: Zoo
    shipped: frozenset[tuple[Change, ...]]
    policy: Policy


@dataclass(frozen=True)
class Manifest:
    """What a manifest says.

    Attributes:
        path: Where it lies; names in it are relative to its folder.
        content: Its bytes.
        semantics: The arithmetic that is asked for.
        entries: Its networks, each once.
    """

    path: Path
    content: bytes
    semantics: Semantics
    entries: tuple[Entry, ...]

    @property
    def files(self) -> Iterator[Path]:
        """The manifest and all files that it names."""
        yield self.path
        for entry in self.entries:
            for name in (*entry.zoo.networks, *entry.zoo.properties):
                yield entry.zoo.folder / name
            for change in {change for steps in entry.zoo.variants for change in steps}:
                if isinstance(change, Given):
                    yield entry.zoo.folder / change.model
                    if change.neuron_map:
                        yield entry.zoo.folder / change.neuron_map


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        UsageError: It cannot be read, is malformed, or names what is not there.
    """
    document, content = read_toml(path)
    reader = ManifestReader(path)
    reader.check_keys(document, _WHOLE)
    entries = _entries(reader, document, "networks")
    semantics = reader.choice(document, "semantics", Semantics.REAL)
    return Manifest(path, content, semantics, entries)


def _entries(reader: ManifestReader, document: Mapping[str, Any], key: str) -> tuple[Entry, ...]:
    tables = reader.tables(document, key)
    if not tables:
        raise reader.wrong(key, f"write [[{key}]] for at least one")
    defaults = {key: document[key] for key in _DEFAULTS if key in document}
    entries = tuple(
        _entry(ManifestReader(reader.path, f"network {number}"), defaults | table)
        for number, table in enumerate(tables, start=1)
    )
    counts = Counter(entry.zoo.networks[0] for entry in entries)
    name, times = counts.most_common(1)[0]
    if times > 1:
        raise reader.wrong(key, f"{name} is there {times} times; write its parts together")
    return entries


def _entry(reader: ManifestReader, table: Mapping[str, Any]) -> Entry:
    reader.check_keys(table, _NETWORK)
    variants = (*_given(reader, table, "variants"), *reader.chains(table, "compressions"))
    zoo = Zoo(
        reader.path.parent,
        (reader.file(table, "original"),),
        reader.files(table, "properties"),
        with_prefixes(variants),
        reader.seconds(table, "timeout_seconds"),
    )
    shipped = frozenset({(), *variants})
    return Entry(zoo, shipped, reader.choice(table, "unknown", Policy.INCONCLUSIVE))


def _given(
    reader: ManifestReader, table: Mapping[str, Any], key: str
) -> Iterator[tuple[Change, ...]]:
    """Yield the variants that are files, each once."""
    variants = table.get(key, [])
    if not isinstance(variants, list):
        raise reader.wrong(key, "give a list of file names; * and ? may stand in them")
    seen: set[str] = set()
    for variant in variants:
        for given in _matching(reader, variant, key):
            if given.model in seen:
                raise reader.wrong(key, f"{given.model} is there twice")
            seen.add(given.model)
            yield (given,)


def _matching(reader: ManifestReader, variant: object, key: str) -> list[Given]:
    """Return what one element of the list of variants names."""
    if isinstance(variant, str):
        models = reader.matching(variant, key)
        return [Given(model, _beside(reader.path.parent, model)) for model in models]
    if isinstance(variant, dict):
        reader.check_keys(variant, _VARIANT, key)
        return [Given(reader.file(variant, "model"), reader.file(variant, "neuron_map"))]
    raise reader.wrong(key, "write the name of a file, or { model = NAME, neuron_map = NAME }")


def _beside(folder: Path, model: str) -> str:
    """Return the map that ``mucg4 compress`` has put beside a network, if there is one."""
    name = str(PurePosixPath(model).with_name(_BESIDE))
    return name if (folder / name).is_file() else ""
