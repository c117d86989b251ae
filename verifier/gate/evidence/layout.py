# SPDX-License-Identifier: Apache-2.0
"""Which file of a pack is what: networks N1, N2, ..., properties P1, ..., checks C1, ...

Names in a manifest may hold anything, ``..`` above all; a file of the pack is called by its number,
and by what is harmless of its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from verifier.gate.evidence.index import Listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier.gate.check import Check, Report

_HARMLESS = re.compile(r"[^A-Za-z0-9_.-]+")
_MOST_CHARACTERS = 60
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Input:
    """A network or a property, as it was verified.

    Attributes:
        id: What the report calls it.
        name: What the manifest calls it, in words.
        path: Where it lies in the pack.
        content: Its bytes.
        listed: Their SHA-256 and size.
    """

    id: str
    name: str
    path: str
    content: bytes
    listed: Listed


@dataclass(frozen=True)
class Place:
    """Where the files of a check lie.

    Attributes:
        id: What the report calls the check.
        check: The check.
        network: Its network; None where it could not be read or made.
        prop: Its property; likewise.
        certificate: Path of its certificate; empty where there is none.
    """

    id: str
    check: Check
    network: Input | None
    prop: Input | None
    certificate: str


@dataclass(frozen=True)
class Layout:
    """All files that were verified.

    Attributes:
        networks: Each once.
        properties: Each once.
        places: One for each check, in the order of the report.
        request: Path of the gate's manifest.
    """

    networks: tuple[Input, ...]
    properties: tuple[Input, ...]
    places: tuple[Place, ...]
    request: str


def layout_of(report: Report) -> Layout:
    """Return where the files of a report go."""
    networks, properties = _Inputs("N", "networks", ".onnx"), _Inputs("P", "properties", ".vnnlib")
    places = []
    for number, check in enumerate(report.checks, start=1):
        network = properties_of = None
        if "model.onnx" in check.inputs:
            subject = check.question.subject
            stem = subject.change or subject.network
            network = networks.add(str(subject), stem, check.inputs["model.onnx"])
        if "property.vnnlib" in check.inputs:
            prop = check.question.prop
            properties_of = properties.add(prop, prop, check.inputs["property.vnnlib"])
        certificate = "" if check.certificate is None else f"certificates/C{number}.json.gz"
        places.append(Place(f"C{number}", check, network, properties_of, certificate))
    request = f"request/{_harmless(report.manifest.path.stem, 'manifest')}.toml"
    return Layout(networks.all, properties.all, tuple(places), request)


def content_of(layout: Layout) -> Mapping[str, bytes]:
    """Return what was verified, by paths in the pack."""
    files = {each.path: each.content for each in (*layout.networks, *layout.properties)}
    for place in layout.places:
        if place.check.certificate is not None:
            files[place.certificate] = place.check.certificate
    return files


class _Inputs:
    """Numbers files of one kind."""

    def __init__(self, letter: str, folder: str, suffix: str) -> None:
        self._letter = letter
        self._folder = folder
        self._suffix = suffix
        self._known: dict[tuple[str, str], Input] = {}

    def add(self, name: str, stem: str, content: bytes) -> Input:
        listed = Listed.of(content)
        key = (name, listed.sha256)
        if key not in self._known:
            number = f"{self._letter}{len(self._known) + 1}"
            suffix = f"{self._suffix}.gz" if content.startswith(_GZIP_MAGIC) else self._suffix
            short = _harmless(_stem(stem, self._suffix), "")
            path = f"{self._folder}/{number}{'-' if short else ''}{short}{suffix}"
            self._known[key] = Input(number, name, path, content, listed)
        return self._known[key]

    @property
    def all(self) -> tuple[Input, ...]:
        return tuple(self._known.values())


def _stem(name: str, suffix: str) -> str:
    return PurePosixPath(name).name.removesuffix(".gz").removesuffix(suffix)


def _harmless(text: str, otherwise: str) -> str:
    return _HARMLESS.sub("_", text)[:_MOST_CHARACTERS].strip("._-") or otherwise
