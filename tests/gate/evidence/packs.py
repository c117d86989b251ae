# SPDX-License-Identifier: Apache-2.0
"""Packs of a small gate, made in this process, and ways to change them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.batch.at_once import AtOnce, Heard
from tests.cli.running import Files
from verifier.batch.run import Run
from verifier.batch.store import opened
from verifier.gate.evidence.audit import Audit, audit
from verifier.gate.evidence.index import ENVELOPE, INDEX, Listed, index_json
from verifier.gate.evidence.record import RECORD
from verifier.gate.evidence.signature import PublicKey, SigningKey, sealed
from verifier.gate.evidence.statement import statement_of
from verifier.gate.evidence.writer import write_pack
from verifier.gate.gate import run_gate
from verifier.gate.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verifier.gate.check import Check, Report
    from verifier.gate.judgement import Judgement

MANIFEST = """
timeout_seconds = 60
[[networks]]
original = "network.onnx"
properties = ["*.vnnlib"]
[[networks.compressions]]
method = "integer_quantisation"
options = { bits = 12 }
"""


def new_key() -> SigningKey:
    """Return a key of nobody."""
    key = Ed25519PrivateKey.generate()
    return SigningKey(key, PublicKey.of(key.public_key()))


def checked(manifest: Path, cache: Path) -> Report:
    """Run a gate with certificates."""
    with opened(cache) as store:
        return run_gate(read_manifest(manifest), AtOnce(), store, Heard(), certify=True)


def report_in(folder: Path) -> Report:
    """Return the report of a network and a variant, of which one property is violated."""
    files = Files.make(folder)
    return checked(files.path("mucg4.toml", MANIFEST), folder / "cache")


@dataclass(frozen=True)
class Pack:
    """A pack, its key, and the report that it is of."""

    folder: Path
    key: SigningKey
    report: Report

    @classmethod
    def write(cls, folder: Path, report: Report) -> Pack:
        """Write a pack."""
        pack = cls(folder, new_key(), report)
        write_pack(report, folder, pack.key)
        return pack

    def audited(self, key: PublicKey | None = None) -> Audit:
        """Check it, in this process."""
        with opened(self.folder.parent / "empty") as store:
            return audit(self.folder, key or self.key.public, Run(AtOnce(), store, Heard()))

    @property
    def files(self) -> list[str]:
        """Paths of all files."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.folder)) for path in found)

    @property
    def record(self) -> dict[str, Any]:
        """What ``checks.json`` says."""
        return dict(self.read(RECORD))

    def read(self, path: str) -> Any:
        """Return what a file in JSON holds."""
        return json.loads((self.folder / path).read_bytes())

    def reindex(self) -> str:
        """Write the index anew, and return its hash."""
        listed = {
            path: Listed.of((self.folder / path).read_bytes())
            for path in self.files
            if path not in {INDEX, ENVELOPE}
        }
        content = json.dumps(index_json(listed)).encode()
        (self.folder / INDEX).write_bytes(content)
        return Listed.of(content).sha256

    def resign(self, key: SigningKey | None = None) -> None:
        """Write index and statement anew, as who has a key can."""
        sha256 = self.reindex()
        entries = self.read(INDEX)["files"]
        index = {each["path"]: Listed(each["sha256"], each["size"]) for each in entries}
        statement = json.dumps(statement_of(self.record, index, sha256)).encode()
        (self.folder / ENVELOPE).write_bytes(sealed(statement, key or self.key))

    def rewrite(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change ``checks.json``, and sign that."""
        record = self.record
        change(record)
        (self.folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
        self.resign()


def unknown(check: Check, judgement: Judgement) -> Check:
    """Return a check that ended without an answer."""
    return replace(
        check,
        verdict="timeout",
        judgement=judgement,
        reason="no time is left",
        document={**check.document, "counterexample": None, "reuse": None},
        certificate=None,
        confirmation=None,
    )
