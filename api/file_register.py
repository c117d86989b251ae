# SPDX-License-Identifier: Apache-2.0
"""The register of files: which tenant has which, as what, and what is in them.

A proof is also registered under the network and the property that it speaks of, so that it is found
for a variant of that network, whatever its file was called. Of several, the last is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.database.connection import now
from api.database.inserting import insert_if_new, insert_or_replace
from api.database.tables import files, proofs
from api.schemas import FileKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection


@dataclass(frozen=True)
class FileRecord:
    """A file that lies in the blob folder.

    Attributes:
        kind: What it is.
        sha256: Of its content.
        bytes: Its size.
        name: What people call it.
        summary: What ``inspect`` says of it.
    """

    kind: FileKind
    sha256: str
    bytes: int
    name: str
    summary: Mapping[str, Any]


def register(connection: Connection, tenant: str, record: FileRecord) -> None:
    """Register a tenant's file; one that is registered stays as it is."""
    row = {
        "tenant": tenant,
        "kind": record.kind,
        "sha256": record.sha256,
        "bytes": record.bytes,
        "name": record.name,
        "fingerprint": str(record.summary.get("fingerprint", "")),
        "summary": dict(record.summary),
        "created_at": now(),
    }
    insert_if_new(connection, files, row)
    if record.kind == FileKind.PROOF:
        row = {
            "tenant": tenant,
            "model_fingerprint": record.summary["network"],
            "property_fingerprint": record.summary["property"],
            "sha256": record.sha256,
        }
        insert_or_replace(connection, proofs, row)
