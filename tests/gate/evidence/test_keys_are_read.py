# SPDX-License-Identifier: Apache-2.0
"""Keys come as ``openssl`` writes them; any other is refused with the way to make one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from verifier.errors import UsageError
from verifier.gate.evidence.signature import PublicKey, SigningKey, opened, sealed

if TYPE_CHECKING:
    from pathlib import Path

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def private_pem(key: object, passphrase: bytes = b"") -> bytes:
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))  # type: ignore[attr-defined]


def public_pem(key: object) -> bytes:
    form = PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_key().public_bytes(Encoding.PEM, form))  # type: ignore[attr-defined]


def file(folder: Path, content: bytes) -> Path:
    path = folder / "key.pem"
    path.write_bytes(content)
    return path


def test_what_a_key_has_sealed_its_public_key_opens(tmp_path: Path) -> None:
    key = SigningKey.read(file(tmp_path, private_pem(KEY)), None)
    public = PublicKey.read(file(tmp_path, public_pem(KEY)))

    assert key.public.id == public.id
    assert opened(sealed(b"what is said", key), public) == b"what is said"


def test_an_encrypted_key_is_opened_by_its_passphrase(tmp_path: Path) -> None:
    path = file(tmp_path, private_pem(KEY, b"secret"))

    assert (
        SigningKey.read(path, "secret").public.id
        == SigningKey(KEY, PublicKey.of(KEY.public_key())).public.id
    )
    with pytest.raises(UsageError, match="encrypted, and no passphrase is given"):
        SigningKey.read(path, None)
    with pytest.raises(UsageError, match="the passphrase does not open it"):
        SigningKey.read(path, "wrong")


def test_a_passphrase_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    path = file(tmp_path, private_pem(KEY))

    assert SigningKey.read(path, "not needed").key.private_bytes_raw() == bytes(range(32))


OTHERS = [
    rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ed448.Ed448PrivateKey.generate(),
]


@pytest.mark.parametrize("other", OTHERS, ids=["rsa", "ed448"])
def test_a_key_of_another_kind_is_refused(tmp_path: Path, other: object) -> None:
    with pytest.raises(UsageError, match="not a key for Ed25519; make one with: openssl genpkey"):
        SigningKey.read(file(tmp_path, private_pem(other)), None)
    with pytest.raises(UsageError, match="not a key for Ed25519"):
        PublicKey.read(file(tmp_path, public_pem(other)))


@pytest.mark.parametrize("content", [b"", b"no key", private_pem(KEY)[:60], b"x" * 100_000])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    for read in (PublicKey.read, lambda path: SigningKey.read(path, None)):
        with pytest.raises(UsageError, match=r"key\.pem: (not a|longer than any)"):
            read(file(tmp_path, content))


def test_the_two_kinds_of_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a public key in PEM; make one with: openssl pkey"):
        PublicKey.read(file(tmp_path, private_pem(KEY)))
    with pytest.raises(UsageError, match="not a private key in PEM"):
        SigningKey.read(file(tmp_path, public_pem(KEY)), None)


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.pem: cannot be read"):
        PublicKey.read(tmp_path / "none.pem")
