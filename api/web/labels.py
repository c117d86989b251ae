# SPDX-License-Identifier: Apache-2.0
"""What files and variants are called on the pages.

People know files by the names that they gave them. A model that a job made has no such name: it is
called after its original and how it was compressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from api.database.tables import artifacts, files, jobs
from api.schemas import FileKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy.engine import Connection

AT_ONCE = 500
SUFFIXES = {FileKind.MODEL: ".onnx", FileKind.PROPERTY: ".vnnlib"}


@dataclass(frozen=True)
class Origin:
    """How a model came about.

    Attributes:
        job_id: The job that made it.
        original: SHA-256 of what it was made from.
        how: The method with its options.
        neuron_map: SHA-256 of the map that came with it.
    """

    job_id: str
    original: str
    how: str
    neuron_map: str | None


@dataclass(frozen=True)
class Labels:
    """Names of the files of a tenant.

    Attributes:
        names: By kind and SHA-256, as they were given.
        origins: Of models that jobs made, by SHA-256.
        recipes: How compress jobs compress, by their id.
    """

    names: Mapping[tuple[str, str], str]
    origins: Mapping[str, Origin]
    recipes: Mapping[str, str]

    def model(self, sha256: str | None) -> str:
        """Return what a model is called."""
        if sha256 is None:
            return ""
        origin = self.origins.get(sha256)
        if origin is None:
            return self._name(FileKind.MODEL, sha256)
        return f"{self._name(FileKind.MODEL, origin.original)}, {origin.how}"

    def property(self, sha256: str | None) -> str:
        """Return what a property is called."""
        return "" if sha256 is None else self._name(FileKind.PROPERTY, sha256)

    def model_file(self, sha256: str | None) -> str:
        """Return what a model's file is called once it is fetched."""
        return self.names.get((FileKind.MODEL, sha256 or "")) or "model.onnx"

    def property_file(self, sha256: str | None) -> str:
        """Return what a property's file is called once it is fetched."""
        return self.names.get((FileKind.PROPERTY, sha256 or "")) or "property.vnnlib"

    def variant(self, request: Mapping[str, Any]) -> str:
        """Return what the variant of a ``reverify`` request is called, its original aside."""
        maker, model = request.get("model_of"), request.get("model")
        if maker is not None:
            return self.recipes.get(maker, "a compressed model")
        origin = self.origins.get(str(model))
        return origin.how if origin is not None else self._name(FileKind.MODEL, str(model))

    def subject(self, kind: str, request: Mapping[str, Any], model: str | None) -> str:
        """Return what a job is about, the property aside."""
        if kind == "reverify":
            original = self._name(FileKind.MODEL, request["original"])
            return f"{original}, {self.variant(request)}"
        if kind == "compress":
            return f"{self._name(FileKind.MODEL, request['model'])}, {recipe(request)}"
        return self.model(model)

    def _name(self, kind: FileKind, sha256: str) -> str:
        name = self.names.get((kind, sha256))
        if not name:
            return f"{kind} {sha256[:8]}"
        return name.removesuffix(SUFFIXES[kind]) or name


def recipe(request: Mapping[str, Any]) -> str:
    """Return a method of compression with its options in words."""
    options = request.get("options") or {}
    words = ", ".join(f"{name} {value}" for name, value in options.items())
    method = str(request["method"]).replace("_", " ")
    return f"{method} ({words.replace('_', ' ')})" if words else method


def find_labels(
    connection: Connection,
    tenant: str,
    requests: Iterable[Mapping[str, Any]],
    hashes: Iterable[str | None] = (),
) -> Labels:
    """Return the names of all files that some requests speak of, and of some more files."""
    wanted: set[str] = {sha256 for sha256 in hashes if sha256 is not None}
    makers: set[str] = set()
    for request in requests:
        wanted |= set(_hashes(request))
        if request.get("model_of") is not None:
            makers.add(request["model_of"])
    origins = find_origins(connection, tenant, wanted)
    wanted |= {origin.original for origin in origins.values()}
    names: dict[tuple[str, str], str] = {}
    for part in _parts(wanted):
        query = select(files.c.kind, files.c.sha256, files.c.name).where(
            files.c.tenant == tenant, files.c.sha256.in_(part)
        )
        names |= {(row.kind, row.sha256): row.name for row in connection.execute(query)}
    recipes: dict[str, str] = {}
    for part in _parts(makers):
        asked = select(jobs.c.id, jobs.c.request).where(
            jobs.c.tenant == tenant, jobs.c.kind == "compress", jobs.c.id.in_(part)
        )
        recipes |= {row.id: recipe(row.request) for row in connection.execute(asked)}
    return Labels(names, origins, recipes)


def find_origins(connection: Connection, tenant: str, hashes: Collection[str]) -> dict[str, Origin]:
    """Return how models came about, those that a job of the tenant made."""
    maps = artifacts.alias()
    found = {}
    for part in _parts(hashes):
        query = (
            select(artifacts.c.sha256, jobs.c.id, jobs.c.request, maps.c.sha256.label("map"))
            .join(jobs, jobs.c.id == artifacts.c.job_id)
            .join(maps, (maps.c.job_id == jobs.c.id) & (maps.c.name == "neuron_map"), isouter=True)
            .where(
                jobs.c.tenant == tenant,
                jobs.c.kind == "compress",
                artifacts.c.name == "model",
                artifacts.c.sha256.in_(part),
            )
            .order_by(jobs.c.id)
        )
        for row in connection.execute(query):
            how = recipe(row.request)
            found[row.sha256] = Origin(row.id, row.request["model"], how, row.map)
    return found


def _hashes(request: Mapping[str, Any]) -> Iterable[str]:
    """Return the files that a request names."""
    for name in ("model", "original", "property", "certificate", "neuron_map"):
        if isinstance(request.get(name), str):
            yield request[name]
    yield from request.get("properties") or ()
    for network in request.get("networks") or ():
        yield network["original"]
        yield from network["variants"]


def _parts(items: Collection[str]) -> Iterable[list[str]]:
    """Cut a collection into parts that fit into one query."""
    ordered = sorted(items)
    for start in range(0, len(ordered), AT_ONCE):
        yield ordered[start : start + AT_ONCE]
