# SPDX-License-Identifier: Apache-2.0
"""A program in place of ``mucg4`` that computes with names: what it makes says of what.

Files contain terms, such as ``m`` or ``prove(m, p)``. A command reads the files that its words
name, by the parser of the real command line, and leaves terms where the real one leaves files. So
what a job has worked on can be read off its answer, however the files got there.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from api.blobs import Blobs
from api.database.tables import jobs
from api.jobs.attempt import Workshop
from api.jobs.room import Facts, Look, Said
from api.jobs.worker import Worker
from tests.api.jobs.ledger import sha256
from verifier.cli.main import make_parser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from api.schemas import FileKind
    from tests.api.jobs.ledger import Ledger

Files = dict[str, bytes]


@dataclass
class SymbolicRoom:
    """A room in which the symbolic program runs, at once.

    Attributes:
        changes: Put in place of what it says: exit status, answer, or files it leaves; under
            ``inspect`` for that command, which looks at what a job has made.
        files: What lies there.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    files: Files = field(default_factory=dict)
    status: int = 0
    answer: bytes = b""

    def facts(self) -> Facts:
        """Return what the room is like."""
        return Facts("none", "/room", "1")

    def append(self, file_name: str, part: bytes) -> None:
        """Add to a file."""
        self.files[file_name] = self.files.get(file_name, b"") + part

    def start(self, words: Sequence[str], seconds: float) -> None:
        """Run a command."""
        del seconds
        said, left = run(words, self.files)
        changes = self.changes.get("inspect", {}) if words[0] == "inspect" else self.changes
        self.status = changes.get("status", 0)
        self.answer = json.dumps(changes.get("answer", said)).encode()
        self.files |= changes.get("left", left)

    def look(self) -> Look:
        """Return that it has ended."""
        return Look(self.status, b"")

    def end(self) -> None:
        """Do nothing: it has ended."""

    def said(self) -> Said:
        """Return what it said."""
        return Said(self.answer, b"")

    def part(self, file_name: str, offset: int) -> bytes | None:
        """Return the rest of a file."""
        content = self.files.get(file_name)
        return None if content is None else content[offset:]


@dataclass(frozen=True)
class SymbolicRooms:
    """Makes such rooms.

    Attributes:
        changes: See ``SymbolicRoom``.
        opened: All of them.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    opened: list[SymbolicRoom] = field(default_factory=list)

    @contextmanager
    def open(self, name: str) -> Iterator[SymbolicRoom]:
        """Return a room."""
        del name
        self.opened.append(SymbolicRoom(self.changes))
        yield self.opened[-1]


def run(words: Sequence[str], files: Files) -> tuple[dict[str, Any], Files]:
    """Return what a command says, and the files that it leaves."""
    named = make_parser().parse_args(list(words))

    def term(path: Path | None) -> str:
        return "none" if path is None else files[str(path)].decode()

    command = " ".join(words[:2]) if words[0] == "certificate" else words[0]
    said: dict[str, Any] = {"command": command}
    match command:
        case "prove":
            pair = f"{term(named.network)}, {term(named.property)}"
            left = {named.proof: f"prove({pair})", named.certificate: f"certificate({pair})"}
            return said | {"verdict": "holds", "of": f"prove({pair})"}, _files(left)
        case "reverify":
            of = [named.compressed, named.property, named.original, named.proof, named.neuron_map]
            pair = f"{term(named.compressed)}, {term(named.property)}"
            left = {named.certificate: f"certificate({pair})"}
            return said | {"verdict": "holds", "of": _call(command, of, term)}, _files(left)
        case "compress":
            of_what = f"{term(named.network)}, {named.method}"
            left = {
                named.out / "model.onnx": f"compress({of_what})",
                named.out / "neuron_map.json": f"map({of_what})",
                named.out / "report.json": f"report({of_what})",
            }
            return said | {"of": f"compress({of_what})"}, _files(left)
        case "classify":
            of = [named.original, named.compressed, named.neuron_map, named.property]
            return said | {"of": _call(command, of, term)}, {}
        case "certificate check":
            of = [named.certificate, named.network, named.property]
            return said | {"accepted": True, "of": _call("check", of, term)}, {}
        case _:
            assert command == "inspect"
            summary = {"fingerprint": f"print of {term(named.file)}"}
            return said | {"summary": summary, "sha256": sha256(term(named.file))}, {}


def _call(name: str, paths: Sequence[Path | None], term: Any) -> str:
    return f"{name}({', '.join(term(path) for path in paths)})"


def _files(left: Mapping[Path | None, str]) -> Files:
    return {str(path): text.encode() for path, text in left.items() if path is not None}


class Stage:
    """A tenant whose files contain their names, and a worker with the symbolic program.

    Args:
        ledger: The tenant.
        folder: For the files.
        changes: See ``SymbolicRoom``.
    """

    def __init__(self, ledger: Ledger, folder: Path, **changes: Any) -> None:
        self.ledger = ledger
        self.blobs = Blobs(folder)
        self.rooms = SymbolicRooms(changes)
        workshop = Workshop(ledger.settings, ledger.database, self.blobs, self.rooms)
        self.worker = Worker(workshop, "symbolic")

    def file(self, kind: FileKind, name: str) -> str:
        """Keep a file, and return its hash."""
        with self.blobs.writing() as writing:
            writing.write(name.encode())
            writing.keep()
        return self.ledger.file(kind, name)

    def run_all(self) -> None:
        """Run all jobs: claim all that can run, and perform the last of them first."""
        while (lease := self.worker.queue.claim("symbolic")) is not None:
            leases = [lease]
            while (lease := self.worker.queue.claim("symbolic")) is not None:
                leases.append(lease)
            for claimed in reversed(leases):
                self.worker.perform(claimed)

    def wait_for_nothing(self) -> None:
        """Let jobs that pause between two tries be begun at once."""
        self.ledger.database.write(lambda c: c.execute(update(jobs).values(not_before=0.0)))

    def of(self, job_id: str) -> str:
        """Return what a job says that it has worked on."""
        job = self.ledger.job(job_id)
        assert job.result is not None, job.problem
        return str(job.result["of"])

    def artifact(self, job_id: str, name: str) -> str:
        """Return a file that a job made."""
        (sha256,) = (made.sha256 for made in self.ledger.job(job_id).artifacts if made.name == name)
        return self.blobs.path(sha256).read_text()
