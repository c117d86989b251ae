# SPDX-License-Identifier: Apache-2.0
"""``mucg4 check --evidence`` and ``mucg4 evidence check``, with keys that openssl would make."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.cli.running import Files, run

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """
timeout_seconds = 60
[[networks]]
original = "network.onnx"
properties = ["*.vnnlib"]
"""


@dataclass(frozen=True)
class Gate:
    """A gate and a key."""

    files: Files
    manifest: Path
    key: Path
    public: Path

    @classmethod
    def make(cls, folder: Path, passphrase: bytes = b"") -> Gate:
        """Write the files."""
        files, key = Files.make(folder), Ed25519PrivateKey.generate()
        how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return cls(
            files,
            files.path("mucg4.toml", MANIFEST),
            files.path("key.pem", private.decode()),
            files.path("pub.pem", public.decode()),
        )


@dataclass(frozen=True)
class Packed:
    """A gate whose pack is written."""

    gate: Gate
    pack: Path


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """Return a pack of a gate that failed; no test changes it."""
    gate = Gate.make(tmp_path_factory.mktemp("gate"))
    pack = gate.files.folder / "pack"
    words = ("check", gate.manifest, "--processes", 1)
    done = run(*words, "--evidence", pack, "--signing-key", gate.key)
    assert done.status == 1
    assert f"the evidence pack is in {pack}" in done.errors
    return Packed(gate, pack)


def check(packed: Packed, *more: object) -> tuple[object, ...]:
    return ("evidence", "check", packed.pack, "--public-key", packed.gate.public, *more)


@pytest.mark.slow
def test_a_pack_of_a_failed_gate_is_right(packed: Packed) -> None:
    done = run(*check(packed, "--processes", 1))

    assert done.status == 0
    assert "pack                    accepted" in done.printed
    assert "result of the gate      FAILED" in done.printed
    assert "verdicts                2 of 2 by a certificate, checked now" in done.printed


@pytest.mark.slow
def test_programs_get_an_object(packed: Packed) -> None:
    document = run(*check(packed, "--format", "json", "--quiet")).document

    assert document["accepted"] is True
    assert document["problems"] == []
    assert document["result"] == "FAILED"
    assert [(each["verdict"], each["judgement"]) for each in document["checks"]] == [
        ("holds", "passed"),
        ("violated", "failed"),
    ]
    assert all(each["is_proved"] for each in document["checks"])


@pytest.mark.slow
def test_a_changed_pack_is_rejected_with_its_reason(packed: Packed, tmp_path: Path) -> None:
    spoilt = tmp_path / "pack"
    shutil.copytree(packed.pack, spoilt)
    (spoilt / "report.html").write_text("all is well", encoding="utf-8")

    done = run("evidence", "check", spoilt, "--public-key", packed.gate.public)

    assert done.status == 3
    assert "rejected: 'report.html': is not the file that was signed" in done.printed
    assert "pack                    rejected" in done.printed
    assert "result of the gate" not in done.printed


@pytest.mark.slow
def test_a_second_pack_does_not_replace_the_first(packed: Packed) -> None:
    before = sorted(packed.pack.rglob("*"))
    words = ("--evidence", packed.pack, "--signing-key", packed.gate.key)

    done = run("check", packed.gate.manifest, *words)

    assert done.status == 2
    assert "is there already" in done.errors
    assert sorted(packed.pack.rglob("*")) == before


@pytest.mark.slow
def test_the_passphrase_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate.make(tmp_path, b"open sesame")
    words = ("check", gate.manifest, "--evidence", tmp_path / "pack", "--signing-key", gate.key)
    done = run(*words)
    assert done.status == 2
    assert "MUCG4_SIGNING_PASSPHRASE" in done.errors

    monkeypatch.setenv("MUCG4_SIGNING_PASSPHRASE", "open sesame")

    assert run(*words, "--processes", 1).status == 1
    assert run("evidence", "check", tmp_path / "pack", "--public-key", gate.public).status == 0


def is_refused_before_the_work(gate: Gate, words: tuple[object, ...], message: str) -> bool:
    done = run("check", gate.manifest, *words)
    has_begun = (gate.files.folder / ".mucg4-cache").exists()
    return done.status == 2 and message in done.errors and not has_begun


def test_evidence_without_a_key_says_how_to_make_one(tmp_path: Path) -> None:
    gate = Gate.make(tmp_path)

    words = ("--evidence", tmp_path / "pack")
    assert is_refused_before_the_work(gate, words, "openssl genpkey -algorithm ed25519")
    assert is_refused_before_the_work(gate, words, "openssl pkey -in KEY.pem -pubout")


def test_a_key_without_evidence_signs_nothing(tmp_path: Path) -> None:
    gate = Gate.make(tmp_path)

    assert is_refused_before_the_work(gate, ("--signing-key", gate.key), "give --evidence DIR")


def test_a_wrong_key_is_found_before_the_work(tmp_path: Path) -> None:
    gate = Gate.make(tmp_path)

    words = ("--evidence", tmp_path / "pack", "--signing-key", gate.public)
    assert is_refused_before_the_work(gate, words, "not a private key in PEM")


def test_a_folder_that_cannot_be_written_is_found_before_the_work(tmp_path: Path) -> None:
    gate = Gate.make(tmp_path)

    words = ("--evidence", tmp_path / "none" / "pack", "--signing-key", gate.key)
    assert is_refused_before_the_work(gate, words, "cannot write to folder")


def test_a_pack_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    gate = Gate.make(tmp_path)

    done = run("evidence", "check", tmp_path / "none", "--public-key", gate.public)

    assert done.status == 2
    assert "there is no such folder" in done.errors


def test_a_private_key_is_no_public_key(tmp_path: Path) -> None:
    gate = Gate.make(tmp_path)

    done = run("evidence", "check", tmp_path, "--public-key", gate.key)

    assert done.status == 2
    assert "not a public key in PEM" in done.errors


def test_an_empty_folder_is_rejected(tmp_path: Path) -> None:
    gate = Gate.make(tmp_path)
    (tmp_path / "empty").mkdir()

    done = run("evidence", "check", tmp_path / "empty", "--public-key", gate.public)

    assert done.status == 3
    assert "statement.intoto.jsonl" in done.printed
