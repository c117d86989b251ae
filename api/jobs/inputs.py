# SPDX-License-Identifier: Apache-2.0
"""Which files a claimed job works on, those that other jobs made for it included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from api.database.tables import artifacts, files, jobs, proofs
from api.jobs.commands import MissingInputError
from api.schemas import FileKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection

    from api.jobs.queue import Lease

_NAMED = ("model", "original", "property", "certificate", "neuron_map")


def find_inputs(connection: Connection, lease: Lease) -> dict[str, str | None]:
    """Return the SHA-256 of each file by what it is for."""
    found: dict[str, str | None] = {name: lease.request.get(name) for name in _NAMED}
    maker = lease.request.get("model_of")
    if maker is not None:
        found["model"] = find_artifact(connection, maker, "model")
        if found["neuron_map"] is None and _is_made_of(connection, maker, found["original"]):
            found["neuron_map"] = find_artifact(connection, maker, "neuron_map")
    if lease.kind == "reverify":
        found["proof"] = _proof(connection, lease)
    return found


def find_artifact(connection: Connection, job_id: str, name: str) -> str | None:
    """Return the SHA-256 of a file that a job made; None if there is none."""
    query = select(artifacts.c.sha256).where(artifacts.c.job_id == job_id, artifacts.c.name == name)
    return connection.execute(query).scalar()


def _is_made_of(connection: Connection, job_id: str, original: str | None) -> bool:
    """Say whether a job compressed this very network: its map starts from no other."""
    query = select(jobs.c.model).where(jobs.c.id == job_id)
    return connection.execute(query).scalar() == original


def find_subject(
    connection: Connection, tenant: str, inputs: Mapping[str, str | None]
) -> dict[str, str]:
    """Return the fingerprints of the network and the property that a job is about.

    Raises:
        MissingInputError: One of them was removed in the meantime.
    """
    named = {"network": (FileKind.MODEL, "model"), "property": (FileKind.PROPERTY, "property")}
    found = {}
    for name, (kind, what) in named.items():
        sha256 = inputs[what]
        if sha256 is None:
            continue
        fingerprint = connection.execute(_fingerprint(tenant, kind, sha256)).scalar()
        if fingerprint is None:
            msg = f"the {kind} {sha256} was removed while the job worked on it"
            raise MissingInputError(msg)
        found[name] = fingerprint
    return found


def _proof(connection: Connection, lease: Lease) -> str | None:
    """Return the proof of the original, None where there is no verdict that could be reused."""
    model = _fingerprint(lease.tenant, FileKind.MODEL, lease.request["original"])
    prop = _fingerprint(lease.tenant, FileKind.PROPERTY, lease.request["property"])
    query = select(proofs.c.sha256).where(
        proofs.c.tenant == lease.tenant,
        proofs.c.model_fingerprint == model.scalar_subquery(),
        proofs.c.property_fingerprint == prop.scalar_subquery(),
    )
    return connection.execute(query).scalar()


def _fingerprint(tenant: str, kind: FileKind, sha256: str) -> Select[str]:
    return select(files.c.fingerprint).where(
        files.c.tenant == tenant, files.c.kind == kind, files.c.sha256 == sha256
    )
